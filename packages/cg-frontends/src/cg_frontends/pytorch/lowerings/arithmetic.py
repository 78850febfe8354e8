"""Elementwise arithmetic, comparisons, conversions."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

from cg_frontends.lowering.lowering import LOWERINGS, Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axis_of
from cg_ir.operators import FUNCTIONS

Outputs = Sequence[Any]

#: Functions of one tensor, by PyTorch's names of them and by others that its dispatcher has.
_UNARY = {
    **FUNCTIONS,
    "log_sigmoid": "LogSigmoid", "negative": "Neg", "_neg_view": "Neg", "absolute": "Abs", "sgn": "Sign", "isinf": "IsInf", "arctan": "Atan", "arcsin": "Asin",
    "arccos": "Acos",
}  # fmt: skip
_BINARY = {
    "mul": "Mul", "multiply": "Mul", "remainder": "Mod", "eq": "Equal", "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less",
    "le": "LessOrEqual", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "maximum": "Max", "minimum": "Min", "pow": "Pow",
    "atan2": "Atan2", "arctan2": "Atan2",
}  # fmt: skip


def _unary(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, **options: Any) -> Any:
        return NotImplemented if options else low.add(op, x, shape=out[0].shape)

    return lower


def _two(low: Lowering, out: Outputs, op: str, a: Value | float, b: Value | float, **attrs: Any) -> int:
    shape = out[0].shape
    return low.add(op, low.operand(a, b, shape), low.operand(b, a, shape), shape=shape, **attrs)


def _binary(op: str, **attrs: Any) -> Any:
    return lambda low, out, a, b: _two(low, out, op, a, b, **attrs)


LOWERINGS.update({f"aten::{name}": _unary(op) for name, op in _UNARY.items()})
LOWERINGS.update({f"aten::{name}": _binary(op) for name, op in _BINARY.items()})


def _bits(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, a: Value | float, b: Value | float) -> int:
        if out[0].dtype == "bool":
            return _two(low, out, op, a, b)
        nodes = [low.node(v) if isinstance(v, Value) else _whole(low, v) for v in (a, b)]
        return low.add(f"Bitwise{op}", *nodes, shape=out[0].shape)

    return lower


for _op in ("And", "Or", "Xor"):
    lowers(f"bitwise_{_op.lower()}", f"__{_op.lower()}__")(_bits(_op))


lowers("bitwise_not")(lambda low, out, x: low.add("Not" if x.dtype == "bool" else "BitwiseNot", x, shape=out[0].shape))


def _shift(direction: str) -> Any:
    def lower(low: Lowering, out: Outputs, a: Value | float, b: Value | float) -> int:
        shape = out[0].shape
        nodes = [low.node(v) if isinstance(v, Value) else _whole(low, v) for v in (a, b)]
        return low.add("BitShift", *nodes, shape=shape, direction=direction)

    return lower


def _whole(low: Lowering, number: float) -> int:
    return low.add("Constant", shape=(), value=(float(number),), dtype="int64")


lowers("bitwise_left_shift", "__lshift__")(_shift("left"))
lowers("bitwise_right_shift", "__rshift__")(_shift("right"))


lowers("log1p")(lambda low, out, x: low.add("Log", low.add("Add", x, low.scalar(1.0), shape=x.shape), shape=x.shape))
lowers("expm1")(lambda low, out, x: low.add("Sub", low.add("Exp", x, shape=x.shape), low.scalar(1.0), shape=x.shape))


def _logarithm(base: float) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value) -> int:
        return low.add("Mul", low.add("Log", x, shape=x.shape), low.scalar(1.0 / log(base)), shape=x.shape)

    return lower


lowers("log2")(_logarithm(2.0))
lowers("log10")(_logarithm(10.0))


lowers("trunc", "fix")(lambda low, out, x: low.add("Div", x, low.scalar(1.0), shape=x.shape, rounding="trunc"))
lowers("frac")(lambda low, out, x: low.add("Mod", x, low.scalar(1.0), shape=x.shape, fmod=True))


lowers("fmod")(_binary("Mod", fmod=True))


@lowers("hypot")
def hypot(low: Lowering, out: Outputs, a: Value, b: Value) -> int:
    squares = [low.add("Mul", v, v, shape=v.shape) for v in (a, b)]
    return low.add("Sqrt", low.add("Add", *squares, shape=out[0].shape), shape=out[0].shape)


def _scaled(low: Lowering, b: Value | float, a: Value | float, alpha: float, shape: tuple[int, ...]) -> int:
    node = low.operand(b, a, shape) if isinstance(b, Value) else low.scalar(b * alpha)
    if isinstance(b, Value) and alpha != 1:
        node = low.add("Mul", node, low.scalar(alpha), shape=low.shape(node))
    return node


def _sum(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, a: Value | float, b: Value | float, alpha: float = 1) -> int:
        shape = out[0].shape
        return low.add(op, low.operand(a, b, shape), _scaled(low, b, a, alpha, shape), shape=shape)

    return lower


lowers("add")(_sum("Add"))
lowers("sub", "subtract")(_sum("Sub"))
lowers("rsub")(lambda low, out, a, b, alpha=1: _sum("Sub")(low, out, b, a, alpha))


@lowers("div", "divide", "true_divide")
def div(low: Lowering, out: Outputs, a: Value | float, b: Value | float, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "trunc":
        return _two(low, out, "Div", a, b, rounding="trunc")
    node = _two(low, out, "Div", a, b)
    if rounding_mode != "floor":
        return node
    node = low.add("Floor", node, shape=out[0].shape)
    return low.add("Cast", node, shape=out[0].shape, to=out[0].dtype) if "int" in out[0].dtype else node


lowers("floor_divide")(lambda low, out, a, b: div(low, out, a, b, rounding_mode="floor"))
lowers("ne")(lambda low, out, a, b: low.add("Not", _two(low, out, "Equal", a, b), shape=out[0].shape))


lowers("rsqrt")(lambda low, out, x: low.add("Reciprocal", low.add("Sqrt", x, shape=x.shape), shape=x.shape))
lowers("square")(lambda low, out, x: _two(low, out, "Pow", x, 2))
lowers("addcmul")(lambda low, out, x, a, b, *, value=1: _add_scaled(low, out, "Mul", x, a, b, value))
lowers("addcdiv")(lambda low, out, x, a, b, *, value=1: _add_scaled(low, out, "Div", x, a, b, value))


def _add_scaled(low: Lowering, out: Outputs, op: str, x: Value, a: Value, b: Value, value: float) -> int:
    first, second = low.node(a), low.node(b)
    shape = broadcast(low.shape(first), low.shape(second))
    node = low.add(op, first, second, shape=shape)
    if value != 1:
        node = low.add("Mul", node, low.scalar(value), shape=shape)
    return low.add("Add", low.operand(x, None), node, shape=out[0].shape)


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape to which two broadcast."""
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    return tuple(y if x == 1 else x for x, y in zip(left, right, strict=True))


