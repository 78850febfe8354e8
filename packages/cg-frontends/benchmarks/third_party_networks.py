"""The networks that `third_party.py` examines: some of each library that this project does not list."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import nn

__all__ = ["LIBRARIES", "Build", "Networks"]

Build = Callable[[], "tuple[nn.Module, tuple[Any, ...], dict[str, Any]]"]
Networks = Iterator[tuple[str, Build]]


def numbers(*shape: int) -> torch.Tensor:
    """A tensor of zeros, batch included; elements are drawn where they matter."""
    return torch.zeros(shape)


def tokens(*shape: int) -> torch.Tensor:
    """Numbers of words."""
    return torch.zeros(shape, dtype=torch.int64)


def built(make: Callable[[], nn.Module], *inputs: torch.Tensor) -> Build:
    """The call that makes a network, and what the network takes."""

    def build() -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        with contextlib.redirect_stdout(io.StringIO()):
            return make(), inputs, {}

    return build


def net(module: str, name: str, *inputs: torch.Tensor, label: str = "", **options: Any) -> tuple[str, Build]:
    """A constructor of a module under its name, or under ``label``."""
    return label or name, built(lambda: getattr(import_module(module), name)(**options), *inputs)


def each(module: str, names: str, *inputs: torch.Tensor, **options: Any) -> Networks:
    """Constructors that take the same."""
    for name in names.split():
        yield net(module, name, *inputs, **options)


def pytorchcv() -> Networks:
    """Every 150th name."""
    models = import_module("pytorchcv.model_provider")
    for name in sorted(models._models)[::150]:

        def build(name: str = name) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
            network = models.get_model(name, pretrained=False)
            size = getattr(network, "in_size", None) or (224, 224)
            return network, (numbers(1, getattr(network, "in_channels", 3), *size),), {}

        yield name, build


def segmentation_models_pytorch() -> Networks:
    """Every decoder on one encoder, and four further encoders."""
    image = numbers(1, 3, 128, 128)
    names = "Unet UnetPlusPlus MAnet Linknet FPN PSPNet PAN DeepLabV3 DeepLabV3Plus UPerNet Segformer"
    yield from each("segmentation_models_pytorch", names, image, encoder_name="resnet18", encoder_weights=None)
    for encoder in ("efficientnet-b0", "mobilenet_v2", "densenet121", "mit_b0"):
        options = {"encoder_name": encoder, "encoder_weights": None}
        yield net("segmentation_models_pytorch", "Unet", image, label=f"Unet({encoder})", **options)


def monai() -> Networks:
    """Networks for images of two and three dimensions."""
    nets, flat, deep = "monai.networks.nets", numbers(1, 1, 64, 64), numbers(1, 1, 32, 32, 32)
    channels = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    unet = {**channels, "channels": (8, 16, 32), "strides": (2, 2)}
    yield from each(nets, "UNet AttentionUnet", deep, **unet)
    yield from each(nets, "BasicUNet HighResNet VNet SegResNet", deep, **channels)
    yield net(nets, "UNETR", deep, in_channels=1, out_channels=2, img_size=(32, 32, 32), feature_size=8)
    swin = numbers(1, 1, 64, 64, 64)
    yield net(nets, "SwinUNETR", swin, in_channels=1, out_channels=2, feature_size=12)
    yield from each(nets, "DenseNet121 DenseNet169", flat, spatial_dims=2, in_channels=1, out_channels=2)
    yield from each(nets, "SEResNet50 SENet154", numbers(1, 3, 64, 64), spatial_dims=2, in_channels=3, num_classes=2)
    yield net(nets, "EfficientNetBN", numbers(1, 3, 64, 64), model_name="efficientnet-b0", pretrained=False)
    vit = {"in_channels": 1, "img_size": (64, 64), "patch_size": (16, 16), "spatial_dims": 2, "classification": True}
    yield net(nets, "ViT", flat, **vit)
    yield net(
        nets, "AutoEncoder", flat, spatial_dims=2, in_channels=1, out_channels=1, channels=(8, 16), strides=(2, 2)
    )


def diffusers() -> Networks:
    """Denoisers and autoencoders in small sizes."""
    small = {"block_out_channels": (32, 64), "layers_per_block": 1}
    step = tokens(1)
    yield net("diffusers", "UNet2DModel", numbers(1, 3, 32, 32), step, sample_size=32)
    blocks = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    text = numbers(1, 7, 32)
    options = {**small, **blocks, "cross_attention_dim": 32, "attention_head_dim": 8, "sample_size": 32}
    yield net("diffusers", "UNet2DConditionModel", numbers(1, 4, 32, 32), step, text, **options)
    coder = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2, **small}
    yield from each("diffusers", "AutoencoderKL VQModel", numbers(1, 3, 32, 32), **coder)
    yield net("diffusers", "AutoencoderTiny", numbers(1, 3, 32, 32))
    dit = {
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "num_layers": 2,
        "in_channels": 4,
        "sample_size": 16,
        "patch_size": 2,
    }
    yield net("diffusers", "DiTTransformer2DModel", numbers(1, 4, 16, 16), step, step, **dit)
    pixart = {**dit, "cross_attention_dim": 16, "caption_channels": 32, "norm_type": "ada_norm_single"}
    yield net("diffusers", "PixArtTransformer2DModel", numbers(1, 4, 16, 16), text, step, **pixart)
    sd3 = {
        "sample_size": 16,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "caption_projection_dim": 16,
        "pooled_projection_dim": 24,
        "in_channels": 4,
        "out_channels": 4,
    }
    inputs = (numbers(1, 4, 16, 16), text, numbers(1, 24), step)
    yield net("diffusers", "SD3Transformer2DModel", *inputs, **sd3)


def ultralytics() -> Networks:
    """Detectors, segmenters, poses, classifiers."""
    tasks = "ultralytics.nn.tasks"
    for task, names in (
        ("DetectionModel", "yolov3-tiny yolov5n yolov6n yolov8n yolov9t yolov10n yolo11n yolo12n"),
        ("SegmentationModel", "yolov8n-seg yolo11n-seg"),
        ("PoseModel", "yolo11n-pose"),
        ("ClassificationModel", "yolov8n-cls yolo11n-cls"),
    ):
        for name in names.split():
            yield net(tasks, task, numbers(1, 3, 128, 128), label=name, cfg=f"{name}.yaml", verbose=False)


def open_clip() -> Networks:
    """Image and text towers."""
    for name, size, words in (
        ("RN50", 224, 77),
        ("ViT-B-32", 224, 77),
        ("ViT-S-16-alt", 224, 77),
        ("convnext_tiny", 224, 77),
        ("coca_base", 288, 76),
    ):
        inputs, options = (numbers(1, 3, size, size), tokens(1, words)), {"model_name": name, "pretrained": None}
        yield net("open_clip", "create_model", *inputs, label=name, **options)


def torchaudio() -> Networks:
    """Networks for speech and music."""
    models = "torchaudio.models"
    yield net(models, "ConvTasNet", numbers(1, 1, 8000))
    yield net(models, "DeepSpeech", numbers(1, 1, 50, 40), n_feature=40)
    yield net(models, "Wav2Letter", numbers(1, 1, 8000), input_type="waveform", num_features=1)
    yield net(models, "HDemucs", numbers(1, 2, 44100), sources=["drums", "bass"], channels=16)
    yield net(models, "wav2vec2_base", numbers(1, 16000))
    yield net(models, "hubert_base", numbers(1, 16000))
    yield net(models, "wavlm_base", numbers(1, 16000))
    wave = {"upsample_scales": [5, 5, 8], "n_classes": 64, "hop_length": 200, "n_rnn": 32, "n_fc": 32, "n_freq": 40}
    yield net(models, "WaveRNN", numbers(1, 1, 1200), numbers(1, 1, 40, 10), **wave)
    conformer = {"input_dim": 40, "num_heads": 4, "ffn_dim": 64, "num_layers": 2, "depthwise_conv_kernel_size": 31}
    yield net(models, "Conformer", numbers(1, 100, 40), torch.full((1,), 100), **conformer)
    yield net(models, "squim_objective_base", numbers(1, 16000), label="SquimObjective")
    yield net("torchaudio.transforms", "MelSpectrogram", numbers(1, 16000))
    yield net("torchaudio.transforms", "MFCC", numbers(1, 16000))


def speechbrain() -> Networks:
    """Speaker embeddings, recognisers and separators."""
    lobes = "speechbrain.lobes.models"
    sound = numbers(1, 100, 40)
    yield net(f"{lobes}.ECAPA_TDNN", "ECAPA_TDNN", sound, input_size=40)
    yield net(f"{lobes}.Xvector", "Xvector", sound, in_channels=40)
    yield net(f"{lobes}.CRDNN", "CRDNN", sound, input_shape=[1, 100, 40])
    yield net(f"{lobes}.ContextNet", "ContextNet", sound, input_shape=[1, 100, 40])
    yield net(
        f"{lobes}.conv_tasnet",
        "MaskNet",
        numbers(1, 16, 100),
        label="ConvTasNet",
        N=16,
        B=8,
        H=16,
        P=3,
        X=2,
        R=2,
        C=2,
        norm_type="gLN",
        causal=False,
    )
    yield net(f"{lobes}.ResNet", "ResNet", sound, input_size=40, channels=[16, 16, 32, 32])


def asteroid() -> Networks:
    """Separators of sources."""
    wave = numbers(1, 1, 4000)
    yield net("asteroid.models", "ConvTasNet", wave, n_src=2, n_blocks=2, n_repeats=2)
    yield net("asteroid.models", "DPRNNTasNet", wave, n_src=2, n_repeats=2)
    yield net("asteroid.models", "DPTNet", wave, n_src=2, n_repeats=1)
    yield net("asteroid.models", "SuDORMRFNet", wave, n_src=2, num_blocks=2)
    yield net("asteroid.models", "SuDORMRFImprovedNet", wave, n_src=2, num_blocks=2)
    yield net("asteroid.models", "DeMask", wave)
    yield net("asteroid.models", "LSTMTasNet", wave, n_src=2, hid_size=64, n_layers=2)


def vit_pytorch() -> Networks:
    """Vision transformers by their papers."""
    small, image, large = numbers(1, 3, 64, 64), numbers(1, 3, 224, 224), numbers(1, 3, 256, 256)
    size: dict[str, Any] = {"image_size": 64, "num_classes": 10, "dim": 64, "heads": 4, "mlp_dim": 64}
    plain = {**size, "patch_size": 16, "depth": 2}
    yield from each("vit_pytorch", "ViT SimpleViT", small, **plain)
    yield net("vit_pytorch.cait", "CaiT", small, **plain, cls_depth=1)
    yield net("vit_pytorch.deepvit", "DeepViT", small, **plain)
    yield net("vit_pytorch.parallel_vit", "ViT", small, label="ParallelViT", **plain, num_parallel_branches=2)
    yield net("vit_pytorch.rvt", "RvT", small, **plain)
    merging = {**plain, "patch_merge_layer": 1, "patch_merge_num_tokens": 4}
    yield net("vit_pytorch.vit_with_patch_merger", "ViT", small, label="PatchMergingViT", **merging)
    yield net("vit_pytorch.pit", "PiT", small, **size, patch_size=16, depth=(1, 1))
    stages = {"image_size": 224, "stages": 3, "dim": (32, 48, 64), "depth": 1, "heads": (2, 3, 4), "mlp_mult": 2}
    yield net("vit_pytorch.levit", "LeViT", image, **stages, num_classes=10)
    yield net("vit_pytorch.cvt", "CvT", small, num_classes=10)
    yield net("vit_pytorch.twins_svt", "TwinsSVT", image, num_classes=10)
    growing = {"dim": (32, 48, 64, 96), "depth": (1, 1, 1, 1), "num_classes": 10}
    yield net("vit_pytorch.regionvit", "RegionViT", image, **growing)
    yield net("vit_pytorch.crossformer", "CrossFormer", image, **growing)
    doubling = {"dim": 32, "depth": (1, 1, 1, 1), "num_classes": 10}
    windows = {"ssa_dim_key": (16,) * 4, "reduction_factor": (8, 4, 2, 1), "window_size": (64, 32, None, None)}
    yield net("vit_pytorch.scalable_vit", "ScalableViT", large, **doubling, **windows, heads=(2, 4, 4, 4))
    yield net("vit_pytorch.sep_vit", "SepViT", image, **doubling, dim_head=16, heads=(1, 2, 4, 8), window_size=7)
    yield net("vit_pytorch.max_vit", "MaxViT", image, dim=32, depth=(1, 1), num_classes=10, dim_head=16, window_size=7)
    channels = [16, 32, 48, 48, 64, 64, 80, 80, 96, 96, 384]
    mobile = {"image_size": (256, 256), "dims": [96, 120, 144], "channels": channels, "num_classes": 10}
    yield net("vit_pytorch.mobile_vit", "MobileViT", large, **mobile)
    yield net("vit_pytorch.xcit", "XCiT", small, **plain, cls_depth=1)


def x_transformers() -> Networks:
    """Encoders and decoders with the options of many papers."""
    module = import_module("x_transformers")

    def decoder(**options: Any) -> nn.Module:
        layers = module.Decoder(dim=64, depth=2, heads=4, **options)
        return module.TransformerWrapper(num_tokens=200, max_seq_len=64, attn_layers=layers)

    for name, options in (
        ("decoder", {}),
        ("rotary", {"rotary_pos_emb": True}),
        ("alibi", {"alibi_pos_bias": True}),
        ("rms_swish_glu", {"use_rmsnorm": True, "ff_swish": True, "ff_glu": True}),
        ("grouped", {"attn_kv_heads": 2}),
        ("flash", {"attn_flash": True}),
        ("sandwich", {"sandwich_norm": True}),
        ("macaron", {"macaron": True}),
        ("t5_bias", {"rel_pos_bias": True}),
    ):
        yield name, built(partial(decoder, **options), tokens(1, 32))

    def encoder() -> nn.Module:
        layers = module.Encoder(dim=64, depth=2, heads=4)
        return module.ViTransformerWrapper(image_size=64, patch_size=16, num_classes=10, attn_layers=layers)

    yield "ViTransformerWrapper", built(encoder, numbers(1, 3, 64, 64))


def kornia() -> Networks:
    """Descriptors of patches, detectors, backbones."""
    yield from each("kornia.feature", "HardNet HyNet TFeat SOSNet HardNet8", numbers(1, 1, 32, 32), pretrained=False)
    yield net("kornia.feature", "DISK", numbers(1, 3, 64, 64))

    def edges() -> nn.Module:
        filters = import_module("kornia.filters")
        return nn.Sequential(filters.GaussianBlur2d((5, 5), (1.5, 1.5)), filters.Sobel())

    yield "Gaussian and Sobel", built(edges, numbers(1, 3, 32, 32))


def resnest() -> Networks:
    """Split attention."""
    yield from each("resnest.torch", "resnest50 resnest101 resnest200", numbers(1, 3, 224, 224), pretrained=False)


def torch_geometric() -> Networks:
    """Message passing over a fixed number of edges."""
    nodes, edges = numbers(10, 8), torch.stack([torch.arange(20) % 10, (torch.arange(20) * 3 + 1) % 10])
    options = {"in_channels": 8, "hidden_channels": 16, "num_layers": 2, "out_channels": 4}
    yield from each("torch_geometric.nn", "GCN GraphSAGE GIN GAT", nodes, edges, **options)
    yield net("torch_geometric.nn", "MLP", nodes, **options)


def efficientnet_pytorch() -> Networks:
    """Two sizes."""
    make = import_module("efficientnet_pytorch").EfficientNet.from_name
    for name in ("efficientnet-b0", "efficientnet-b3"):
        yield name, built(partial(make, name), numbers(1, 3, 224, 224))


def facenet_pytorch() -> Networks:
    """The embedding, and the three networks of the detector."""
    yield net("facenet_pytorch", "InceptionResnetV1", numbers(1, 3, 160, 160), pretrained=None, classify=False)
    for name, size in (("PNet", 24), ("RNet", 24), ("ONet", 48)):
        yield net("facenet_pytorch.models.mtcnn", name, numbers(1, 3, size, size), pretrained=False)


def torchsr() -> Networks:
    """Super-resolution."""
    yield from each(
        "torchsr.models",
        "edsr_baseline rcan carn carn_m vdsr ninasr_b0 rdn",
        numbers(1, 3, 32, 32),
        scale=2,
        pretrained=False,
    )


def encodec() -> Networks:
    """A codec of sound, encoder and decoder."""
    yield net("encodec.modules", "SEANetEncoder", numbers(1, 1, 6400))
    yield net("encodec.modules", "SEANetDecoder", numbers(1, 128, 20))


LIBRARIES: dict[str, tuple[str, Callable[[], Networks]]] = {
    "pytorchcv": ("pytorchcv", pytorchcv),
    "segmentation_models_pytorch": ("segmentation-models-pytorch", segmentation_models_pytorch),
    "monai": ("monai", monai),
    "diffusers": ("diffusers", diffusers),
    "ultralytics": ("ultralytics", ultralytics),
    "open_clip": ("open_clip_torch", open_clip),
    "torchaudio": ("torchaudio", torchaudio),
    "speechbrain": ("speechbrain", speechbrain),
    "asteroid": ("asteroid", asteroid),
    "vit_pytorch": ("vit-pytorch", vit_pytorch),
    "x_transformers": ("x-transformers", x_transformers),
    "kornia": ("kornia", kornia),
    "resnest": ("resnest", resnest),
    "torch_geometric": ("torch-geometric", torch_geometric),
    "efficientnet_pytorch": ("efficientnet-pytorch", efficientnet_pytorch),
    "facenet_pytorch": ("facenet-pytorch", facenet_pytorch),
    "torchsr": ("torchsr", torchsr),
    "encodec": ("encodec", encodec),
}
