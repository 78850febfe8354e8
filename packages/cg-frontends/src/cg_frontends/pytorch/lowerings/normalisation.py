"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value

Outputs = Sequence[Any]


def _channels(
    low: Lowering,
    out: Outputs,
    op: str,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    state: Sequence[Value | None] = (),
    **attrs: Any,
) -> int:
    """A normalisation with one scale and one shift a channel; what it does not own is a product and a sum."""
    shape = out[0].shape
    if weight is not None and bias is not None and low.owned(weight) and low.owned(bias):
        return low.add(op, x, shape=shape, slots=(weight, bias), state=state, affine=True, **attrs)
    node = low.add(op, x, shape=shape, state=state, affine=False, **attrs)
    for step, vector in (("Mul", weight), ("Add", bias)):
        if vector is not None:
            node = low.add(step, node, low.reshape(vector, (shape[1], *(1,) * (len(shape) - 2))), shape=shape)
    return node


@lowers("batch_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm")
def batch_norm(
    low: Lowering,
    out: Outputs,
    x: Value,
    weight: Any,
    bias: Any,
    mean: Any = None,
    var: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *flags: Any,
) -> int:
    return _channels(low, out, "BatchNormalization", x, weight, bias, (mean, var), epsilon=eps)


@lowers("_native_batch_norm_legit_no_training")
def batch_norm_eval(
    low: Lowering, out: Outputs, x: Value, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> int:
    return _channels(low, out, "BatchNormalization", x, weight, bias, (mean, var), epsilon=eps)


@lowers("instance_norm")
def instance_norm(
    low: Lowering,
    out: Outputs,
    x: Value,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    *flags: Any,
) -> int:
    op = "InstanceNormalization" if use_input_stats else "BatchNormalization"
    return _channels(low, out, op, x, weight, bias, () if use_input_stats else (mean, var), epsilon=eps)


@lowers("group_norm")
def group_norm(
    low: Lowering,
    out: Outputs,
    x: Value,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *flags: Any,
) -> int:
    return _channels(low, out, "GroupNormalization", x, weight, bias, num_groups=num_groups, epsilon=eps)


@lowers("native_group_norm")
def native_group_norm(
    low: Lowering, out: Outputs, x: Value, weight: Any, bias: Any, n: int, c: int, hw: int, group: int, eps: float
) -> int:
    return _channels(low, out, "GroupNormalization", x, weight, bias, num_groups=group, epsilon=eps)


@lowers("layer_norm", "native_layer_norm")
def layer_norm(
    low: Lowering,
    out: Outputs,
    x: Value,
    normalized: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *flags: Any,
) -> int:
    shape = out[0].shape
    axis = len(shape) - len(normalized)
    if weight is not None and low.owned(weight):
        with_bias = bias is not None and low.owned(bias)
        node = low.add(
            "LayerNormalization",
            x,
            shape=shape,
            slots=(weight, bias if with_bias else None),
            axis=axis,
            epsilon=eps,
            affine=True,
            bias=with_bias,
        )
        return node if bias is None or with_bias else low.add("Add", node, bias, shape=shape)
    node = low.add("LayerNormalization", x, shape=shape, axis=axis, epsilon=eps, affine=False)
    for step, vector in (("Mul", weight), ("Add", bias)):
        if vector is not None:
            node = low.add(step, node, vector, shape=shape)
    return node


@lowers("rms_norm", "_fused_rms_norm")
def rms_norm(
    low: Lowering, out: Outputs, x: Value, normalized: Sequence[int], weight: Any = None, eps: float | None = None
) -> int:
    shape = out[0].shape
    attrs: dict[str, Any] = {
        "axis": len(shape) - len(normalized),
        "epsilon": 1.1920928955078125e-07 if eps is None else eps,
    }
    if weight is not None and low.owned(weight):
        return low.add("RMSNormalization", x, shape=shape, slots=(weight,), affine=True, **attrs)
    node = low.add("RMSNormalization", x, shape=shape, affine=False, **attrs)
    return node if weight is None else low.add("Mul", node, weight, shape=shape)
