"""Constructor calls of operators that own weights, their whole numbers kept apart so that a class can take them as arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cg_ir.graph import Node

__all__ = ["LAYER_NAMES", "Number", "Template", "layer", "number_list"]


@dataclass(frozen=True)
class Number:
    """A whole number of a template.

    Attributes:
        role: name that it has as an argument.
        value: the number.
    """

    role: str
    value: int


#: Source text whose numbers may differ from one use of a class to the next.
Template = tuple["str | Number", ...]

#: What an attribute that holds an operator is called.
LAYER_NAMES = {
    "Conv": "conv",
    "ConvTranspose": "upconv",
    "Gemm": "linear",
    "ExpertGemm": "experts",
    "Embedding": "embedding",
    "BatchNormalization": "norm",
    "InstanceNormalization": "norm",
    "GroupNormalization": "norm",
    "LayerNormalization": "norm",
    "RMSNormalization": "norm",
    "PRelu": "prelu",
    "LSTM": "lstm",
    "GRU": "gru",
    "RNN": "rnn",
    "Parameter": "parameter",
    "Constant": "constant",
}


def number_list(values: Sequence[int], role: str) -> Template:
    """One number where all are equal, else a tuple."""
    if len(set(values)) == 1:
        return (Number(role, values[0]),)
    return ("(" + ", ".join(map(str, values)) + ")",)


def _optional(name: str, values: Sequence[int], default: int) -> Template:
    if all(v == default for v in values):
        return ()
    return (f", {name}=", *number_list(values, name))


def _flag(name: str, value: Any, default: Any) -> Template:
    return () if value == default else (f", {name}={value!r}",)


def even(pads: Sequence[int]) -> bool:
    """Whether begins and ends are alike."""
    half = len(pads) // 2
    return tuple(pads[:half]) == tuple(pads[half:])


def _conv(node: Node) -> Template:
    a, dims = node.attrs, len(node.attrs["kernel_shape"])
    channels = node.signature.input_shapes[0][1]
    name = "Conv" if node.op == "Conv" else "ConvTranspose"
    result: Template = (
        f"nn.{name}{dims}d(",
        Number("in_channels", channels),
        ", ",
        Number("out_channels", node.shape[1]),
        ", ",
        *number_list(a["kernel_shape"], "kernel_size"),
        *_optional("stride", a["strides"], 1),
    )
    if even(a["pads"]):
        result += _optional("padding", a["pads"][:dims], 0)
    if "output_padding" in a:
        result += _optional("output_padding", a["output_padding"], 0)
    result += _optional("dilation", a["dilations"], 1)
    if a["group"] > 1:
        result += (", groups=", Number("groups", a["group"]))
    return (*result, *_flag("bias", a["bias"], True), ")")


def _linear(node: Node) -> Template:
    width = node.signature.input_shapes[0][-1]
    ends = _flag("bias", node.attrs["bias"], True)
    return ("nn.Linear(", Number("in_features", width), ", ", Number("out_features", node.shape[-1]), *ends, ")")


def _experts(node: Node) -> Template:
    shape = f"{node.attrs['num_experts']}, {node.shape[-1]}, {node.signature.input_shapes[0][-1]}"
    return (f"nn.Parameter(nn.init.trunc_normal_(torch.empty({shape}), std=0.02))",)


def _embedding(node: Node) -> Template:
    count = Number("num_embeddings", node.attrs["num_embeddings"])
    return ("nn.Embedding(", count, ", ", Number("embedding_dim", node.shape[-1]), ")")


def _norm(node: Node) -> Template:
    a, rank = node.attrs, len(node.shape)
    kind = "BatchNorm" if node.op == "BatchNormalization" else "InstanceNorm"
    ends = (*_flag("eps", a["epsilon"], 1e-5), *_flag("affine", a["affine"], kind == "BatchNorm"))
    return (f"nn.{kind}{max(rank - 2, 1)}d(", Number("channels", node.shape[1]), *ends, ")")


def _group_norm(node: Node) -> Template:
    a = node.attrs
    ends = (*_flag("eps", a["epsilon"], 1e-5), *_flag("affine", a["affine"], True))
    groups, channels = Number("num_groups", a["num_groups"]), Number("channels", node.shape[1])
    return ("nn.GroupNorm(", groups, ", ", channels, *ends, ")")


def _layer_norm(node: Node) -> Template:
    a = node.attrs
    name = "LayerNorm" if node.op == "LayerNormalization" else "RMSNorm"
    ends = (
        *_flag("eps", a["epsilon"], 1e-5 if name == "LayerNorm" else None),
        *_flag("elementwise_affine", a["affine"], True),
    )
    shape = node.shape[a["axis"] :]
    size = (Number("features", shape[0]),) if len(shape) == 1 else ("[" + ", ".join(map(str, shape)) + "]",)
    return (f"nn.{name}(", *size, *ends, *_flag("bias", a.get("bias", True), True), ")")


def _prelu(node: Node) -> Template:
    return ("nn.PReLU(", Number("channels", node.attrs["num_parameters"]), ")")


def _recurrent(node: Node) -> Template:
    a = node.attrs
    ends: Template = (*_flag("num_layers", a["num_layers"], 1), *_flag("bias", a["bias"], True))
    for name in ("batch_first", "bidirectional"):
        ends += _flag(name, a[name], False)
    ends += _flag("proj_size", a.get("proj_size", 0), 0) + _flag("nonlinearity", a.get("nonlinearity", "tanh"), "tanh")
    width, hidden = Number("input_size", node.signature.input_shapes[0][-1]), Number("hidden_size", a["hidden_size"])
    return (f"nn.{node.op}(", width, ", ", hidden, *ends, ")")


def _parameter(node: Node) -> Template:
    shape = ", ".join(map(str, node.shape))
    return (f"nn.Parameter(nn.init.trunc_normal_(torch.empty({shape}), std=0.02))",)


_LAYERS: dict[str, Callable[[Node], Template]] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Gemm": _linear,
    "ExpertGemm": _experts,
    "Embedding": _embedding,
    "BatchNormalization": _norm,
    "InstanceNormalization": _norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm,
    "PRelu": _prelu,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Parameter": _parameter,
}


def layer(node: Node) -> Template | None:
    """The call that makes what the node owns, None where it owns nothing."""
    make = _LAYERS.get(node.op)
    if make is None or (node.op in ("Conv", "ConvTranspose") and len(node.inputs) > 1):
        return None
    return make(node)
