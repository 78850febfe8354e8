"""Networks of libraries that this project does not list: converted, counted, round trips, outputs.

    python third_party.py run -o libraries.jsonl       # appends, and skips what the file already has

The libraries lie in a folder on PYTHONPATH (`nox -s conformance` installs them); one that cannot be imported is a row that says so. A row says
what `zoo.py` measures of a model, and how far the outputs of the network of `to_module` lie from the model's, with its weights.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn
from zoo import agreement, count, from_module_warmup, one_line, prepare, round_trip

from cg_frontends.pytorch import from_module
from cg_frontends.pytorch.structure import map_tensors

Build = Callable[[], "tuple[nn.Module, tuple[Any, ...], dict[str, Any]]"]
Networks = Iterator[tuple[str, Build]]
_SECONDS = 240
#: Networks of at most so many MACs run with weights.
_MOST_MACS = 2e9


class TooSlow(Exception):
    """A network took longer than allowed."""


def numbers(*shape: int) -> torch.Tensor:
    """A tensor of zeros, batch included; elements are drawn where they matter."""
    return torch.zeros(shape)


def tokens(*shape: int) -> torch.Tensor:
    """Numbers of words."""
    return torch.zeros(shape, dtype=torch.int64)


def made(module: str, name: str, *inputs: torch.Tensor, **options: Any) -> Build:
    """The call of a constructor, and what its network takes."""

    def build() -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        with contextlib.redirect_stdout(io.StringIO()):
            return getattr(import_module(module), name)(**options), inputs, {}

    return build


def each(module: str, names: str, *inputs: torch.Tensor, **options: Any) -> Networks:
    """Constructors that take the same."""
    for name in names.split():
        yield name, made(module, name, *inputs, **options)


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
        yield f"Unet({encoder})", made("segmentation_models_pytorch", "Unet", image, **options)


def monai() -> Networks:
    """Networks for images of two and three dimensions."""
    nets, flat, deep = "monai.networks.nets", numbers(1, 1, 64, 64), numbers(1, 1, 32, 32, 32)
    channels = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    unet = {**channels, "channels": (8, 16, 32), "strides": (2, 2)}
    yield from each(nets, "UNet AttentionUnet", deep, **unet)
    yield from each(nets, "BasicUNet HighResNet VNet SegResNet", deep, **channels)
    yield "UNETR", made(nets, "UNETR", deep, in_channels=1, out_channels=2, img_size=(32, 32, 32), feature_size=8)
    swin = numbers(1, 1, 64, 64, 64)
    yield "SwinUNETR", made(nets, "SwinUNETR", swin, in_channels=1, out_channels=2, feature_size=12)
    yield from each(nets, "DenseNet121 DenseNet169", flat, spatial_dims=2, in_channels=1, out_channels=2)
    yield from each(nets, "SEResNet50 SENet154", numbers(1, 3, 64, 64), spatial_dims=2, in_channels=3, num_classes=2)
    yield (
        "EfficientNetBN",
        made(nets, "EfficientNetBN", numbers(1, 3, 64, 64), model_name="efficientnet-b0", pretrained=False),
    )
    vit = {"in_channels": 1, "img_size": (64, 64), "patch_size": (16, 16), "spatial_dims": 2, "classification": True}
    yield "ViT", made(nets, "ViT", flat, **vit)
    yield (
        "AutoEncoder",
        made(
            nets, "AutoEncoder", flat, spatial_dims=2, in_channels=1, out_channels=1, channels=(8, 16), strides=(2, 2)
        ),
    )


def diffusers() -> Networks:
    """Denoisers and autoencoders in small sizes."""
    small = {"block_out_channels": (32, 64), "layers_per_block": 1}
    step = tokens(1)
    yield "UNet2DModel", made("diffusers", "UNet2DModel", numbers(1, 3, 32, 32), step, sample_size=32)
    blocks = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    text = numbers(1, 7, 32)
    options = {**small, **blocks, "cross_attention_dim": 32, "attention_head_dim": 8, "sample_size": 32}
    yield (
        "UNet2DConditionModel",
        made("diffusers", "UNet2DConditionModel", numbers(1, 4, 32, 32), step, text, **options),
    )
    coder = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2, **small}
    yield from each("diffusers", "AutoencoderKL VQModel", numbers(1, 3, 32, 32), **coder)
    yield "AutoencoderTiny", made("diffusers", "AutoencoderTiny", numbers(1, 3, 32, 32))
    dit = {
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "num_layers": 2,
        "in_channels": 4,
        "sample_size": 16,
        "patch_size": 2,
    }
    yield "DiTTransformer2DModel", made("diffusers", "DiTTransformer2DModel", numbers(1, 4, 16, 16), step, step, **dit)
    pixart = {**dit, "cross_attention_dim": 16, "caption_channels": 32, "norm_type": "ada_norm_single"}
    yield (
        "PixArtTransformer2DModel",
        made("diffusers", "PixArtTransformer2DModel", numbers(1, 4, 16, 16), text, step, **pixart),
    )
    sd3 = {"sample_size": 16, "num_layers": 2, "attention_head_dim": 8, "num_attention_heads": 2, "joint_attention_dim": 32,
           "caption_projection_dim": 16, "pooled_projection_dim": 24, "in_channels": 4, "out_channels": 4}  # fmt: skip
    inputs = (numbers(1, 4, 16, 16), text, numbers(1, 24), step)
    yield "SD3Transformer2DModel", made("diffusers", "SD3Transformer2DModel", *inputs, **sd3)


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
            yield name, made(tasks, task, numbers(1, 3, 128, 128), cfg=f"{name}.yaml", verbose=False)


def open_clip() -> Networks:
    """Image and text towers."""
    for name, size in (
        ("RN50", 224),
        ("ViT-B-32", 224),
        ("ViT-S-16-alt", 224),
        ("convnext_tiny", 224),
        ("coca_base", 288),
    ):
        yield (
            name,
            made(
                "open_clip",
                "create_model",
                numbers(1, 3, size, size),
                tokens(1, 76 if name == "coca_base" else 77),
                model_name=name,
                pretrained=None,
            ),
        )


def torchaudio() -> Networks:
    """Networks for speech and music."""
    models = "torchaudio.models"
    yield "ConvTasNet", made(models, "ConvTasNet", numbers(1, 1, 8000))
    yield "DeepSpeech", made(models, "DeepSpeech", numbers(1, 1, 50, 40), n_feature=40)
    yield "Wav2Letter", made(models, "Wav2Letter", numbers(1, 1, 8000), input_type="waveform", num_features=1)
    yield "HDemucs", made(models, "HDemucs", numbers(1, 2, 44100), sources=["drums", "bass"], channels=16)
    yield "wav2vec2_base", made(models, "wav2vec2_base", numbers(1, 16000))
    yield "hubert_base", made(models, "hubert_base", numbers(1, 16000))
    yield "wavlm_base", made(models, "wavlm_base", numbers(1, 16000))
    wave = {"upsample_scales": [5, 5, 8], "n_classes": 64, "hop_length": 200, "n_rnn": 32, "n_fc": 32, "n_freq": 40}
    yield "WaveRNN", made(models, "WaveRNN", numbers(1, 1, 1200), numbers(1, 1, 40, 10), **wave)
    conformer = {"input_dim": 40, "num_heads": 4, "ffn_dim": 64, "num_layers": 2, "depthwise_conv_kernel_size": 31}
    yield "Conformer", made(models, "Conformer", numbers(1, 100, 40), torch.full((1,), 100), **conformer)
    yield "SquimObjective", made(models, "squim_objective_base", numbers(1, 16000))
    yield "MelSpectrogram", made("torchaudio.transforms", "MelSpectrogram", numbers(1, 16000))
    yield "MFCC", made("torchaudio.transforms", "MFCC", numbers(1, 16000))


def speechbrain() -> Networks:
    """Speaker embeddings, recognisers and separators."""
    lobes = "speechbrain.lobes.models"
    sound = numbers(1, 100, 40)
    yield "ECAPA_TDNN", made(f"{lobes}.ECAPA_TDNN", "ECAPA_TDNN", sound, input_size=40)
    yield "Xvector", made(f"{lobes}.Xvector", "Xvector", sound, in_channels=40)
    yield "CRDNN", made(f"{lobes}.CRDNN", "CRDNN", sound, input_shape=[1, 100, 40])
    yield "ContextNet", made(f"{lobes}.ContextNet", "ContextNet", sound, input_shape=[1, 100, 40])
    yield (
        "ConvTasNet",
        made(
            f"{lobes}.conv_tasnet",
            "MaskNet",
            numbers(1, 16, 100),
            N=16,
            B=8,
            H=16,
            P=3,
            X=2,
            R=2,
            C=2,
            norm_type="gLN",
            causal=False,
        ),
    )
    yield "ResNet", made(f"{lobes}.ResNet", "ResNet", sound, input_size=40, channels=[16, 16, 32, 32])
    yield "L2I", made(f"{lobes}.L2I", "Psi", numbers(1, 16, 16), n_comp=10)


def asteroid() -> Networks:
    """Separators of sources."""
    wave = numbers(1, 1, 4000)
    yield "ConvTasNet", made("asteroid.models", "ConvTasNet", wave, n_src=2, n_blocks=2, n_repeats=2)
    yield "DPRNNTasNet", made("asteroid.models", "DPRNNTasNet", wave, n_src=2, n_repeats=2)
    yield "DPTNet", made("asteroid.models", "DPTNet", wave, n_src=2, n_repeats=1)
    yield "SuDORMRFNet", made("asteroid.models", "SuDORMRFNet", wave, n_src=2, num_blocks=2)
    yield "SuDORMRFImprovedNet", made("asteroid.models", "SuDORMRFImprovedNet", wave, n_src=2, num_blocks=2)
    yield "DCUNet", made("asteroid.models", "DCUNet", numbers(1, 1, 16000), architecture="DCUNet-10")
    yield "DCCRNet", made("asteroid.models", "DCCRNet", numbers(1, 1, 16000), architecture="DCCRN-CL")
    yield "DeMask", made("asteroid.models", "DeMask", wave)
    yield "LSTMTasNet", made("asteroid.models", "LSTMTasNet", wave, n_src=2, hid_size=64, n_layers=2)


def vit_pytorch() -> Networks:
    """Vision transformers by their papers."""
    image = numbers(1, 3, 64, 64)
    plain = {"image_size": 64, "patch_size": 16, "num_classes": 10, "dim": 64, "depth": 2, "heads": 4, "mlp_dim": 128}
    yield from each("vit_pytorch", "ViT SimpleViT", image, **plain)
    yield "CaiT", made("vit_pytorch.cait", "CaiT", image, **plain, cls_depth=1)
    yield "DeepViT", made("vit_pytorch.deepvit", "DeepViT", image, **plain)
    yield "ParallelViT", made("vit_pytorch.parallel_vit", "ViT", image, **plain, num_parallel_branches=2)
    yield "RvT", made("vit_pytorch.rvt", "RvT", image, **plain)
    yield (
        "PatchMergingViT",
        made("vit_pytorch.vit_with_patch_merger", "ViT", image, **plain, patch_merge_layer=1, patch_merge_num_tokens=4),
    )
    yield (
        "PiT",
        made(
            "vit_pytorch.pit",
            "PiT",
            image,
            image_size=64,
            patch_size=14,
            num_classes=10,
            dim=64,
            depth=(1, 1),
            heads=2,
            mlp_dim=64,
        ),
    )
    yield (
        "LeViT",
        made(
            "vit_pytorch.levit",
            "LeViT",
            numbers(1, 3, 224, 224),
            image_size=224,
            num_classes=10,
            stages=3,
            dim=(32, 48, 64),
            depth=1,
            heads=(2, 3, 4),
            mlp_mult=2,
        ),
    )
    yield "CvT", made("vit_pytorch.cvt", "CvT", image, num_classes=10)
    yield "TwinsSVT", made("vit_pytorch.twins_svt", "TwinsSVT", numbers(1, 3, 224, 224), num_classes=10)
    yield (
        "RegionViT",
        made(
            "vit_pytorch.regionvit",
            "RegionViT",
            numbers(1, 3, 224, 224),
            dim=(32, 48, 64, 96),
            depth=(1, 1, 1, 1),
            num_classes=10,
        ),
    )
    yield (
        "CrossFormer",
        made(
            "vit_pytorch.crossformer",
            "CrossFormer",
            numbers(1, 3, 224, 224),
            dim=(32, 48, 64, 96),
            depth=(1, 1, 1, 1),
            num_classes=10,
        ),
    )
    yield (
        "ScalableViT",
        made(
            "vit_pytorch.scalable_vit",
            "ScalableViT",
            numbers(1, 3, 256, 256),
            num_classes=10,
            dim=32,
            heads=(2, 4, 4, 4),
            depth=(1, 1, 1, 1),
            ssa_dim_key=(16,) * 4,
            reduction_factor=(8, 4, 2, 1),
            window_size=(64, 32, None, None),
        ),
    )
    yield (
        "SepViT",
        made(
            "vit_pytorch.sep_vit",
            "SepViT",
            numbers(1, 3, 224, 224),
            num_classes=10,
            dim=32,
            dim_head=16,
            heads=(1, 2, 4, 8),
            depth=(1, 1, 1, 1),
            window_size=7,
        ),
    )
    yield (
        "MaxViT",
        made(
            "vit_pytorch.max_vit",
            "MaxViT",
            numbers(1, 3, 224, 224),
            num_classes=10,
            dim=32,
            dim_head=16,
            depth=(1, 1),
            window_size=7,
        ),
    )
    yield (
        "MobileViT",
        made(
            "vit_pytorch.mobile_vit",
            "MobileViT",
            numbers(1, 3, 256, 256),
            image_size=(256, 256),
            dims=[96, 120, 144],
            channels=[16, 32, 48, 48, 64, 64, 80, 80, 96, 96, 384],
            num_classes=10,
        ),
    )
    yield (
        "XCiT",
        made(
            "vit_pytorch.xcit",
            "XCiT",
            image,
            image_size=64,
            patch_size=16,
            num_classes=10,
            dim=64,
            depth=2,
            cls_depth=1,
            heads=4,
            mlp_dim=64,
        ),
    )
    yield (
        "ViViT",
        made(
            "vit_pytorch.vivit",
            "ViT",
            numbers(1, 3, 4, 64, 64),
            image_size=64,
            frames=4,
            image_patch_size=16,
            frame_patch_size=2,
            num_classes=10,
            dim=64,
            spatial_depth=1,
            temporal_depth=1,
            heads=4,
            mlp_dim=64,
        ),
    )


def x_transformers() -> Networks:
    """Encoders and decoders with the options of many papers."""
    module = import_module("x_transformers")
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

        def build(options: dict[str, Any] = options) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
            layers = module.Decoder(dim=64, depth=2, heads=4, **options)
            return module.TransformerWrapper(num_tokens=200, max_seq_len=64, attn_layers=layers), (tokens(1, 32),), {}

        yield name, build

    def image() -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        layers = module.Encoder(dim=64, depth=2, heads=4)
        return (
            module.ViTransformerWrapper(image_size=64, patch_size=16, num_classes=10, attn_layers=layers),
            (numbers(1, 3, 64, 64),),
            {},
        )

    yield "ViTransformerWrapper", image


def kornia() -> Networks:
    """Descriptors of patches, detectors, backbones."""
    yield from each("kornia.feature", "HardNet HyNet TFeat SOSNet HardNet8", numbers(1, 1, 32, 32), pretrained=False)
    yield "DISK", made("kornia.feature", "DISK", numbers(1, 3, 64, 64))
    yield "DexiNed", made("kornia.filters", "DexiNed", numbers(1, 3, 64, 64), pretrained=False)
    yield (
        "VisionTransformer",
        made(
            "kornia.contrib",
            "VisionTransformer",
            numbers(1, 3, 64, 64),
            image_size=64,
            embed_dim=64,
            depth=2,
            num_heads=4,
        ),
    )
    yield "MobileViT", made("kornia.contrib", "MobileViT", numbers(1, 3, 256, 256), mode="xxs")
    yield "Gaussian and Sobel", lambda: (nn.Sequential(
        import_module("kornia.filters").GaussianBlur2d((5, 5), (1.5, 1.5)), import_module("kornia.filters").Sobel(),
    ), (numbers(1, 3, 32, 32),), {})  # fmt: skip


def resnest() -> Networks:
    """Split attention."""
    yield from each("resnest.torch", "resnest50 resnest101 resnest200", numbers(1, 3, 224, 224), pretrained=False)


def torch_geometric() -> Networks:
    """Message passing over a fixed number of edges."""
    nodes, edges = numbers(10, 8), torch.stack([torch.arange(20) % 10, (torch.arange(20) * 3 + 1) % 10])
    options = {"in_channels": 8, "hidden_channels": 16, "num_layers": 2, "out_channels": 4}
    yield from each("torch_geometric.nn", "GCN GraphSAGE GIN GAT", nodes, edges, **options)
    yield "MLP", made("torch_geometric.nn", "MLP", nodes, **options)


def efficientnet_pytorch() -> Networks:
    """Two sizes."""
    for name in ("efficientnet-b0", "efficientnet-b3"):

        def build(name: str = name) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
            return import_module("efficientnet_pytorch").EfficientNet.from_name(name), (numbers(1, 3, 224, 224),), {}

        yield name, build


def facenet_pytorch() -> Networks:
    """The embedding, and the three networks of the detector."""
    yield (
        "InceptionResnetV1",
        made("facenet_pytorch", "InceptionResnetV1", numbers(1, 3, 160, 160), pretrained=None, classify=False),
    )
    for name, size in (("PNet", 24), ("RNet", 24), ("ONet", 48)):
        yield name, made("facenet_pytorch.models.mtcnn", name, numbers(1, 3, size, size), pretrained=False)


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
    yield "SEANetEncoder", made("encodec.modules", "SEANetEncoder", numbers(1, 1, 6400))
    yield "SEANetDecoder", made("encodec.modules", "SEANetDecoder", numbers(1, 128, 20))


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


def examine(name: str, build: Build) -> dict[str, Any]:
    """One row. Networks are built with elements: some compute strides or windows while they are built."""
    row: dict[str, Any] = {"name": name}
    try:
        model, args, kwargs = build()
    except Exception as error:
        return {**row, "built": False, "error": one_line(error)}
    model.eval()
    row["parameters"] = sum(p.numel() for p in model.parameters())
    start = time.perf_counter()
    try:
        graph = from_module(model, *args, name=name, **kwargs)
    except Exception as error:
        return {**row, "converted": False, "error": one_line(error)}
    customs = Counter(str(node.attrs["name"]) for node in graph.nodes if node.op == "Custom")
    row.update(
        converted=True, seconds=time.perf_counter() - start, nodes=len(graph), macs=graph.macs, custom=dict(customs),
        equal=graph.params + graph.extras.get("unused_parameters", 0) == row["parameters"],
    )  # fmt: skip
    with contextlib.suppress(Exception):  # what computes with its elements while it runs
        row["counted"] = count(copy.deepcopy(model).to("meta"), *map_tensors((args, kwargs), lambda t: t.to("meta")))
    if not customs:
        try:
            row["round_trip"] = round_trip(graph, args, kwargs)
        except Exception as error:
            row["round_trip_error"] = one_line(error)
        if graph.macs <= _MOST_MACS:
            row |= agreement(name, build)
    return row


def run(arguments: argparse.Namespace) -> None:
    """Examine every network of every library; append a JSON line each."""

    def stop(*_: Any) -> None:
        raise TooSlow(f"longer than {_SECONDS} s of processor time")

    done = prepare(arguments.output)
    from_module_warmup()
    signal.signal(signal.SIGPROF, stop)
    with arguments.output.open("a") as file:
        for library, version, network, build in in_turn(arguments.only):
            name = f"{library}/{network}"
            if name in done:
                continue
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    row = examine(name, build)
            except TooSlow as error:
                row = {"name": name, "built": False, "error": one_line(error)}
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            file.write(json.dumps({"library": library, "version": version, **row}) + "\n")
            file.flush()
            found = row.get("difference", row.get("difference_error", row.get("custom")))
            print(f"{name}: {row.get('error') or found}", file=sys.stderr)


def in_turn(only: str) -> Iterator[tuple[str, str, str, Build]]:
    """Library, version, network and its constructor: the first network of each library, then the second, so that a run that is stopped has seen all."""
    listed: dict[str, tuple[str, list[tuple[str, Build]]]] = {}
    for library, (distribution, networks) in LIBRARIES.items():
        if only in ("", library):
            try:
                listed[library] = metadata.version(distribution), list(networks())
            except Exception as error:
                print(f"{library}: {one_line(error)}", file=sys.stderr)
    for place in range(max((len(found) for _, found in listed.values()), default=0)):
        for library, (version, found) in listed.items():
            if place < len(found):
                yield library, version, *found[place]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run",))
    parser.add_argument("--only", default="", help="one library")
    parser.add_argument("-o", "--output", type=Path, required=True)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