@lowers("lerp")
def lerp(low: Lowering, out: Outputs, start: Value, end: Value, weight: Value | float) -> int:
    shape = out[0].shape
    span = low.add("Sub", end, start, shape=broadcast(end.shape, start.shape))
    return low.add("Add", start, low.add("Mul", span, low.operand(weight), shape=shape), shape=shape)


@lowers("where")
def where(low: Lowering, out: Outputs, condition: Value, a: Value | float, b: Value | float) -> int:
    shape = out[0].shape
    return low.add("Where", condition, low.operand(a, condition, shape), low.operand(b, condition, shape), shape=shape)


@lowers("masked_fill")
def masked_fill(low: Lowering, out: Outputs, x: Value, mask: Value, value: Value | float) -> int:
    shape = out[0].shape
    return low.add("Where", mask, low.operand(value, x, shape), low.operand(x, mask, shape), shape=shape)


@lowers("cumsum")
def cumsum(low: Lowering, out: Outputs, x: Value, dim: int, *, dtype: Any = None) -> int:
    return low.add("CumSum", typed(low, x, dtype), shape=out[0].shape, axis=axis_of(dim, len(x.shape)))


lowers("tril")(lambda low, out, x, diagonal=0: low.add("Trilu", x, shape=out[0].shape, upper=False, k=diagonal))
lowers("triu")(lambda low, out, x, diagonal=0: low.add("Trilu", x, shape=out[0].shape, upper=True, k=diagonal))


def typed(low: Lowering, x: Value, dtype: Any) -> int:
    """The node of a tensor in the type that an operator first brings it to, if it names one; between float types nothing is written."""
    target = x.dtype if dtype is None else str(dtype).removeprefix("torch.")
    if target == x.dtype or ("float" in target and "float" in x.dtype):
        return low.node(x)
    return low.add("Cast", x, shape=x.shape, to=target)


@lowers("to", "_to_copy")
def to(low: Lowering, out: Outputs, x: Value, *target: Any, **options: Any) -> int:
    if out[0].dtype == x.dtype:
        return low.node(x)
    return low.add("Cast", x, shape=out[0].shape, to=out[0].dtype)


@lowers(
    "clone", "contiguous", "detach", "alias", "lift_fresh", "lift_fresh_copy", "dropout", "feature_dropout", "alpha_dropout",
    "feature_alpha_dropout", "_conj", "resolve_conj", "resolve_neg", "lift", "detach_copy", "alias_copy",
)  # fmt: skip
def identity(low: Lowering, out: Outputs, x: Value, *options: Any, **named: Any) -> int:
    return low.node(x)


lowers("native_dropout")(lambda low, out, x, *options: [low.node(x), None])


@lowers("copy")
def copy(low: Lowering, out: Outputs, x: Value, source: Value | float, non_blocking: bool = False) -> int:
    """What an in-place copy leaves: the source, in the type and shape of the target."""
    if not isinstance(source, Value):
        return low.scalar(source)
    node = low.node(source)
    if source.dtype != out[0].dtype:
        node = low.add("Cast", node, shape=source.shape, to=out[0].dtype)
    return node if source.shape == out[0].shape else low.add("Expand", node, shape=out[0].shape)
