"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, Attribute
from cg_ir.operators.batch import Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, need_axis, same_with_axis
from cg_ir.operators.torch_text import Call, Number, Template, axis_count, flag


def channels_first_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A normalisation over channels, axis 1."""
    if len(ins[0]) < 2:
        raise GraphError(f"an input of shape {list(ins[0])} has no channels")
    group = attrs.get("num_groups", 1)
    if ins[0][1] % group:
        raise GraphError(f"{ins[0][1]} channels do not divide into {group} groups")
    return ins[0]


def trailing_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A normalisation over the axes from ``axis`` to the last."""
    need_axis(attrs["axis"], len(ins[0]))
    return ins[0]


def channel_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """Scale and shift for each channel."""
    return dict.fromkeys(("scale", "bias"), ins[0][1:2]) if attrs["affine"] else {}


def batch_norm_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """Scale and shift for each channel."""
    return {**channel_tensors(ins, attrs, out), **dict.fromkeys(("running_mean", "running_var"), ins[0][1:2])}


def trailing_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """Scale, and shift where there is one, over the normalised axes."""
    names = ("scale", "bias") if attrs.get("bias", False) else ("scale",)
    return dict.fromkeys(names, ins[0][attrs["axis"] :]) if attrs["affine"] else {}


def batch_norm_layer(use: Use) -> Template:
    """BatchNorm or InstanceNorm over as many spatial axes as there are."""
    a, batched = use.attrs, use.op == "BatchNormalization"
    rank = axis_count(len(use.shape), (2, 3, 4, 5) if batched else (3, 4, 5), use.op)
    ends = (*flag("eps", a["epsilon"], 1e-5), *flag("affine", a["affine"], batched))
    return (f"nn.{use.op.removesuffix('alization')}{max(rank - 2, 1)}d(", Number("channels", use.shape[1]), *ends, ")")


def group_norm_layer(use: Use) -> Template:
    a = use.attrs
    sizes = Number("num_groups", a["num_groups"]), ", ", Number("channels", use.shape[1])
    return ("nn.GroupNorm(", *sizes, *flag("eps", a["epsilon"], 1e-5), *flag("affine", a["affine"], True), ")")


def layer_norm_layer(use: Use) -> Template:
    """LayerNorm or RMSNorm."""
    a, shape = use.attrs, use.shape[use.attrs["axis"] :]
    size = Number("features", shape[0]) if len(shape) == 1 else f"[{', '.join(map(str, shape))}]"
    eps = flag("eps", a["epsilon"], 1e-5 if use.op == "LayerNormalization" else None)
    ends = (*eps, *flag("elementwise_affine", a["affine"], True), *flag("bias", a.get("bias", True), True))
    return (f"nn.{use.op.removesuffix('alization')}(", size, *ends, ")")


def lrn_torch(call: Call) -> str:
    flat = len(call.shape) == 2
    x = "{x}.unsqueeze(2)" if flat else "{x}"
    return call.fill(f"F.local_response_norm({x}, {{size}}, {{alpha}}, {{beta}}, {{k}})" + (".squeeze(2)" if flat else ""))  # fmt: skip


def _affine(e: Emitter, node: Node, shape: Sequence[int]) -> tuple[str, str]:
    scale, bias = e.weight(node, "weight", "scale"), e.weight(node, "bias")
    return scale or e.tensor(np.ones(shape, dtype=np.float32)), bias or e.tensor(np.zeros(shape, dtype=np.float32))


def batch_norm_onnx(e: Emitter, node: Node) -> str:
    """BatchNormalization, or InstanceNormalization, which has no running statistics."""
    inputs = [e.source(node), *_affine(e, node, node.shape[1:2])]
    if node.op == "BatchNormalization":
        inputs += [e.weight(node, name) or "" for name in ("running_mean", "running_var")]
    return e.op(node.op, *inputs, epsilon=node.attrs["epsilon"])


def group_norm_onnx(e: Emitter, node: Node) -> str:
    groups, shape = node.attrs["num_groups"], node.shape
    flat = e.reshape(e.source(node), (shape[0], groups, -1))
    ones, zeros = np.ones(groups, dtype=np.float32), np.zeros(groups, dtype=np.float32)
    normal = e.op("InstanceNormalization", flat, e.tensor(ones), e.tensor(zeros), epsilon=node.attrs["epsilon"])
    result = e.reshape(normal, shape)
    if not node.attrs["affine"]:
        return result
    wide = (1, shape[1], *(1,) * (len(shape) - 2))
    scale, bias = (e.reshape(w, wide) for w in _affine(e, node, shape[1:2]))
    return e.op("Add", e.op("Mul", result, scale), bias)


def layer_norm_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    shape = node.shape[a["axis"] :]
    return e.op("LayerNormalization", e.source(node), *_affine(e, node, shape), axis=a["axis"], epsilon=a["epsilon"])


