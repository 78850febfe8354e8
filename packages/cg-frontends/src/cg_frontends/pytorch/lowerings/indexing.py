"""Indexing by tensors, windows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, Value
from cg_frontends.pytorch.constants import elements
from cg_frontends.pytorch.lowerings.arguments import axis_of, each

Outputs = Sequence[Any]


def _picks(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, dim: int, index: Value, *, sparse_grad: bool = False) -> int:
        return low.add(op, x, index, shape=out[0].shape, axis=axis_of(dim, len(x.shape)))

    return lower


lowers("index_select")(_picks("Gather"))
lowers("gather")(_picks("GatherElements"))


@lowers("index", "_unsafe_index")
def index(low: Lowering, out: Outputs, x: Value, indices: Sequence[Value | None]) -> Any:
    named = [(axis, i) for axis, i in enumerate(indices) if i is not None]
    if not named or any(i.dtype in ("bool", "uint8") for _, i in named):
        return NotImplemented
    shape = out[0].shape
    if len(named) == 1:
        axis, where = named[0]
        known = elements(where)
        if known is not None and bool((known < 0).any()):
            where = low.computed("remainder", (where, x.shape[axis]), where.shape, where.dtype)
        return low.add("Gather", x, where, shape=shape, axis=axis)
    axes = [axis for axis, _ in named]
    rank = len(x.shape)
    front = low.node(x)
    if axes != list(range(len(axes))):
        front = low.transpose(front, [*axes, *(a for a in range(rank) if a not in axes)])
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    width = len(shape) - (rank - len(axes))  # axes of the broadcast indices
    if not together or axes[0] == 0:
        return low.add("GatherND", front, *(i for _, i in named), shape=shape)
    # neighbouring indices stay in their place: gather in front, then move back
    begin = axes[0]
    gathered = (*shape[begin : begin + width], *shape[:begin], *shape[begin + width :])
    node = low.add("GatherND", front, *(i for _, i in named), shape=gathered)
    perm = [*range(width, width + begin), *range(width), *range(width + begin, len(shape))]
    return low.transpose(node, perm)


_REDUCES = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}


@lowers("scatter")
def scatter(
    low: Lowering, out: Outputs, x: Value, dim: int, index: Value, source: Value | float, *, reduce: str | None = None
) -> Any:
    if reduce not in (None, "add", "multiply"):
        return NotImplemented
    how = {None: "none", "add": "add", "multiply": "mul"}[reduce]
    return _scatter(low, out, x, dim, index, source, how)


lowers("scatter_add")(lambda low, out, x, dim, index, source: _scatter(low, out, x, dim, index, source, "add"))


lowers("scatter_reduce")(
    lambda low, out, x, dim, index, source, reduce, *, include_self=True: _scatter(
        low, out, x, dim, index, source, _REDUCES.get(reduce, "") if include_self else ""
    )
)


def _scatter(
    low: Lowering, out: Outputs, x: Value, dim: int, index: Value, source: Value | float, reduction: str
) -> Any:
    if not reduction or not x.shape or not index.shape:
        return NotImplemented
    if isinstance(source, Value):
        new = low.node(source)
    else:
        new = low.add("Constant", shape=index.shape, value=(low.finite(source),))
    axis = axis_of(dim, len(x.shape))
    return low.add("ScatterElements", x, index, new, shape=out[0].shape, axis=axis, reduction=reduction)


@lowers("index_add")
def index_add(low: Lowering, out: Outputs, x: Value, dim: int, index: Value, source: Value, *, alpha: float = 1) -> Any:
    return _along(low, out, x, dim, index, source, "add", alpha)


lowers("index_copy")(lambda low, out, x, dim, index, source: _along(low, out, x, dim, index, source, "none"))


def _along(
    low: Lowering, out: Outputs, x: Value, dim: int, index: Value, source: Value, reduction: str, alpha: float = 1
) -> Any:
    """Rows of an axis, named by a vector, meet new ones."""
    rank = len(x.shape)
    if not rank or len(index.shape) != 1 or len(source.shape) != rank:
        return NotImplemented
    axis = axis_of(dim, rank)
    node = low.node(source)
    if alpha != 1:
        node = low.add("Mul", node, low.scalar(alpha), shape=source.shape)
    wide = (index.shape[0], *(1,) * (rank - 1 - axis))
    if index.kind == CONSTANT:
        column = low.computed("reshape", (index, wide), wide, index.dtype)
        places = low.node(low.computed("expand", (column, source.shape), source.shape, index.dtype))
    else:
        places = low.add("Expand", low.reshape(index, wide), shape=source.shape)
    return low.add("ScatterElements", x, places, node, shape=out[0].shape, axis=axis, reduction=reduction)


@lowers("index_put", "_index_put_impl", "_unsafe_index_put")
def index_put(
    low: Lowering, out: Outputs, x: Value, indices: Any, values: Value, accumulate: bool = False, *unsafe: Any
) -> Any:
    if not indices or any(i is None or i.dtype in ("bool", "uint8") for i in indices):
        return NotImplemented
    places, how = (i for i in indices if i is not None), "add" if accumulate else "none"
    return low.add("ScatterND", x, *places, values, shape=out[0].shape, reduction=how)


lowers("one_hot")(lambda low, out, x, num_classes=-1: low.add("OneHot", x, shape=out[0].shape))


@lowers("unfold", "unfold_copy")
def unfold(low: Lowering, out: Outputs, x: Value, dim: int, size: int, step: int) -> Any:
    """Windows along one axis: columns of an image of one row."""
    rank = len(x.shape)
    if not rank:
        return NotImplemented
    axis = axis_of(dim, rank)
    rest = [i for i in range(rank) if i != axis]
    lead = tuple(x.shape[i] for i in rest)
    rows = low.reshape(low.transpose(x, [*rest, axis]), (prod(lead), 1, 1, x.shape[axis]))
    count = out[0].shape[axis]
    columns = low.add(
        "Im2Col", rows, shape=(prod(lead), size, count), kernel_shape=(1, size), strides=(1, step), pads=(0,) * 4
    )
    windows = low.reshape(low.transpose(columns, (0, 2, 1)), (*lead, count, size))
    back = [*range(axis), rank - 1, *range(axis, rank - 1), rank]
    return low.transpose(windows, back)


@lowers("unfold_backward")
def unfold_backward(low: Lowering, out: Outputs, x: Value, sizes: Sequence[int], dim: int, size: int, step: int) -> int:
    """Windows along one axis, added up where they lay."""
    rank = len(sizes)
    axis = axis_of(dim, rank)
    rest = [i for i in range(rank) if i != axis]
    lead = tuple(sizes[i] for i in rest)
    columns = low.reshape(low.transpose(x, [*rest, rank, axis]), (prod(lead), size, x.shape[axis]))
    image, windows = (prod(lead), 1, 1, sizes[axis]), (1, size)
    rows = low.add("Col2Im", columns, shape=image, kernel_shape=windows, strides=(1, step), pads=(0,) * 4)
    back = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return low.transpose(low.reshape(rows, (*lead, sizes[axis])), back)


def _columns(op: str, low: Lowering, out: Outputs, x: Value, *windows: Any) -> int:
    kernel, dilations, pads, strides = (each(value, 2) for value in windows)
    shape = out[0].shape
    return low.add(op, x, shape=shape, kernel_shape=kernel, dilations=dilations, pads=pads * 2, strides=strides)


lowers("im2col")(lambda low, out, x, *windows: _columns("Im2Col", low, out, x, *windows))
lowers("col2im")(lambda low, out, x, size, *windows: _columns("Col2Im", low, out, x, *windows))
