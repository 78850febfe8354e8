"""Convolutions, matrix products, attention, normalisations."""

from __future__ import annotations

from math import isclose
from typing import Any

from cg_frontends.lowering.einsum import explicit_equation
from cg_frontends.lowering.tape import WEIGHT, Value
from cg_frontends.onnx_.importer import Importer, Operation, reads
from cg_frontends.onnx_.readings.windows import window_attrs


@reads("Conv", "ConvTranspose")
def conv(im: Importer, o: Operation) -> Any:
    x, weight, bias = o.input(0), o.input(1), o.input(2)
    shape, kernel = im.shape(x), im.shape(weight)[2:]
    dims = len(kernel)
    group = int(o.attrs.get("group", 1))
    attrs = {**window_attrs(o.attrs, shape, kernel), "group": group}
    channels = im.shape(weight)[0]
    if o.op == "ConvTranspose":
        if "output_shape" in o.attrs or o.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            return NotImplemented
        channels = im.shape(weight)[1] * group
        attrs["output_padding"] = [int(p) for p in o.attrs.get("output_padding", (0,) * dims)]
    if isinstance(bias, Value) and bias.fill == 0.0:
        bias = None
    owned = im.owned(weight)
    with_bias = owned and im.owned(bias)
    if with_bias:
        attrs["bias"] = True
    if owned:
        node = im.add(o.op, x, channels=channels, slots=(weight, bias if with_bias else None), **attrs)
    else:
        node = im.add(o.op, x, weight, **attrs)
    return node if bias is None or with_bias else im.add("Add", node, im.reshape(bias, (channels, *(1,) * dims)))


@reads("MatMul")
def matmul(im: Importer, o: Operation) -> Any:
    a, b = o.input(0), o.input(1)
    if isinstance(b, Value) and b.kind == WEIGHT and len(b.shape) == 2 and len(im.shape(a)) > 1 and im.owned(b):
        return im.add("Gemm", a, channels=b.shape[1], slots=(b,))
    return im.add("MatMul", a, b)


@reads("Gemm")
def gemm(im: Importer, o: Operation) -> Any:
    a, b, c = o.input(0), o.input(1), o.input(2)
    alpha, beta = float(o.attrs.get("alpha", 1.0)), float(o.attrs.get("beta", 1.0))
    if o.attrs.get("transA"):
        a = im.transpose(a, (1, 0))
    if isinstance(b, Value) and b.kind == WEIGHT and alpha == 1.0 and im.owned(b):
        width = b.shape[0 if o.attrs.get("transB") else 1]
        with_bias = isinstance(c, Value) and c.shape == (width,) and beta == 1.0 and im.owned(c)
        slots = (b, c if with_bias else None)
        node = im.add("Gemm", a, channels=width, slots=slots, **({"bias": True} if with_bias else {}))
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


@reads("Attention")
def attention(im: Importer, o: Operation) -> Any:
    shapes = [im.shape(o.input(i)) for i in range(3)]
    if any(len(s) != 4 for s in shapes) or o.input(4) is not None or o.outputs > 1 or o.attrs.get("softcap"):
        return NotImplemented
    attrs: dict[str, Any] = {"is_causal": bool(o.attrs.get("is_causal", 0))}
    scale = o.attrs.get("scale")
    if scale and not isclose(scale, shapes[0][-1] ** -0.5, rel_tol=1e-6):
        attrs["scale"] = float(scale)
    return im.add("Attention", *(v for v in o.inputs[:4] if v is not None), **attrs)


def _channels(im: Importer, o: Operation, op: str, scale: Any, bias: Any, **attrs: Any) -> Any:
    x = o.input(0)
    shape = im.shape(x)
    if im.owned(scale) and im.owned(bias):
        return im.add(op, x, slots=(scale, bias), **attrs)
    node = im.add(op, x, affine=False, **attrs)
    for step, vector in (("Mul", scale), ("Add", bias)):
        node = im.add(step, node, im.reshape(vector, (shape[1], *(1,) * (len(shape) - 2))))
    return node


@reads("BatchNormalization")
def batch_norm(im: Importer, o: Operation) -> Any:
    im.not_learned(o.input(3), o.input(4))
    return [_channels(im, o, o.op, o.input(1), o.input(2), epsilon=float(o.attrs.get("epsilon", 1e-5)))]


@reads("InstanceNormalization")
def instance_norm(im: Importer, o: Operation) -> Any:
    return _channels(im, o, o.op, o.input(1), o.input(2), epsilon=float(o.attrs.get("epsilon", 1e-5)))


@reads("GroupNormalization")
def group_norm(im: Importer, o: Operation) -> Any:
    groups, channels = int(o.attrs["num_groups"]), im.shape(o.input(0))[1]
    if im.shape(o.input(1)) != (channels,):
        return NotImplemented  # opset 18 has one scale a group
    return _channels(
        im, o, o.op, o.input(1), o.input(2), num_groups=groups, epsilon=float(o.attrs.get("epsilon", 1e-5))
    )


@reads("LayerNormalization", "RMSNormalization")
def layer_norm(im: Importer, o: Operation) -> Any:
    x, scale, bias = o.input(0), o.input(1), o.input(2)
    attrs: dict[str, Any] = {
        "axis": int(o.attrs.get("axis", -1)) % len(im.shape(x)),
        "epsilon": float(o.attrs.get("epsilon", 1e-5)),
    }
    if not im.owned(scale):
        node = im.add(o.op, x, affine=False, **attrs)
        node = im.add("Mul", node, scale)
        return [node if bias is None else im.add("Add", node, bias)]
    with_bias = im.owned(bias)
    if o.op == "LayerNormalization":
        attrs["bias"] = with_bias
    node = im.add(o.op, x, slots=(scale, bias if with_bias else None), **attrs)
    return [node if bias is None or with_bias else im.add("Add", node, bias)]


@reads("LRN")
def lrn(im: Importer, o: Operation) -> Any:
    a = o.attrs
    given = {
        "size": int(a["size"]),
        "alpha": a.get("alpha", 1e-4),
        "beta": a.get("beta", 0.75),
        "k": a.get("bias", 1.0),
    }
    return im.add("LRN", o.input(0), **given)


@reads("LpNormalization")
def lp_norm(im: Importer, o: Operation) -> Any:
    axis = int(o.attrs.get("axis", -1)) % len(im.shape(o.input(0)))
    return im.add("LpNormalization", o.input(0), axis=axis, p=int(o.attrs.get("p", 2)))