def rms_norm_onnx(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    axes = e.ints(range(a["axis"], len(node.shape)))
    mean = e.op("ReduceMean", e.op("Mul", x, x), axes, keepdims=1)
    result = e.op("Div", x, e.op("Sqrt", e.op("Add", mean, e.number(a["epsilon"]))))
    scale = e.weight(node, "weight", "scale")
    return e.op("Mul", result, scale) if scale else result


def lrn_onnx(e: Emitter, node: Node) -> str | None:
    a, shape = node.attrs, node.shape
    if a["size"] % 2 == 0 or len(shape) > 4:
        return None
    x = e.source(node) if len(shape) == 4 else e.reshape(e.source(node), (*shape, *(1,) * (4 - len(shape))))
    result = e.op("LRN", x, size=a["size"], alpha=a["alpha"], beta=a["beta"], bias=a["k"])
    return result if len(shape) == 4 else e.reshape(result, shape)


def lp_norm_onnx(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    axes = e.ints([a["axis"]])
    if a["p"] in (1, 2):
        norm = e.op(f"ReduceL{a['p']}", x, axes, keepdims=1)
    else:
        total = e.op("ReduceSum", e.op("Pow", e.op("Abs", x), e.number(a["p"])), axes, keepdims=1)
        norm = e.op("Pow", total, e.number(1.0 / a["p"]))
    return e.op("Div", x, e.op("Max", norm, e.number(a["epsilon"])))


_EPSILON = Attribute("float", 1e-5, doc="added to the variance")
_AFFINE = Attribute("bool", True, doc="whether scale and shift are learned")
_BY_CHANNEL = {"epsilon": _EPSILON, "affine": _AFFINE}
_LAYER: dict[str, Any] = {"owned": "norm", "torch": "{own}({x})"}
_CHANNELS: dict[str, Any] = {"batch": batch.leading, **_LAYER}
_TRAILING: dict[str, Any] = {
    "tensors": trailing_tensors,
    "batch": batch.unless(lambda attrs, rank: range(attrs["axis"], rank)),
    **_LAYER,
}
NORMALISATIONS = [
    Operator(
        "BatchNormalization", "norm", (1, 1), channels_first_shape, "Normalisation of each channel by running statistics.",
        attributes=_BY_CHANNEL, tensors=batch_norm_tensors, owns=batch_norm_layer, to_onnx=batch_norm_onnx, **_CHANNELS,
    ),
    Operator(
        "InstanceNormalization", "norm", (1, 1), channels_first_shape, "Normalisation of each channel of each example.",
        attributes=_BY_CHANNEL, tensors=channel_tensors, owns=batch_norm_layer, to_onnx=batch_norm_onnx, **_CHANNELS,
    ),
    Operator(
        "GroupNormalization", "norm", (1, 1), channels_first_shape, "Normalisation of groups of channels.",
        attributes={"num_groups": Attribute("int", minimum=1, doc="number of groups"), **_BY_CHANNEL},
        tensors=channel_tensors, owns=group_norm_layer, to_onnx=group_norm_onnx, **_CHANNELS,
    ),
    Operator(
        "LayerNormalization", "norm", (1, 1), trailing_shape, "Normalisation over the axes from `axis` to the last.",
        attributes={"axis": AXIS, **_BY_CHANNEL, "bias": Attribute("bool", True, doc="whether a shift is learned beside the scale")},
        owns=layer_norm_layer, to_onnx=layer_norm_onnx, **_TRAILING,
    ),
    Operator(
        "RMSNormalization", "norm", (1, 1), trailing_shape, "Division by the root mean square over the axes from `axis` to the last.",
        attributes={"axis": AXIS, **_BY_CHANNEL}, owns=layer_norm_layer, to_onnx=rms_norm_onnx, **_TRAILING,
    ),
    Operator(
        "LRN", "norm", (1, 1), channels_first_shape, "Local response normalisation over channels.",
        attributes={
            "size": Attribute("int", minimum=1, doc="channels in a window"),
            "alpha": Attribute("float", 1e-4, doc="scale"),
            "beta": Attribute("float", 0.75, doc="exponent"),
            "k": Attribute("float", 1.0, doc="added to the sum"),
        },
        batch=batch.leading, torch=lrn_torch, to_onnx=lrn_onnx,
    ),
    Operator(
        "LpNormalization", "norm", (1, 1), same_with_axis, "Division by the p-norm along an axis.",
        attributes={
            "axis": AXIS,
            "p": Attribute("int", 2, minimum=1, doc="the norm"),
            "epsilon": Attribute("float", 1e-12, doc="least divisor"),
        },
        batch=batch.along, torch="F.normalize({x}, p={p}, dim={axis}, eps={epsilon})", to_onnx=lp_norm_onnx,
    ),
]  # fmt: skip
