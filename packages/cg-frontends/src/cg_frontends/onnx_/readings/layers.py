"""Convolutions, matrix products, attention, normalisations."""

from __future__ import annotations

from math import prod
from typing import Any

from cg_frontends.lowering.einsum import explicit_equation
from cg_frontends.lowering.tape import WEIGHT, Value
from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.windows import window_attrs
from cg_ir import SourceError


@reads("Conv", "ConvTranspose")
def conv(im: Importer, o: Operation) -> Any:
    x, weight, bias = o.input(0), o.input(1), o.input(2)
    shape, kernel = im.shape(x), im.shape(weight)[2:]
    dims = len(kernel)
    group = int(o.attrs.get("group", 1))
    o.attrs.get("kernel_shape")  # the weight's
    attrs = {**window_attrs(o.attrs, shape, kernel), "group": group}
    channels, taken = im.shape(weight)[0], im.shape(weight)[1] * group
    if o.op == "ConvTranspose":
        channels, taken = taken, channels
        attrs["output_padding"] = [int(p) for p in o.attrs.get("output_padding", (0,) * dims)]
        attrs |= _transposed_pads(o, shape[2:], attrs)
    if shape[1] != taken:
        raise SourceError(f"the weights of a convolution are for {taken} channels, but its input has {shape[1]}")
    if isinstance(bias, Value) and bias.fill == 0.0:
        bias = None
    owned = im.owned(weight)
    with_bias = owned and im.owned(bias)
    if with_bias:
        attrs["bias"] = True
    if owned:
        node = im.add(o.op, x, channels=channels, slots=(weight, im.own(bias) if with_bias else None), **attrs)
    else:
        node = im.add(o.op, x, weight, **attrs)
    return node if bias is None or with_bias else im.add("Add", node, im.reshape(bias, (channels, *(1,) * dims)))


def _transposed_pads(o: Operation, spatial: tuple[int, ...], attrs: dict[str, Any]) -> dict[str, Any]:
    """Pads that follow from the stated shape of the output, or from ``auto_pad``; what they cannot reach is added to the ends."""
    automatic = o.attrs.get("auto_pad", "NOTSET")
    wanted = o.attrs.get("output_shape")
    if not wanted and not automatic.startswith("SAME"):
        return {}
    sizes = [int(s) for s in wanted or (n * s for n, s in zip(spatial, attrs["strides"], strict=True))][-len(spatial) :]
    begins, ends, further = [], [], []
    numbers = [attrs[key] for key in ("kernel_shape", "strides", "dilations", "output_padding")]
    for size, out, kernel, stride, dilation, extra in zip(spatial, sizes, *numbers, strict=True):
        total = stride * (size - 1) + extra + (kernel - 1) * dilation + 1 - out
        further.append(extra + max(-total, 0))
        small, large = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        begins.append(small if automatic == "SAME_UPPER" else large)
        ends.append(large if automatic == "SAME_UPPER" else small)
    return {"pads": [*begins, *ends], "output_padding": further}


