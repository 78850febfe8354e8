"""Complex numbers: pairs of real ones along a last axis, and the arithmetic that this makes of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import COMPLEX_LOWERINGS, LOWERINGS, Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT, Value
from cg_frontends.pytorch.lowerings.arguments import axes_of, axis_of
from cg_frontends.pytorch.lowerings.arithmetic import broadcast

Outputs = Sequence[Any]
Shape = tuple[int, ...]
#: Real and imaginary part; None where it is 0.
Parts = tuple["Value | float | None", "Value | float | None"]


def column(low: Lowering, node: Value | int) -> int:
    """Real numbers with a last axis of 1, along which their pairs lie."""
    node = low.node(node) if isinstance(node, Value) else node
    return low.reshape(node, (*low.shape(node), 1))


def joined(low: Lowering, real: Value | int, imaginary: Value | int) -> int:
    """Pairs of real and imaginary parts of one shape."""
    parts = [column(low, real), column(low, imaginary)]
    *lead, _ = low.shape(parts[0])
    return low.add("Concat", *parts, shape=(*lead, 2), axis=len(lead))


def scaled(low: Lowering, node: int, factor: float) -> int:
    """The node times a number."""
    return node if factor == 1 else low.add("Mul", node, low.scalar(factor), shape=low.shape(node))


def _part(low: Lowering, x: Value, which: int) -> Value:
    """The real (0) or imaginary part (1)."""
    if x.kind == TRACED or (x.kind == WEIGHT and x.place is None):
        return low.stand_in(low.reshape(low.cut(x, len(x.shape), which, which + 1), x.shape))
    both = low.computed("view_as_real", (x,), x.held, "float32")
    part = low.computed("select", (both, -1, which), x.shape, "float32")
    if x.place is not None:  # an operator may own it
        offset, sizes, strides = x.place
        part.leaf, part.place = x.leaf, (offset + which, sizes[:-1], strides[:-1])
    return part


def _parts(low: Lowering, x: Value | complex) -> Parts:
    if isinstance(x, Value):
        return (_part(low, x, 0), _part(low, x, 1)) if x.complex else (x, None)
    number = complex(x)
    return number.real or None, number.imag or None


def _pairs(low: Lowering, x: Value | complex) -> Any:
    """The node of a value or number as pairs."""
    if isinstance(x, Value) and x.complex:
        return low.node(x)
    if isinstance(x, Value):
        return low.add("Pad", column(low, x), shape=(*x.shape, 2), pads=(*(0,) * (2 * len(x.shape) + 1), 1))
    return NotImplemented if x else low.scalar(0.0)


def _bilinear(low: Lowering, name: str, out: Value, a: Parts, b: Parts, *lead: Any) -> int:
    """Pairs of a product that is linear in both: four real ones, or as many as have factors.

    Args:
        name: the operator of real values; ``lead``: what its arguments begin with, before a list of the factors.
    """

    def product(i: int, j: int) -> int | None:
        if a[i] is None or b[j] is None:
            return None
        factors = [factor.shape if isinstance(factor, Value) else () for factor in (a[i], b[j])]
        made = Value(TRACED, broadcast(*factors) if name == "mul" else out.shape, "float32")
        return LOWERINGS[f"aten::{name}"](low, (made,), *([*lead, [a[i], b[j]]] if lead else [a[i], b[j]]))  # type: ignore[return-value]

    def combined(op: str, x: int | None, y: int | None) -> int:
        if x is not None and y is not None:
            return low.add(op, x, y, shape=out.shape)
        if y is not None:
            return y if op == "Add" else low.add("Neg", y, shape=low.shape(y))
        return low.add("Constant", shape=out.shape, value=(0.0,)) if x is None else x

    return joined(low, combined("Sub", product(0, 0), product(1, 1)), combined("Add", product(0, 1), product(1, 0)))


def _is_real(x: Value | complex) -> bool:
    return not (x.complex if isinstance(x, Value) else isinstance(x, complex))


def _operand(low: Lowering, x: Value | float) -> int:
    """A real factor beside pairs."""
    if isinstance(x, Value) and x.kind == CONSTANT and x.fill is None:
        return low.node(low.computed("unsqueeze", (x, -1), (*x.shape, 1), x.dtype))
    node = low.operand(x)
    return column(low, node) if low.shape(node) else node


# --- between real and complex -----------------------------------------------------------------------------------------


@lowers(
    "view_as_complex", "view_as_real", "clone", "contiguous", "detach", "alias", "lift_fresh", "lift_fresh_copy", "dropout", "resolve_conj",
    "resolve_neg", "view_as_real_copy", "view_as_complex_copy", among=COMPLEX_LOWERINGS,
)  # fmt: skip
def same(low: Lowering, out: Outputs, x: Value, *options: Any, **named: Any) -> int:
    return low.node(x)


@lowers("to", "_to_copy", among=COMPLEX_LOWERINGS)
def to(low: Lowering, out: Outputs, x: Value, *target: Any, **options: Any) -> int:
    return _pairs(low, x) if out[0].complex else low.node(_part(low, x, 0))


@lowers("copy", among=COMPLEX_LOWERINGS)
def copy(low: Lowering, out: Outputs, x: Value, source: Value | complex, non_blocking: bool = False) -> Any:
    if not isinstance(source, Value):
        return NotImplemented
    node = _pairs(low, source) if out[0].complex else low.node(_part(low, source, 0))
    return node if low.shape(node) == out[0].held else _widened(low, node, source, out[0])


def _widened(low: Lowering, node: int, source: Value, out: Value) -> int:
    """What is copied into more places than it has, axes in front included."""
    lead = (1,) * (len(out.shape) - len(source.shape))
    return low.add("Expand", low.reshape(node, (*lead, *low.shape(node))) if lead else node, shape=out.held)


@lowers("complex", among=COMPLEX_LOWERINGS)
def complex_(low: Lowering, out: Outputs, real: Value, imaginary: Value) -> int:
    parts = [
        v if isinstance(v, int) else low.add("Expand", v, shape=out[0].shape)
        for v in (low.node(v) if v.shape == out[0].shape else v for v in (real, imaginary))
    ]
    return joined(low, *parts)


@lowers("polar", among=COMPLEX_LOWERINGS)
def polar(low: Lowering, out: Outputs, length: Value | int, angle: Value) -> int:
    turned = [low.add(op, angle, shape=angle.shape) for op in ("Cos", "Sin")]
    return joined(low, *(low.add("Mul", length, node, shape=out[0].shape) for node in turned))


@lowers("abs", "absolute", among=COMPLEX_LOWERINGS)
def abs_(low: Lowering, out: Outputs, x: Value) -> int:
    return low.add("ReduceL2", x, shape=out[0].shape, axes=(len(x.shape),), keepdims=False)


@lowers("angle", among=COMPLEX_LOWERINGS)
def angle(low: Lowering, out: Outputs, x: Value) -> int:
    return low.add("Atan2", _part(low, x, 1), _part(low, x, 0), shape=out[0].shape)


# --- arithmetic -------------------------------------------------------------------------------------------------------


@lowers("_conj", "_conj_physical", among=COMPLEX_LOWERINGS)
def conj(low: Lowering, out: Outputs, x: Value) -> int:
    return joined(low, _part(low, x, 0), low.add("Neg", _part(low, x, 1), shape=x.shape))


lowers("neg", "negative", among=COMPLEX_LOWERINGS)(lambda low, out, x: low.add("Neg", x, shape=out[0].held))


def _sum(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, a: Value, b: Value | complex, *, alpha: float = 1) -> int:
        if isinstance(b, Value):
            return low.add(op, _pairs(low, a), scaled(low, _pairs(low, b), alpha), shape=out[0].held)
        parts: list[Value | int] = [_part(low, a, 0), _part(low, a, 1)]
        number = complex(b) * alpha
        for i, part in enumerate((number.real, number.imag)):
            if part:
                parts[i] = low.add(op, parts[i], low.scalar(part), shape=a.shape)
        return joined(low, *parts)

    return lower


lowers("add", among=COMPLEX_LOWERINGS)(_sum("Add"))
lowers("sub", "subtract", among=COMPLEX_LOWERINGS)(_sum("Sub"))


@lowers("mul", "multiply", among=COMPLEX_LOWERINGS)
def mul(low: Lowering, out: Outputs, a: Value | complex, b: Value | complex) -> int:
    if _is_real(a) or _is_real(b):
        pairs, factor = (b, a) if _is_real(a) else (a, b)
        if isinstance(pairs, Value):
            return low.add("Mul", pairs, _operand(low, factor), shape=out[0].held)  # type: ignore[arg-type]
    return _bilinear(low, "mul", out[0], _parts(low, a), _parts(low, b))


@lowers("div", "divide", "true_divide", among=COMPLEX_LOWERINGS)
def div(low: Lowering, out: Outputs, a: Value | complex, b: Value | complex) -> Any:
    """By pairs: times their conjugate, over their squared length."""
    if not isinstance(b, Value) and not _is_real(b):
        return mul(low, out, a, 1 / b)
    if _is_real(b):
        return low.add("Div", a, _operand(low, b), shape=out[0].held)  # type: ignore[arg-type]
    assert isinstance(b, Value)
    top = mul(low, out, a, low.stand_in(conj(low, (b,), b), b.dtype))
    square = low.add("Mul", b, b, shape=b.held)
    length = low.add("ReduceSum", square, shape=(*b.shape, 1), axes=(len(b.shape),), keepdims=True)
    return low.add("Div", top, length, shape=out[0].held)


@lowers("exp", among=COMPLEX_LOWERINGS)
def exp(low: Lowering, out: Outputs, x: Value) -> int:
    real, imaginary = _part(low, x, 0), _part(low, x, 1)
    return polar(low, (x,), low.add("Exp", real, shape=x.shape), imaginary)


@lowers("where", among=COMPLEX_LOWERINGS)
def where(low: Lowering, out: Outputs, condition: Value, a: Value | complex, b: Value | complex) -> Any:
    nodes = [_pairs(low, a), _pairs(low, b)]
    if NotImplemented in nodes:
        return NotImplemented
    return low.add("Where", column(low, condition), *nodes, shape=out[0].held)


lowers("masked_fill", among=COMPLEX_LOWERINGS)(lambda low, out, x, mask, value: where(low, out, mask, value, x))


def _reduction(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, dim: Any = None, keepdim: bool = False, **named: Any) -> int:
        if not x.shape:
            return low.node(x)
        return low.add(op, x, shape=out[0].held, axes=axes_of(dim, len(x.shape)), keepdims=bool(keepdim))

    return lower


COMPLEX_LOWERINGS.update({"aten::sum": _reduction("ReduceSum"), "aten::mean": _reduction("ReduceMean")})


@lowers("matmul", "mm", "bmm", "mv", "dot", among=COMPLEX_LOWERINGS)
def matmul(low: Lowering, out: Outputs, a: Value, b: Value) -> int:
    return _bilinear(low, "matmul", out[0], _parts(low, a), _parts(low, b))


@lowers("linear", among=COMPLEX_LOWERINGS)
def linear(low: Lowering, out: Outputs, x: Value, weight: Value, bias: Value | None = None) -> int:
    node = _bilinear(low, "linear", out[0], _parts(low, x), _parts(low, weight))
    return node if bias is None else low.add("Add", node, bias, shape=out[0].held)


@lowers("einsum", among=COMPLEX_LOWERINGS)
def einsum(low: Lowering, out: Outputs, equation: str, operands: Sequence[Value], *, path: Any = None) -> Any:
    if len(operands) != 2:
        return NotImplemented
    return _bilinear(low, "einsum", out[0], *(_parts(low, v) for v in operands), equation)


# --- what only moves elements -----------------------------------------------------------------------------------------

#: Which arguments name axes, by operator.
_AXES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "_reshape_alias", "view_as", "reshape_as", "flatten", "unflatten", "squeeze"), ()),
    **dict.fromkeys(("unsqueeze", "expand", "broadcast_to", "expand_as", "index", "ravel"), ()),
    **dict.fromkeys(("pad", "constant_pad_nd", "repeat", "tile"), ()),
    **dict.fromkeys(("slice", "select", "unbind", "cat", "concat", "concatenate", "index_select", "cumsum", "index_add"), (1,)),
    **dict.fromkeys(("stack", "flip", "permute"), (1,)),
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "roll", "slice_scatter", "select_scatter"), (2,)),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), (1, 2)),
}  # fmt: skip


#: Those that join values, real ones too.
_JOINS = ("cat", "concat", "concatenate", "stack", "slice_scatter", "select_scatter", "index_add")


def _moved(name: str) -> Any:
    """The lowering of real values on the pairs, whose last axis stays last."""

    def lower(low: Lowering, out: Outputs, *args: Any, **named: Any) -> Any:
        if not all(v is None or v.complex for v in out):
            return NotImplemented  # the same bytes as another type
        if name in ("pad", "constant_pad_nd") and any(a for a in args[2:] if not isinstance(a, str)):
            return NotImplemented  # filled with a number
        rank = len(out[0].shape) if name == "stack" else len(_first(args).shape)
        given = list(args)
        for position in _AXES[name]:
            if position < len(given):
                given[position] = _counted(given[position], rank)
        named = {key: _counted(value, rank) if key in ("dim", "dims") else value for key, value in named.items()}
        if name == "permute":
            given[1] = [*given[1], rank]
        if name in ("repeat", "tile"):
            given[1] = [*given[1], 1]
        if name in ("pad", "constant_pad_nd"):
            given[1] = [0, 0, *given[1]]
        outputs = [None if v is None else Value(v.kind, v.held, "float32") for v in out]
        return LOWERINGS[f"aten::{name}"](low, outputs, *(_real(low, a, name in _JOINS) for a in given), **named)

    return lower


def _first(args: Sequence[Any]) -> Value:
    """The first value, of a list or alone."""
    first: Value = args[0] if isinstance(args[0], Value) else args[0][0]
    return first


def _counted(axes: Any, rank: int) -> Any:
    return axis_of(axes, rank) if isinstance(axes, int) else [axis_of(a, rank) for a in axes]


def _real(low: Lowering, argument: Any, joins: bool) -> Any:
    """An argument with pairs in the place of complex values, and of all floats where they are joined."""
    if isinstance(argument, Value) and (argument.complex or (joins and "float" in argument.dtype)):
        return low.stand_in(_pairs(low, argument))
    if isinstance(argument, (list, tuple)):
        return [_real(low, item, joins) for item in argument]
    return argument


COMPLEX_LOWERINGS.update({f"aten::{name}": _moved(name) for name in _AXES})


@lowers("t", "numpy_T", "mT", among=COMPLEX_LOWERINGS)
def t(low: Lowering, out: Outputs, x: Value) -> int:
    rank = len(x.shape)
    return low.transpose(x, (*range(rank - 2), rank - 1, rank - 2, rank))
