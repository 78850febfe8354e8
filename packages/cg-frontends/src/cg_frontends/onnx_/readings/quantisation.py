"""Quantised files: what they compute in integers is written out as arithmetic, over weights that count as what they stand for.

Where a value is quantised and brought back at once, as files in the QDQ form have it around every operator, the pair is left out: the
graph is that of the network before it was quantised, and a note says so.
"""

from __future__ import annotations

from typing import Any

from cg_frontends.lowering.tape import WEIGHT, Value
from cg_frontends.onnx_.importer import READINGS, Importer, reads
from cg_frontends.onnx_.operation import Attributes, Operation
from cg_frontends.onnx_.readings.layout import one_axis

_RANGES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
}
_NOTE = (
    "pairs of QuantizeLinear and DequantizeLinear are left out; the graph is that of the network before quantisation"
)


def _along(im: Importer, o: Operation, vector: Any, axis: int) -> Any:
    """A scale or zero point of one number a channel, shaped to broadcast along an axis."""
    shape = im.shape(o.input(0))
    if vector is None or len(im.shape(vector)) != 1 or not shape:
        return vector
    return im.reshape(
        vector, (-1 if 0 in shape else im.shape(vector)[0], *(1,) * (len(shape) - 1 - one_axis(axis, len(shape))))
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Value) and isinstance(b, Value):
        return a is b or (a.fill is not None and a.fill == b.fill and a.shape == b.shape)
    return bool(a == b)


@reads("QuantizeLinear")
def quantize(im: Importer, o: Operation) -> Any:
    x, scale, zero = o.input(0), o.input(1), o.input(2)
    axis = int(o.attrs.get("axis", 1))
    o.attrs.get("saturate")
    dtype = o.dtype(2) if zero is not None else "uint8"
    if o.attrs.get("output_dtype") or o.attrs.get("block_size") or dtype not in _RANGES:
        return NotImplemented
    low, high = _RANGES[dtype]
    node = im.add("Round", im.add("Div", *im.operands([x, _along(im, o, scale, axis)])))
    if zero is not None:
        shift = _along(im, o, zero, axis)
        node = im.add("Add", *im.operands([node, shift if _plain(shift) else im.add("Cast", shift, to="float32")]))
    node = im.add("Cast", im.add("Clip", node, min=float(low), max=float(high)), to=dtype)
    im.quantised[node] = (x, scale, zero, axis)
    return node


def _plain(value: Any) -> bool:
    return isinstance(value, Value) and value.fill is not None and len(value.shape) <= 1


@reads("DequantizeLinear")
def dequantize(im: Importer, o: Operation) -> Any:
    x, scale, zero = o.input(0), o.input(1), o.input(2)
    axis = int(o.attrs.get("axis", 1))
    if isinstance(x, Value) and x.kind == WEIGHT:
        o.attrs.get("block_size"), o.attrs.get("output_dtype")
        return [x]
    if o.attrs.get("block_size") or o.attrs.get("output_dtype"):
        return NotImplemented
    before = None if isinstance(x, Value) else im.quantised.get(im.node(x))
    if before is not None and _same(before[1], scale) and _same(before[2], zero) and before[3] == axis:
        im.notes[_NOTE] = None
        return [before[0]]
    node = im.add("Cast", x, to=o.dtype(1))
    if zero is not None:
        shift = _along(im, o, zero, axis)
        node = im.add("Sub", *im.operands([node, shift if _plain(shift) else im.add("Cast", shift, to=o.dtype(1))]))
    return im.add("Mul", *im.operands([node, _along(im, o, scale, axis)]))


@reads("QLinearConv", "QLinearMatMul")
def quantised_product(im: Importer, o: Operation) -> Any:
    """The product of what the quantised tensors stand for, quantised again."""
    convolution = o.op == "QLinearConv"
    parts = []
    for position, axis in ((0, 1), (3, 0 if convolution else -1)):
        part = Operation(
            o.name, "DequantizeLinear", [o.input(position + i) for i in range(3)], Attributes({"axis": axis}, {})
        )
        part.types = [o.dtype(position), o.dtype(position + 1), o.dtype(position + 2)]
        parts.append(dequantize(im, part))
    x, weight = (p[0] if isinstance(p, list) else p for p in parts)
    if convolution:
        bias = o.input(8)
        if bias is not None and not im.owned(bias):
            return NotImplemented  # its scale is the product of two others
        inner = Operation(o.name, "Conv", [x, weight, bias], o.attrs)
        node = READINGS["Conv"](im, inner)
    else:
        node = READINGS["MatMul"](im, Operation(o.name, "MatMul", [x, weight], o.attrs))
    if node is NotImplemented:
        return NotImplemented
    last = Operation(o.name, "QuantizeLinear", [node, o.input(6), o.input(7)], Attributes({}, {}))
    last.types = ["float32", o.dtype(6), o.dtype(7)]
    return quantize(im, last)


def _centred(im: Importer, value: Any, zero: Any, axis: int = -1) -> Any:
    """A quantised tensor without its zero point, as floats.

    Args:
        axis: along which a zero point of several numbers lies.
    """
    if isinstance(value, Value) and value.kind == WEIGHT:
        return value  # a weight stands for itself, whatever its zero point
    node = im.add("Cast", value, to="float32")
    if zero is None or (isinstance(zero, Value) and zero.fill == 0.0):
        return node
    if _plain(zero):
        return im.add("Sub", *im.operands([node, zero]))
    shift = im.add("Cast", zero, to="float32")
    if len(im.shape(shift)) == 1:
        rank = len(im.shape(node))
        shift = im.reshape(shift, (*im.shape(shift), *(1,) * (rank - 1 - one_axis(axis, rank))))
    return im.add("Sub", node, shift)


@reads("MatMulInteger")
def matmul_integer(im: Importer, o: Operation) -> Any:
    a, b = _centred(im, o.input(0), o.input(2), -2), _centred(im, o.input(1), o.input(3))
    return im.add("Cast", READINGS["MatMul"](im, Operation(o.name, "MatMul", [a, b], o.attrs)), to="int32")


@reads("ConvInteger")
def conv_integer(im: Importer, o: Operation) -> Any:
    x, weight = _centred(im, o.input(0), o.input(2)), _centred(im, o.input(1), o.input(3), 0)
    return im.add("Cast", READINGS["Conv"](im, Operation(o.name, "Conv", [x, weight], o.attrs)), to="int32")