@reads("Col2Im")
def col2im(im: Importer, o: Operation) -> Any:
    size, block = o.required(1), o.required(2)
    shape = im.shape(o.input(0))
    dims = len(block)
    attrs = window_attrs(o.attrs, size, block)
    return im.add("Col2Im", o.input(0), shape=(shape[0], shape[1] // prod(block), *size[-dims:]), **attrs)


@reads("MatMul")
def matmul(im: Importer, o: Operation) -> Any:
    a, b = o.input(0), o.input(1)
    if isinstance(b, Value) and b.kind == WEIGHT and len(b.shape) == 2 and len(im.shape(a)) > 1 and im.owned(b):
        return im.add("Gemm", a, channels=b.shape[1], slots=(b,), turned=True)
    return im.add("MatMul", a, b)


@reads("Gemm")
def gemm(im: Importer, o: Operation) -> Any:
    a, b, c = o.input(0), o.input(1), o.input(2)
    alpha, beta = float(o.attrs.get("alpha", 1.0)), float(o.attrs.get("beta", 1.0))
    if o.attrs.get("transA"):
        a = im.transpose(a, (1, 0))
    if isinstance(b, Value) and b.kind == WEIGHT and alpha == 1.0 and im.owned(b):
        turned = not o.attrs.get("transB")
        width = b.shape[1 if turned else 0]
        with_bias = isinstance(c, Value) and c.shape == (width,) and beta == 1.0 and im.owned(c)
        slots = (b, im.own(c) if with_bias else None)
        node = im.add("Gemm", a, channels=width, slots=slots, turned=turned, **({"bias": True} if with_bias else {}))
        if c is None or with_bias:
            return node
    else:
        node = im.add("MatMul", a, im.transpose(b, (1, 0)) if o.attrs.get("transB") else b)
        if alpha != 1.0:
            node = im.add("Mul", node, im.scalar(alpha))
        if c is None:
            return node
    addend = im.node(c) if beta == 1.0 else im.add("Mul", c, im.scalar(beta))
    return im.add("Add", node, addend)


@reads("Einsum")
def einsum(im: Importer, o: Operation) -> Any:
    equation = explicit_equation(o.attrs["equation"], [im.shape(v) for v in o.inputs])
    return im.add("Einsum", *o.inputs, equation=equation)


def _channels(
    im: Importer, o: Operation, op: str, scale: Any, bias: Any, state: tuple[Any, ...] = (), **attrs: Any
) -> Any:
    x = o.input(0)
    shape = im.shape(x)
    if im.owned(scale) and im.owned(bias):
        return im.add(op, x, slots=(im.own(scale), im.own(bias)), state=state, **attrs)
    node = im.add(op, x, affine=False, state=state, **attrs)
    for step, vector in (("Mul", scale), ("Add", bias)):
        node = im.add(step, node, im.reshape(vector, (shape[1], *(1,) * (len(shape) - 2))))
    return node


@reads("BatchNormalization")
def batch_norm(im: Importer, o: Operation) -> Any:
    o.attrs.get("momentum")  # of training
    mean, variance = o.input(3), o.input(4)
    if o.attrs.get("training_mode", 0):
        return NotImplemented
    epsilon = float(o.attrs.get("epsilon", 1e-5))
    if not all(isinstance(v, Value) for v in (mean, variance)):
        return _computed_statistics(im, o, mean, variance, epsilon)
    return _channels(im, o, o.op, o.input(1), o.input(2), (mean, variance), epsilon=epsilon)


def _computed_statistics(im: Importer, o: Operation, mean: Any, variance: Any, epsilon: float) -> Any:
    """A normalisation by statistics that the network computes."""
    shape = im.shape(o.input(0))
    wide = (shape[1], *(1,) * (len(shape) - 2)) if len(shape) > 1 else shape
    mean, variance, scale, bias = (im.reshape(v, wide) for v in (mean, variance, o.input(1), o.input(2)))
    deviation = im.add("Sqrt", im.add("Add", variance, im.scalar(epsilon)))
    normal = im.add("Div", im.add("Sub", o.input(0), mean), deviation)
    return im.add("Add", im.add("Mul", normal, scale), bias)


@reads("InstanceNormalization")
def instance_norm(im: Importer, o: Operation) -> Any:
    return _channels(im, o, o.op, o.input(1), o.input(2), epsilon=float(o.attrs.get("epsilon", 1e-5)))


@reads("GroupNormalization")
def group_norm(im: Importer, o: Operation) -> Any:
    groups, channels = int(o.attrs["num_groups"]), im.shape(o.input(0))[1]
    if im.opset < 21 and groups != channels:
        return NotImplemented  # opset 18 has one scale a group
    o.attrs.get("stash_type")
    if im.shape(o.input(1)) != (channels,):
        return NotImplemented
    return _channels(
        im, o, o.op, o.input(1), o.input(2), num_groups=groups, epsilon=float(o.attrs.get("epsilon", 1e-5))
    )


@reads("LayerNormalization", "RMSNormalization")
def layer_norm(im: Importer, o: Operation) -> Any:
    x, scale, bias = o.input(0), o.input(1), o.input(2)
    o.attrs.get("stash_type")
    shape = im.shape(x)
    axis = int(o.attrs.get("axis", -1)) % len(shape)
    attrs: dict[str, Any] = {"axis": axis, "epsilon": float(o.attrs.get("epsilon", 1e-5))}
    if not im.owned(scale) or im.shape(scale) != shape[axis:]:
        node = im.add(o.op, x, affine=False, **attrs)
        node = im.add("Mul", node, scale)
        node = node if bias is None else im.add("Add", node, bias)
    else:
        with_bias = im.owned(bias) and im.shape(bias) == shape[axis:]
        if o.op == "LayerNormalization":
            attrs["bias"] = with_bias
        node = im.add(o.op, x, slots=(im.own(scale), im.own(bias) if with_bias else None), **attrs)
        node = node if bias is None or with_bias else im.add("Add", node, bias)
    return [node, *_statistics(im, o, axis, attrs["epsilon"])]


def _statistics(im: Importer, o: Operation, axis: int, epsilon: float) -> list[int | None]:
    """Mean and reciprocal deviation, where the file reads them."""
    x, axes = o.input(0), list(range(axis, len(im.shape(o.input(0)))))
    mean = im.add("ReduceMean", x, axes=axes) if o.wants(1) else None
    if not o.wants(2):
        return [mean]
    variance = im.add("ReduceVariance", x, axes=axes, correction=0)
    return [mean, im.add("Reciprocal", im.add("Sqrt", im.add("Add", variance, im.scalar(epsilon))))]


@reads("LRN")
def lrn(im: Importer, o: Operation) -> Any:
    alpha, beta, k = (o.attrs.get(name, default) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return im.add("LRN", o.input(0), size=int(o.attrs["size"]), alpha=alpha, beta=beta, k=k)


@reads("LpNormalization")
def lp_norm(im: Importer, o: Operation) -> Any:
    axis = int(o.attrs.get("axis", -1)) % len(im.shape(o.input(0)))
    return im.add("LpNormalization", o.input(0), axis=axis, p=int(o.attrs.get("p", 2)))
