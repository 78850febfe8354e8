"""What a drawing writes about operators: short labels, counts, shapes, and how wide text is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cg_ir.graph import Node
from cg_ir.operators import OPERATORS

_SHORT = {
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "GroupNormalization": "GroupNorm",
    "InstanceNormalization": "InstanceNorm",
    "RMSNormalization": "RMSNorm",
    "GlobalAveragePool": "GlobalAvgPool",
    "AdaptiveAveragePool": "AdaptiveAvgPool",
    "AveragePool": "AvgPool",
}
_MAX_LABEL = 30
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def count(value: int) -> str:
    """A count in three digits: 950, 1.23k, 45.6M."""
    if value < 1000:
        return str(value)
    size = float(value)
    for unit in "kMGTPE":
        size /= 1000.0
        number = f"{size:.3g}"
        if float(number) < 1000:
            return number + unit
    return f"{size / 1000.0:.3g}Z"


def costs(params: int, macs: int) -> str:
    """Parameters and multiply-accumulates in short; nothing where there are none."""
    parts = []
    if params:
        parts.append(f"{count(params)} p")
    if macs:
        parts.append(f"{count(macs)} MACs")
    return " · ".join(parts)


def shape_text(shape: Sequence[int]) -> str:
    """A shape without its batch of one, 64×32×32."""
    sizes = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    return "×".join(map(str, sizes)) if sizes else "scalar"


def kind(op: str) -> str:
    """The colour group of an operator."""
    group = OPERATORS[op].kind
    return {
        "embedding": "matmul",
        "attention": "attention",
        "recurrent": "attention",
        "sink": "source",
        "elementwise": "join",
        "reduce": "pool",
        "pad": "layout",
        "resize": "layout",
        "gather": "layout",
    }.get(group, group)


def printable(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _number(value: float) -> str:
    return f"{value:g}"


def _times(values: Sequence[int]) -> str:
    return "×".join(map(str, values))


def _window(node: Node, attrs: dict[str, Any]) -> str:
    parts = [_times(attrs["kernel_shape"])]
    strides = attrs["strides"]
    if any(s != 1 for s in strides):
        parts.append("/" + (str(strides[0]) if len(set(strides)) == 1 else _times(strides)))
    dilations = attrs.get("dilations", ())
    if any(d != 1 for d in dilations):
        parts.append("dil " + (str(dilations[0]) if len(set(dilations)) == 1 else _times(dilations)))
    group = attrs.get("group", 1)
    if group > 1:
        channels = node.signature.input_shapes[0][1]
        parts.append("depthwise" if group == channels else f"{group} groups")
    return " ".join(parts)


def _bounds(attrs: dict[str, Any]) -> str:
    low, high = attrs["min"], attrs["max"]
    return f"{'' if low is None else _number(low)}…{'' if high is None else _number(high)}"


def _cuts(node: Node, attrs: dict[str, Any]) -> str:
    before = node.signature.input_shapes[0]
    parts = []
    for axis, size in enumerate(before):
        start, end, step = (attrs[k][axis] for k in ("starts", "ends", "steps"))
        if (start, end, step) != (0, size, 1):
            parts.append(f"[{start}:{end}{'' if step == 1 else f':{step}'}] axis {axis}")
    return ", ".join(parts)


def label(node: Node, numbers: Sequence[float] = ()) -> str:
    """The operator in a few words.

    Args:
        node: the node.
        numbers: constant scalars among its inputs, which are written instead of drawn.
    """
    attrs = node.attrs
    name = _SHORT.get(node.op, node.op)
    detail = ""
    if "kernel_shape" in attrs:
        detail = _window(node, attrs)
    elif node.op == "Custom":
        name = str(attrs["name"])
    elif node.op == "Clip":
        detail = _bounds(attrs)
    elif node.op == "Slice":
        detail = _cuts(node, attrs)
    elif node.op == "Transpose":
        detail = " ".join(map(str, attrs["perm"]))
    elif node.op in ("Reshape", "Expand", "Unsqueeze", "Squeeze", "Resize"):
        detail = ""
    elif node.op == "Constant":
        detail = _number(attrs["value"][0]) if len(attrs["value"]) == 1 else ""
    elif "axis" in attrs:
        detail = f"axis {attrs['axis']}"
    elif "axes" in attrs:
        detail = "all axes" if not attrs["axes"] else "axes " + " ".join(map(str, attrs["axes"]))
    else:
        given = {k: v for k, v in node.signature.items if k not in ("index", "dtype", "bias", "affine", "epsilon")}
        detail = " ".join(f"{k} {v}" for k, v in given.items() if isinstance(v, (int, float, str)))
        if node.op in ("Input", "Output", "Select") and attrs["index"]:
            detail = str(attrs["index"])
    detail = " ".join(part for part in (detail, *map(_number, numbers)) if part)
    text = f"{name} {detail}" if detail else name
    return text if len(text) <= _MAX_LABEL else text[: _MAX_LABEL - 1] + "…"


def describe(node: Node) -> str:
    """Everything about a node, for its tooltip."""
    lines = [f"{node.index}: {node.op}"]
    lines += [f"{key} = {_value(value)}" for key, value in node.signature.items]
    ins = ", ".join(_times(s) or "scalar" for s in node.signature.input_shapes)
    lines.append(f"{ins} → {_times(node.shape) or 'scalar'}" if ins else _times(node.shape) or "scalar")
    if node.params:
        lines.append(f"{node.params:,} parameters" + (f", shared as {node.weights}" if node.weights else ""))
    if node.macs:
        lines.append(f"{node.macs:,} MACs")
    if node.region:
        lines.append(node.region)
    return "\n".join(lines)


def _value(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else text[:119] + "…"


_NARROW = frozenset("ijlItfr.,:;'|!()[]/ -·")
_WIDE = frozenset("mwMWGOQ@%—…×")


def text_width(text: str, size: float) -> float:
    """Estimated width of a line in a sans-serif face of this size, in pixels; errs on the wide side."""
    ems = 0.0
    for letter in text:
        if letter in _NARROW:
            ems += 0.34
        elif letter in _WIDE:
            ems += 0.86
        elif letter.isupper():
            ems += 0.70
        else:
            ems += 0.58
    return ems * size
