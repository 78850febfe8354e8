"""Activations."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, Value
from cg_frontends.pytorch.lowerings.arguments import axis_of
from cg_frontends.pytorch.lowerings.arithmetic import typed

Outputs = Sequence[Any]


lowers("relu6")(lambda low, out, x: low.add("Clip", x, shape=out[0].shape, min=0.0, max=6.0))


@lowers("clamp", "clip")
def clamp(low: Lowering, out: Outputs, x: Value, min: Any = None, max: Any = None) -> int:
    shape = out[0].shape
    attrs: dict[str, Any] = {}
    node = low.node(x)
    for name, op, bound in (("min", "Max", min), ("max", "Min", max)):
        if isinstance(bound, Value) and bound.kind == CONSTANT and bound.fill is not None:
            bound = bound.fill
        if isinstance(bound, Value):
            node = low.add(op, node, low.operand(bound, x, shape), shape=shape)
        elif bound is not None and abs(bound) < 3e38:
            attrs[name] = float(bound)
    return low.add("Clip", node, shape=shape, **attrs) if attrs else node


@lowers("softshrink")
def softshrink(low: Lowering, out: Outputs, x: Value, lambd: float = 0.5) -> int:
    """What lies beyond the two bounds."""
    return low.add("Sub", x, clamp(low, out, x, -lambd, lambd), shape=x.shape)


lowers("hardtanh")(lambda low, out, x, min_val=-1.0, max_val=1.0: clamp(low, out, x, min_val, max_val))
lowers("clamp_min")(lambda low, out, x, min: clamp(low, out, x, min, None))
lowers("clamp_max")(lambda low, out, x, max: clamp(low, out, x, None, max))


lowers("leaky_relu")(lambda low, out, x, slope=0.01: low.add("LeakyRelu", x, shape=out[0].shape, alpha=float(slope)))


@lowers("rrelu")
def rrelu(low: Lowering, out: Outputs, x: Value, lower: float = 0.125, upper: float = 1 / 3, *state: Any) -> int:
    return low.add("LeakyRelu", x, shape=out[0].shape, alpha=(lower + upper) / 2)


@lowers("elu")
def elu(low: Lowering, out: Outputs, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    if scale != 1 or input_scale != 1:
        return NotImplemented
    return low.add("Elu", x, shape=out[0].shape, alpha=float(alpha))


lowers("celu")(lambda low, out, x, alpha=1.0: low.add("Celu", x, shape=out[0].shape, alpha=float(alpha)))

lowers("gelu")(lambda low, out, x, *, approximate="none": low.add("Gelu", x, shape=x.shape, approximate=approximate))


@lowers("softplus")
def softplus(low: Lowering, out: Outputs, x: Value, beta: float = 1.0, threshold: float = 20.0) -> int:
    node = low.add("Softplus", x, shape=x.shape, beta=float(beta))
    if threshold >= 15:  # the line that it then is differs by less than float32 can tell
        return node
    beyond = low.add("Greater", x, low.scalar(threshold / beta), shape=x.shape)
    return low.add("Where", beyond, x, node, shape=x.shape)


@lowers("prelu", "_prelu_kernel")
def prelu(low: Lowering, out: Outputs, x: Value, weight: Value) -> Any:
    if not low.owned(weight):
        return NotImplemented
    return low.add("PRelu", x, shape=out[0].shape, slots=(weight,), num_parameters=prod(weight.shape))


def _softmax(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, dim: int, *types: Any, **named: Any) -> int:
        return low.add(op, typed(low, x, out[0].dtype), shape=out[0].shape, axis=axis_of(dim, len(x.shape)))

    return lower


lowers("softmax", "_softmax", "_safe_softmax")(_softmax("Softmax"))
lowers("log_softmax", "_log_softmax")(_softmax("LogSoftmax"))


@lowers("glu")
def glu(low: Lowering, out: Outputs, x: Value, dim: int = -1) -> int:
    shape = out[0].shape
    axis = axis_of(dim, len(shape))
    first = low.add("Split", x, shape=shape, axis=axis, split=(shape[axis], shape[axis]))
    gate = low.add("Sigmoid", low.add("Select", first, shape=shape, index=1), shape=shape)
    return low.add("Mul", first, gate, shape=shape)
