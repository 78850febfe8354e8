"""Activations, arithmetic, comparisons, conversions."""

from __future__ import annotations

from math import prod
from typing import Any

import onnx

from cg_frontends.lowering.tape import Value
from cg_frontends.onnx_.importer import READINGS, Importer, Operation, reads

_UNARY = (
    "Relu", "Sigmoid", "Tanh", "Mish", "HardSwish", "Softsign", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Sin", "Cos",
    "Floor", "Ceil", "Round", "Sign", "Not", "IsNaN", "Softplus",
)  # fmt: skip
_BINARY = (
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor",
    "Max", "Min", "Where",
)  # fmt: skip


def _unary(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0))


def _binary(im: Importer, o: Operation) -> Any:
    if len(o.inputs) == 1:
        return o.input(0)
    return im.add(o.op, *(im.operand(v) for v in o.inputs))


READINGS.update(dict.fromkeys(_UNARY, _unary))
READINGS.update(dict.fromkeys(_BINARY, _binary))


@reads("Sum")
def sum_(im: Importer, o: Operation) -> Any:
    return o.input(0) if len(o.inputs) == 1 else im.add("Add", *(im.operand(v) for v in o.inputs))


@reads("Mean")
def mean(im: Importer, o: Operation) -> Any:
    total = sum_(im, o)
    return im.add("Mul", total, im.scalar(1.0 / len(o.inputs)))


@reads("Identity", "Dropout", "CastLike")
def identity(im: Importer, o: Operation) -> Any:
    return [o.input(0)]


@reads("Swish")
def swish(im: Importer, o: Operation) -> Any:
    return im.add("Silu", o.input(0)) if float(o.attrs.get("alpha", 1.0)) == 1.0 else NotImplemented


def _alpha(default: float) -> Any:
    def read(im: Importer, o: Operation) -> Any:
        return im.add(o.op, o.input(0), alpha=float(o.attrs.get("alpha", default)))

    return read


READINGS.update({"LeakyRelu": _alpha(0.01), "Elu": _alpha(1.0), "Celu": _alpha(1.0)})


@reads("Selu")
def selu(im: Importer, o: Operation) -> Any:
    return im.add("Selu", o.input(0))


@reads("Gelu")
def gelu(im: Importer, o: Operation) -> Any:
    return im.add("Gelu", o.input(0), approximate=o.attrs.get("approximate", "none"))


@reads("HardSigmoid")
def hard_sigmoid(im: Importer, o: Operation) -> Any:
    alpha, beta = float(o.attrs.get("alpha", 0.2)), float(o.attrs.get("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-4 and beta == 0.5:
        return im.add("HardSigmoid", o.input(0))
    line = im.add("Add", im.add("Mul", o.input(0), im.scalar(alpha)), im.scalar(beta))
    return im.add("Clip", line, min=0.0, max=1.0)


@reads("PRelu")
def prelu(im: Importer, o: Operation) -> Any:
    slope = o.input(1)
    count = prod(im.shape(slope))
    if not im.owned(slope) or count not in (1, im.shape(o.input(0))[1]):
        return NotImplemented
    return im.add("PRelu", o.input(0), slots=(slope,), num_parameters=count)


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
    return im.add("Clip", node, **attrs) if attrs else node


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


@reads("Cast")
def cast(im: Importer, o: Operation) -> Any:
    target = str(onnx.helper.tensor_dtype_to_np_dtype(int(o.attrs["to"])))
    if target in ("float32", "float16", "float64", "bfloat16") and not isinstance(o.input(0), Value):
        source = im.low.specs[im.node(o.input(0))]
        if source.op not in (
            "Input",
            "Cast",
            "Constant",
            "Equal",
            "Not",
            "Greater",
            "Less",
            "GreaterOrEqual",
            "LessOrEqual",
        ):
            return o.input(0)  # between float types
        if source.op == "Input" and str(source.attrs.get("dtype")) == target:
            return o.input(0)
    return im.add("Cast", o.input(0), to=target)


@reads("CumSum")
def cumsum(im: Importer, o: Operation) -> Any:
    axes = o.numbers(1)
    if axes is None or o.attrs.get("exclusive") or o.attrs.get("reverse"):
        return NotImplemented
    return im.add("CumSum", o.input(0), axis=axes[0] % len(im.shape(o.input(0))))


@reads("Trilu")
def trilu(im: Importer, o: Operation) -> Any:
    diagonal = o.numbers(1, default=[0])
    assert diagonal is not None
    return im.add("Trilu", o.input(0), upper=bool(o.attrs.get("upper", 1)), k=diagonal[0])
