"""Activations, arithmetic, comparisons, conversions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cg_frontends.lowering.tape import Value
from cg_frontends.onnx_.importer import READINGS, Importer, reads
from cg_frontends.onnx_.operation import Operation, dtype_name
from cg_ir.operators import OPERATORS
from cg_ir.operators.shapes import same

_UNARY = (
    *(o.name for o in OPERATORS.values() if o.onnx and o.to_onnx is None and o.shape is same and not o.attributes),
    *("Not", "Softplus"),
)
_BINARY = (
    "Add", "Sub", "Mul", "Pow", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Max", "Min", "Where",
)  # fmt: skip
_FLOATS = ("float32", "float16", "float64", "bfloat16")
_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _unary(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0))


def _binary(im: Importer, o: Operation) -> Any:
    if len(o.inputs) == 1:
        return [o.input(0)]
    if o.op in ("Add", "Mul"):
        return im.add(o.op, *im.operands([im.own(v) for v in o.inputs]))
    if o.op == "Pow" and o.dtype(0) in _WHOLE and o.dtype(1) not in _WHOLE:
        return im.add("Cast", im.add("Pow", *im.operands(o.inputs)), to=o.dtype(0))
    return im.add(o.op, *im.operands(o.inputs))


READINGS.update(dict.fromkeys(_UNARY, _unary))
READINGS.update(dict.fromkeys(_BINARY, _binary))


@reads("Div")
def div(im: Importer, o: Operation) -> Any:
    whole: dict[str, Any] = {"rounding": "trunc"} if o.dtype(0) in _WHOLE else {}
    return im.add("Div", *im.operands(o.inputs), **whole)


@reads("Mod")
def mod(im: Importer, o: Operation) -> Any:
    sign: dict[str, Any] = {"fmod": True} if o.attrs.get("fmod", 0) else {}
    return im.add("Mod", *im.operands(o.inputs), **sign)


@reads("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
def bitwise(im: Importer, o: Operation) -> Any:
    return im.add(o.op, *(im.node(v) for v in o.inputs))


@reads("BitShift")
def bit_shift(im: Importer, o: Operation) -> Any:
    return im.add("BitShift", *(im.node(v) for v in o.inputs), direction=str(o.attrs["direction"]).lower())


@reads("IsInf")
def is_inf(im: Importer, o: Operation) -> Any:
    signs: dict[str, Any] = {f"detect_{k}": bool(o.attrs.get(f"detect_{k}", 1)) for k in ("negative", "positive")}
    return im.add("IsInf", o.input(0), **signs)


@reads("Sum")
def sum_(im: Importer, o: Operation) -> Any:
    return [o.input(0)] if len(o.inputs) == 1 else im.add("Add", *im.operands(o.inputs))


@reads("Mean")
def mean(im: Importer, o: Operation) -> Any:
    if len(o.inputs) == 1:
        return [o.input(0)]
    return im.add("Mul", sum_(im, o), im.scalar(1.0 / len(o.inputs)))


reads("Identity")(lambda im, o: [o.input(0)])


@reads("Dropout")
def dropout(im: Importer, o: Operation) -> Any:
    training = o.array(2)
    if o.input(2) is not None and (training is None or training.any()):
        return NotImplemented
    x, _ratio = o.input(0), (o.input(1), o.attrs.get("ratio"), o.attrs.get("seed"))
    shape = im.shape(x)
    mask = im.add("Constant", shape=shape, value=(1.0,), dtype="bool") if o.wants(1) else None
    return [x, mask]


@reads("CastLike")
def cast_like(im: Importer, o: Operation) -> Any:
    o.input(1)
    return _cast(im, o, o.dtype(1))


@reads("Swish")
def swish(im: Importer, o: Operation) -> Any:
    alpha = float(o.attrs.get("alpha", 1.0))
    if alpha == 1.0:
        return im.add("Silu", o.input(0))
    return im.add("Mul", o.input(0), im.add("Sigmoid", im.add("Mul", o.input(0), im.scalar(alpha))))


def _alpha(default: float) -> Any:
    def read(im: Importer, o: Operation) -> Any:
        return im.add(o.op, o.input(0), alpha=float(o.attrs.get("alpha", default)))

    return read


READINGS.update({"LeakyRelu": _alpha(0.01), "Elu": _alpha(1.0), "Celu": _alpha(1.0)})


@reads("Selu")
def selu(im: Importer, o: Operation) -> Any:
    alpha, gamma = float(o.attrs.get("alpha", 1.67326)), float(o.attrs.get("gamma", 1.0507))
    if abs(alpha - 1.67326) < 1e-4 and abs(gamma - 1.0507) < 1e-4:
        return im.add("Selu", o.input(0))
    return im.add("Mul", im.add("Elu", o.input(0), alpha=alpha), im.scalar(gamma))


@reads("ThresholdedRelu")
def thresholded_relu(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    return im.add("Where", im.add("Greater", x, im.scalar(float(o.attrs.get("alpha", 1.0)))), x, im.scalar(0.0))


@reads("Shrink")
def shrink(im: Importer, o: Operation) -> Any:
    x, bias, bound = im.node(o.input(0)), float(o.attrs.get("bias", 0.0)), float(o.attrs.get("lambd", 0.5))
    above = im.add("Where", im.add("Greater", x, im.scalar(bound)), im.add("Sub", x, im.scalar(bias)), im.scalar(0.0))
    return im.add("Where", im.add("Less", x, im.scalar(-bound)), im.add("Add", x, im.scalar(bias)), above)


reads("Gelu")(lambda im, o: im.add("Gelu", o.input(0), approximate=o.attrs.get("approximate", "none")))


@reads("HardSigmoid")
def hard_sigmoid(im: Importer, o: Operation) -> Any:
    alpha, beta = float(o.attrs.get("alpha", 0.2)), float(o.attrs.get("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-4 and beta == 0.5:
        return im.add("HardSigmoid", o.input(0))
    line = im.add("Add", im.add("Mul", o.input(0), im.scalar(alpha)), im.scalar(beta))
    return im.add("Clip", line, min=0.0, max=1.0)


@reads("PRelu")
def prelu(im: Importer, o: Operation) -> Any:
    x, slope = o.input(0), o.input(1)
    shape, own = im.shape(x), im.shape(slope)
    count = prod(own)
    # a slope broadcasts to the right: only one a channel, or one for all, is the operator's
    channelwise = len(shape) > 1 and count == shape[1] and own[-1:] == ((1,) if len(shape) > 2 else (count,))
    if im.owned(slope) and (count == 1 or (channelwise and own.count(1) == len(own) - 1)):
        return im.add("PRelu", x, slots=(slope,), num_parameters=count)
    zero = im.scalar(0.0)
    return im.add("Where", im.add("Less", x, zero), im.add("Mul", x, slope), x)


@reads("Clip")
def clip(im: Importer, o: Operation) -> Any:
    attrs = {}
    node = im.node(o.input(0))
    for position, name, op in ((1, "min", "Max"), (2, "max", "Min")):
        bound = o.attrs.get(name)
        value = o.input(position)
        if bound is None and isinstance(value, Value) and value.fill is not None:
            bound = value.fill
        elif bound is None and value is not None:
            node = im.add(op, node, value)
        if bound is not None and abs(bound) < 3e38:
            attrs[name] = float(bound)
    if attrs.get("min", 0.0) > attrs.get("max", float("inf")):
        return im.add("Expand", im.add("Clip", node, min=attrs["max"], max=attrs["max"]), shape=im.shape(node))
    if attrs:
        node = im.add("Clip", node, **attrs)
        node = im.add("Cast", node, to=o.dtype(0)) if o.dtype(0) in _WHOLE else node
    return [node]


@reads("Softmax", "LogSoftmax")
def softmax(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    shape = im.shape(x)
    if im.opset >= 13:
        return im.add(o.op, x, axis=int(o.attrs.get("axis", -1)) % len(shape))
    axis = int(o.attrs.get("axis", 1)) % len(shape)  # older opsets take all axes from this one together
    if axis == len(shape) - 1:
        return im.add(o.op, x, axis=axis)
    flat = im.reshape(x, (*shape[:axis], prod(shape[axis:])))
    return im.reshape(im.add(o.op, flat, axis=axis), shape)


@reads("Hardmax")
def hardmax(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    shape = im.shape(x)
    rank = len(shape)
    if im.opset < 13 and int(o.attrs.get("axis", 1)) % rank != rank - 1:
        return NotImplemented
    axis = int(o.attrs.get("axis", -1)) % rank
    first = im.add("ArgMax", x, axis=axis, keepdims=False)
    ones = im.add("Cast", im.add("OneHot", first, channels=shape[axis]), to=o.dtype(0))
    back = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return im.transpose(ones, tuple(back)) if axis != rank - 1 else ones


reads("Cast")(lambda im, o: _cast(im, o, dtype_name(int(o.attrs["to"]))))


def _cast(im: Importer, o: Operation, target: str) -> Any:
    o.attrs.get("saturate"), o.attrs.get("round_mode")  # of eight-bit floats, which become Custom
    x = o.input(0)
    if target.startswith("float8"):
        return NotImplemented  # torch has no saturation
    if isinstance(x, Value) and x.dtype == target:
        return [x]
    if target in _FLOATS and o.dtype(0) in _FLOATS and not isinstance(x, Value):
        source = im.low.specs[im.node(x)]
        if source.op not in ("Input", "Cast", "Constant"):
            return [x]  # between float types
        if source.op == "Input" and str(source.attrs.get("dtype")) == target:
            return [x]
    return im.add("Cast", x, to=target)


@reads("CumSum")
def cumsum(im: Importer, o: Operation) -> Any:
    x, axes = im.node(o.input(0)), o.required(1)
    shape = im.shape(x)
    axis = axes[0] % len(shape)
    reverse, exclusive = o.attrs.get("reverse", 0), o.attrs.get("exclusive", 0)
    start = im.flipped(x, axis) if reverse else x
    total = im.add("CumSum", start, axis=axis)
    total = im.add("Sub", total, start) if exclusive else total
    return im.flipped(total, axis) if reverse else total


@reads("Trilu")
def trilu(im: Importer, o: Operation) -> Any:
    diagonal = 0 if o.input(1) is None else o.required(1)[0]
    return im.add("Trilu", o.input(0), upper=bool(o.attrs.get("upper", 1)), k=diagonal)


@reads("EyeLike")
def eye_like(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    im.bounded(prod(shape))
    code = o.attrs.get("dtype")
    dtype = o.dtype(0) if code is None else dtype_name(int(code))
    return [im.constant(np.eye(shape[0], shape[1], k=int(o.attrs.get("k", 0))).astype(dtype))]
