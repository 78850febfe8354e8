"""The transformers configurations of the zoo: config classes with their defaults, and the inputs that their models take."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["CONFIGURATIONS", "build_model"]

_TOKENS = 128


def _ids(length: int = _TOKENS) -> dict[str, Any]:
    return {"input_ids": torch.zeros((1, length), dtype=torch.int64, device="meta")}


def _both() -> dict[str, Any]:
    ids = torch.zeros((1, _TOKENS), dtype=torch.int64, device="meta")
    return {"input_ids": ids, "decoder_input_ids": ids.clone()}


def _pixels(config: Any) -> dict[str, Any]:
    size = getattr(config, "image_size", None) or 224
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = getattr(config, "num_channels", 3)
    return {"pixel_values": torch.empty((1, channels, height, width), device="meta")}


def _wave() -> dict[str, Any]:
    return {"input_values": torch.empty((1, 16000), device="meta")}


#: Model class, and what it takes: tokens, tokens for encoder and decoder, pixels, a second of sound.
CONFIGURATIONS: dict[str, tuple[str, str]] = {
    "Albert": ("AlbertModel", "ids"),
    "Bart": ("BartModel", "both"),
    "Beit": ("BeitForImageClassification", "pixels"),
    "Bert": ("BertModel", "ids"),
    "BigBird": ("BigBirdModel", "ids"),
    "Bloom": ("BloomForCausalLM", "ids"),
    "CLIPText": ("CLIPTextModel", "ids77"),
    "CLIPVision": ("CLIPVisionModel", "pixels"),
    "ConvBert": ("ConvBertModel", "ids"),
    "ConvNext": ("ConvNextForImageClassification", "pixels"),
    "ConvNextV2": ("ConvNextV2ForImageClassification", "pixels"),
    "Deberta": ("DebertaModel", "ids"),
    "DebertaV2": ("DebertaV2Model", "ids"),
    "DeiT": ("DeiTForImageClassification", "pixels"),
    "Dinov2": ("Dinov2ForImageClassification", "pixels"),
    "DistilBert": ("DistilBertModel", "ids"),
    "DPT": ("DPTForDepthEstimation", "pixels"),
    "Electra": ("ElectraModel", "ids"),
    "Falcon": ("FalconForCausalLM", "ids"),
    "FNet": ("FNetModel", "ids512"),
    "Gemma": ("GemmaForCausalLM", "ids"),
    "GPT2": ("GPT2LMHeadModel", "ids"),
    "GPTNeo": ("GPTNeoForCausalLM", "ids"),
    "GPTNeoX": ("GPTNeoXForCausalLM", "ids"),
    "GPTJ": ("GPTJForCausalLM", "ids"),
    "Hubert": ("HubertModel", "wave"),
    "Llama": ("LlamaForCausalLM", "ids"),
    "Marian": ("MarianMTModel", "both"),
    "Mistral": ("MistralForCausalLM", "ids"),
    "MobileBert": ("MobileBertModel", "ids"),
    "MobileViT": ("MobileViTForImageClassification", "pixels"),
    "MPNet": ("MPNetModel", "ids"),
    "OPT": ("OPTForCausalLM", "ids"),
    "Phi": ("PhiForCausalLM", "ids"),
    "Qwen2": ("Qwen2ForCausalLM", "ids"),
    "RegNet": ("RegNetForImageClassification", "pixels224"),
    "ResNet": ("ResNetForImageClassification", "pixels224"),
    "Roberta": ("RobertaModel", "ids"),
    "Segformer": ("SegformerForSemanticSegmentation", "pixels"),
    "Swin": ("SwinForImageClassification", "pixels"),
    "Swinv2": ("Swinv2ForImageClassification", "pixels"),
    "T5": ("T5Model", "both"),
    "ViT": ("ViTForImageClassification", "pixels"),
    "Wav2Vec2": ("Wav2Vec2Model", "wave"),
    "XLNet": ("XLNetModel", "ids"),
    "Yolos": ("YolosForObjectDetection", "pixels"),
}


def build_model(name: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """The model of ``<name>Config()`` with random weights, and its inputs as keyword arguments."""
    import transformers

    model_class, kind = CONFIGURATIONS[name]
    config = getattr(transformers, f"{name}Config")()
    model = getattr(transformers, model_class)(config)
    if kind.startswith("ids"):
        inputs = _ids(int(kind[3:] or _TOKENS))
    elif kind == "both":
        inputs = _both()
    elif kind == "wave":
        inputs = _wave()
    elif kind == "pixels224":
        inputs = {"pixel_values": torch.empty((1, 3, 224, 224), device="meta")}
    else:
        inputs = _pixels(config)
    if getattr(config, "use_cache", False):
        inputs["use_cache"] = False
    return model, (), inputs
