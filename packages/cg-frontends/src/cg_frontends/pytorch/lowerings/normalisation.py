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
def batch_norm(low: Lowering, out: Outputs, x: Value, weight: Any, bias: Any, mean: Any, var: Any, *how: Any) -> int:
    if isinstance(mean, bool):  # the overload without running statistics
        mean, var, how = None, None, (mean, var, *how)
    training, _momentum, eps, *_ = how
    state = () if training else (mean, var)
    return _channels(low, out, "BatchNormalization", x, weight, bias, state, epsilon=eps)


lowers("_native_batch_norm_legit_no_training")(
    lambda low, out, x, weight, bias, mean, var, *how: batch_norm(low, out, x, weight, bias, mean, var, False, *how)
)


@lowers("instance_norm")
def instance_norm(low: Lowering, out: Outputs, x: Value, weight: Any, bias: Any, mean: Any, var: Any, *how: Any) -> int:
    of_input, _momentum, eps, *_ = how
    if not of_input:
        return batch_norm(low, out, x, weight, bias, mean, var, *how)
    return _channels(low, out, "InstanceNormalization", x, weight, bias, epsilon=eps)


@lowers("group_norm")
def group_norm(
    low: Lowering, out: Outputs, x: Value, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> int:
    return _channels(low, out, "GroupNormalization", x, weight, bias, num_groups=groups, epsilon=eps)


lowers("native_group_norm")(
    lambda low, out, x, weight, bias, n, c, hw, group, eps: group_norm(low, out, x, group, weight, bias, eps)
)


def _trailing(low: Lowering, op: str, x: Value, sizes: Any, weight: Any, bias: Any, shape: Any, eps: float) -> int:
    """A normalisation over the last axes; what it does not own is a product and a sum."""
    owned = weight is not None and low.owned(weight)
    with_bias = owned and bias is not None and low.owned(bias)
    attrs: dict[str, Any] = {"bias": with_bias} if owned and op == "LayerNormalization" else {}
    slots = (weight, bias if with_bias else None) if owned else ()
    node = low.add(op, x, shape=shape, slots=slots, axis=len(shape) - len(sizes), epsilon=eps, affine=owned, **attrs)
    for step, vector in (("Mul", None if owned else weight), ("Add", None if with_bias else bias)):
        node = node if vector is None else low.add(step, node, vector, shape=shape)
    return node


@lowers("layer_norm", "native_layer_norm")
def layer_norm(
    low: Lowering, out: Outputs, x: Value, sizes: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> int:
    return _trailing(low, "LayerNormalization", x, sizes, weight, bias, out[0].shape, eps)


@lowers("rms_norm", "_fused_rms_norm")
def rms_norm(low: Lowering, out: Outputs, x: Value, sizes: Any, weight: Any = None, eps: float | None = None) -> int:
    eps = 1.1920928955078125e-07 if eps is None else eps
    return _trailing(low, "RMSNormalization", x, sizes, weight, None, out[0].shape, eps)
