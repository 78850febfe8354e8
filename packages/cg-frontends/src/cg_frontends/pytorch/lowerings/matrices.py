"""Convolutions, matrix products, attention, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, prod
from typing import Any

from cg_frontends.lowering.einsum import explicit_equation
from cg_frontends.lowering.heads import repeat_heads
from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Value
from cg_frontends.pytorch.constants import mask_kind
from cg_frontends.pytorch.lowerings.arguments import each, filled
from cg_frontends.pytorch.lowerings.experts import expert_einsum, expert_product

Outputs = Sequence[Any]


def _pads(padding: str | int | Sequence[int], kernel: Sequence[int], dilations: Sequence[int]) -> tuple[int, ...]:
    dims = len(kernel)
    if padding == "valid":
        return (0,) * (2 * dims)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
        begins = [t // 2 for t in total]
        return (*begins, *(t - b for t, b in zip(total, begins, strict=True)))
    assert not isinstance(padding, str)
    return each(padding, dims) * 2


@lowers("conv1d", "conv2d", "conv3d")
def conv(
    low: Lowering,
    out: Outputs,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    transposed: bool = False,
    output_padding: Any = 0,
) -> int:
    kernel = weight.shape[2:]
    dims = len(kernel)
    dilations = each(dilation, dims)
    attrs: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": each(stride, dims),
        "pads": _pads(padding, kernel, dilations),
        "dilations": dilations,
        "group": groups,
    }
    op = "ConvTranspose" if transposed else "Conv"
    if transposed:
        attrs["output_padding"] = each(output_padding, dims)
    shape = out[0].shape
    source = low.node(x)
    batched = len(shape) == dims + 2
    if not batched:
        source = low.reshape(source, (1, *x.shape))
        shape = (1, *shape)
    owned = low.owned(weight)
    with_bias = owned and low.owned(bias)
    if with_bias:
        attrs["bias"] = True
    if owned:
        node = low.add(op, source, shape=shape, slots=(weight, bias if with_bias else None), **attrs)
    else:
        node = low.add(op, source, weight, shape=shape, **attrs)
    if bias is not None and not with_bias:
        node = low.add("Add", node, low.reshape(bias, (bias.shape[0], *(1,) * dims)), shape=shape)
    return node if batched else low.reshape(node, out[0].shape)


@lowers("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(low: Lowering, out: Outputs, x: Value, weight: Value, *given: Any) -> int:
    bias, stride, padding, output_padding, groups, dilation = filled(given, None, 1, 0, 0, 1, 1)
    return conv(low, out, x, weight, bias, stride, padding, dilation, groups, True, output_padding)


@lowers("convolution", "_convolution", "convolution_overrideable")
def convolution(low: Lowering, out: Outputs, x: Value, weight: Value, *given: Any) -> int:
    bias, stride, padding, dilation, transposed, output_padding, groups, *_flags = given
    return conv(low, out, x, weight, bias, stride, padding, dilation, groups, transposed, output_padding)


def _affine(
    low: Lowering, shape: tuple[int, ...], x: Value, weight: Value, bias: Value | None, turned: bool = False
) -> int:
    """x times a matrix (out, in), or turned (in, out), that the node owns, plus a bias that it owns where it can."""
    with_bias = bias is not None and bias.shape == shape[-1:] and low.owned(bias)
    attrs: dict[str, Any] = {"bias": True} if with_bias else {}
    node = low.add("Gemm", x, shape=shape, slots=(weight, bias if with_bias else None), turned=turned, **attrs)
    if bias is not None and not with_bias:
        node = low.add("Add", node, bias, shape=shape)
    return node


@lowers("linear")
def linear(low: Lowering, out: Outputs, x: Value, weight: Value, bias: Any = None) -> int:
    shape = out[0].shape
    if len(weight.shape) == 2 and low.owned(weight):
        return _affine(low, shape, x, weight, bias)
    rank = len(weight.shape)
    matrix = low.transpose(weight, (*range(rank - 2), rank - 1, rank - 2)) if rank > 1 else low.node(weight)
    node = low.add("MatMul", x, matrix, shape=shape)
    return node if bias is None else low.add("Add", node, bias, shape=shape)


@lowers("matmul", "mm", "bmm", "mv", "dot")
def matmul(low: Lowering, out: Outputs, a: Value, b: Value, *types: Any) -> int:
    if len(b.shape) == 2 and len(a.shape) > 1 and b.kind == WEIGHT and low.owned(b):
        return _affine(low, out[0].shape, a, b, None, turned=True)
    node = expert_product(low, out, a, b)
    if node is not None:
        return node
    return low.add("MatMul", a, b, shape=out[0].shape)


@lowers("addmm", "baddbmm", "addmv")
def addmm(
    low: Lowering, out: Outputs, bias: Value, a: Value, b: Value, *types: Any, beta: float = 1, alpha: float = 1
) -> int:
    shape = out[0].shape
    if beta == 1 and alpha == 1 and len(b.shape) == 2 and b.kind == WEIGHT and low.owned(b):
        return _affine(low, shape, a, b, bias, turned=True)
    node = low.add("MatMul", a, b, shape=shape)
    if alpha != 1:
        node = low.add("Mul", node, low.scalar(alpha), shape=shape)
    if beta == 0:
        return node
    addend = low.node(bias)
    if beta != 1:
        addend = low.add("Mul", addend, low.scalar(beta), shape=bias.shape)
    return low.add("Add", node, addend, shape=shape)


@lowers("einsum")
def einsum(low: Lowering, out: Outputs, equation: str, operands: Sequence[Value], *, path: Any = None) -> int:
    equation = explicit_equation(equation, [v.shape for v in operands])
    node = expert_einsum(low, out, equation, operands)
    return low.add("Einsum", *operands, shape=out[0].shape, equation=equation) if node is None else node


@lowers("bilinear")
def bilinear(low: Lowering, out: Outputs, a: Value, b: Value, weight: Value, bias: Value | None = None) -> int:
    """A form of two vectors for each feature: rows x outputs x inputs x inputs products, as written."""
    rows, shape = prod(out[0].shape[:-1]), out[0].shape
    factors = [low.reshape(a, (rows, a.shape[-1])), low.node(weight), low.reshape(b, (rows, b.shape[-1]))]
    node = low.reshape(low.add("Einsum", *factors, shape=(rows, shape[-1]), equation="ab,cbd,ad->ac"), shape)
    return node if bias is None else low.add("Add", node, bias, shape=shape)


@lowers("scaled_dot_product_attention", "_scaled_dot_product_attention_math")
def attention(
    low: Lowering,
    out: Outputs,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *extra: Any,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> int:
    if attn_mask is not None and attn_mask.kind == CONSTANT:
        kind = mask_kind(attn_mask, (query.shape[-2], key.shape[-2]))
        is_causal = is_causal or kind == "causal"
        attn_mask = attn_mask if kind == "other" else None
    attrs: dict[str, Any] = {"is_causal": bool(is_causal)}
    if scale is not None and not isclose(scale, query.shape[-1] ** -0.5, rel_tol=1e-6):
        attrs["scale"] = float(scale)
    shared: list[Value | int] = [key, value]
    if enable_gqa:
        heads = query.shape[-3] if len(query.shape) > 2 else 1
        shared = [repeat_heads(low, key, heads), repeat_heads(low, value, heads)]
    inputs = [query, *shared] if attn_mask is None else [query, *shared, attn_mask]
    return low.add("Attention", *inputs, shape=out[0].shape, **attrs)


lowers("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention")(
    lambda low, out, q, k, v, dropout=0.0, causal=False, *_, attn_mask=None, scale=None: [
        attention(low, out, q, k, v, attn_mask, dropout, causal, scale=scale)
    ]
)


@lowers("embedding")
def embedding(low: Lowering, out: Outputs, weight: Value, indices: Value, *options: Any, **named: Any) -> int:
    if low.owned(weight):
        return low.add("Embedding", indices, shape=out[0].shape, slots=(weight,), num_embeddings=weight.shape[0])
    return low.add("Gather", weight, indices, shape=out[0].shape, axis=0)
