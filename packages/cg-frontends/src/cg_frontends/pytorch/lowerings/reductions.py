"""Reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axes_of, axis_of, filled
from cg_frontends.pytorch.lowerings.arithmetic import typed

Outputs = Sequence[Any]


def _reduce(
    low: Lowering, shape: tuple[int, ...], op: str, x: Value | int, rank: int, dim: Any, keepdim: bool, **attrs: Any
) -> int:
    if rank == 0:
        return low.node(x) if isinstance(x, Value) else x
    return low.add(op, x, shape=shape, axes=axes_of(dim, rank), keepdims=bool(keepdim), **attrs)


def _plain(op: str) -> Any:
    def lower(
        low: Lowering, out: Outputs, x: Value, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
    ) -> int:
        return _reduce(low, out[0].shape, op, typed(low, x, dtype), len(x.shape), dim, keepdim)

    return lower


for _name, _op in {
    "mean": "Mean", "sum": "Sum", "amax": "Max", "amin": "Min", "prod": "Prod", "logsumexp": "LogSumExp",
}.items():  # fmt: skip
    lowers(_name)(_plain(f"Reduce{_op}"))


def _extreme(reduction: str, position: str, elementwise: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, dim: Any = None, keepdim: bool = False) -> Any:
        if isinstance(dim, Value):
            return low.add(elementwise, x, dim, shape=out[0].shape)
        rank = len(x.shape)
        first = _reduce(low, out[0].shape, reduction, x, rank, dim, keepdim)
        if dim is None:
            return first
        where = low.add(position, x, shape=out[0].shape, axis=axis_of(dim, rank), keepdims=bool(keepdim))
        return [first, where]

    return lower


lowers("max")(_extreme("ReduceMax", "ArgMax", "Max"))
lowers("min")(_extreme("ReduceMin", "ArgMin", "Min"))


def _position(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, dim: int | None = None, keepdim: bool = False) -> int:
        if dim is None:
            return low.add(op, low.reshape(x, (prod(x.shape),)), shape=out[0].shape, axis=0, keepdims=False)
        return low.add(op, x, shape=out[0].shape, axis=axis_of(dim, len(x.shape)), keepdims=bool(keepdim))

    return lower


lowers("argmax")(_position("ArgMax"))
lowers("argmin")(_position("ArgMin"))


def _norm(low: Lowering, out: Outputs, x: Value, order: Any, dim: Any, keepdim: bool) -> Any:
    rank, shape = len(x.shape), out[0].shape
    if not rank and order != 0:
        return low.add("Abs", x, shape=shape)
    op = {1: "ReduceL1", 2: "ReduceL2", None: "ReduceL2"}.get(order)
    if op is not None:
        return _reduce(low, shape, op, x, rank, dim, keepdim)
    size = low.add("Abs", x, shape=x.shape)
    if abs(order) == float("inf"):
        return _reduce(low, shape, "ReduceMax" if order > 0 else "ReduceMin", size, rank, dim, keepdim)
    if order == 0:
        return NotImplemented
    power = low.add("Pow", size, low.scalar(float(order)), shape=x.shape)
    return low.add(
        "Pow", _reduce(low, shape, "ReduceSum", power, rank, dim, keepdim), low.scalar(1 / order), shape=shape
    )


@lowers("linalg_vector_norm")
def vector_norm(
    low: Lowering, out: Outputs, x: Value, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    return _norm(low, out, x, ord, dim, keepdim)


@lowers("cdist", "_cdist_forward")
def cdist(low: Lowering, out: Outputs, a: Value, b: Value, p: float = 2.0, *mode: Any) -> Any:
    """Norms of the differences of all pairs of rows."""
    rows = low.reshape(a, (*a.shape[:-1], 1, a.shape[-1]))
    columns = low.reshape(b, (*b.shape[:-2], 1, *b.shape[-2:]))
    apart = low.stand_in(low.add("Sub", rows, columns, shape=(*out[0].shape, a.shape[-1])))
    return _norm(low, out, apart, p, -1, False)


lowers("norm")(lambda low, out, x, p=2, dim=None, keepdim=False, *, dtype=None: _norm(low, out, x, p, dim, keepdim))


def _correction(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    if isinstance(dim, bool):  # the overload var(x, unbiased)
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 1 if unbiased is None or unbiased else 0


@lowers("var_mean")
def var_mean(low: Lowering, out: Outputs, x: Value, dim: Any = None, *given: Any, **named: Any) -> Any:
    unbiased, keep = filled(given, None, named.get("keepdim", False))
    axes, correction = _correction(dim, unbiased, named.get("correction"))
    if correction != int(correction):
        return NotImplemented
    shapes, rank = [value.shape for value in out], len(x.shape)
    made = [_reduce(low, shapes[0], "ReduceVariance", x, rank, axes, keep, correction=int(correction))]
    return [*made, *(_reduce(low, shape, "ReduceMean", x, rank, axes, keep) for shape in shapes[1:])]


lowers("var")(var_mean)


@lowers("std", "std_mean")
def std_mean(low: Lowering, *given: Any, **named: Any) -> Any:
    made = var_mean(low, *given, **named)
    return made if made is NotImplemented else [low.add("Sqrt", made[0], shape=low.shape(made[0])), *made[1:]]


def _holds(op: str) -> Any:
    """Whether any, or all, elements hold: the greatest, or least, of truth values."""

    def lower(low: Lowering, out: Outputs, x: Value, dim: Any = None, keepdim: bool = False) -> int:
        node = low.node(x) if x.dtype == "bool" else low.add("Cast", x, shape=x.shape, to="bool")
        return _reduce(low, out[0].shape, op, node, len(x.shape), dim, keepdim)

    return lower


lowers("any")(_holds("ReduceMax"))
lowers("all")(_holds("ReduceMin"))


def _ordered(low: Lowering, x: Value, shape: Sequence[int], dim: int, largest: Any) -> int:
    """The greatest or least of an axis in order, as many as the shape says."""
    axis = axis_of(dim, len(x.shape))
    return low.add("TopK", x, shape=shape, axis=axis, k=shape[axis], largest=bool(largest))


@lowers("sort")
def sort(
    low: Lowering, out: Outputs, x: Value, dim: Any = -1, descending: Any = False, *, stable: Any = None, **named: Any
) -> Any:
    """All of an axis in order."""
    dim, descending = named.get("dim", dim), named.get("descending", descending)
    if (
        not x.shape or isinstance(descending, Value) or isinstance(dim, bool)
    ):  # the overload with `stable` in front is always named
        return NotImplemented
    return low.select(_ordered(low, x, x.shape, dim, descending), out)


lowers("msort")(lambda low, out, x: sort(low, out, x, 0)[:1] if x.shape else NotImplemented)


@lowers("argsort")
def argsort(low: Lowering, out: Outputs, x: Value, dim: int = -1, descending: bool = False, **named: Any) -> Any:
    if not x.shape:
        return NotImplemented
    return low.add("Select", _ordered(low, x, x.shape, dim, descending), shape=x.shape, index=1)


@lowers("kthvalue")
def kthvalue(low: Lowering, out: Outputs, x: Value, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The last of the k least."""
    if not x.shape:
        return NotImplemented
    axis = axis_of(dim, len(x.shape))
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    least = _ordered(low, x, shape, dim, False)
    both = (least, low.add("Select", least, shape=shape, index=1))
    return [low.reshape(low.cut(node, axis, k - 1, k), out[0].shape) for node in both]


@lowers("median")
def median(low: Lowering, out: Outputs, x: Value, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower one of an even number."""
    if dim is None:
        return kthvalue(low, out, low.stand_in(low.reshape(x, (prod(x.shape),)), x.dtype), (prod(x.shape) + 1) // 2)[:1]
    return kthvalue(low, out, x, (x.shape[axis_of(dim, len(x.shape))] + 1) // 2, dim) if x.shape else NotImplemented


@lowers("topk")
def topk(low: Lowering, out: Outputs, x: Value, k: int, dim: int = -1, largest: bool = True, order: bool = True) -> Any:
    return low.select(_ordered(low, x, out[0].shape, dim, largest), out) if x.shape else NotImplemented
