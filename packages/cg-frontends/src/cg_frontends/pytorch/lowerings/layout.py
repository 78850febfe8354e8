"""Operators that move or rename elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, cut, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axis_of, each

Outputs = Sequence[Any]


@lowers(
    "view", "reshape", "_unsafe_view", "_reshape_alias", "view_as", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze",
    "view_copy", "_reshape_copy", "squeeze_copy", "unsqueeze_copy", "ravel", "atleast_1d", "atleast_2d", "atleast_3d",
)  # fmt: skip
def reshape(low: Lowering, out: Outputs, x: Value, *sizes: Any, **named: Any) -> Any:
    """The builder finds the name (Flatten, Squeeze, Unsqueeze) that fits the change of shape."""
    if isinstance(x, (list, tuple)):  # atleast_1d and its like take several
        return [low.reshape(v, o.shape) for v, o in zip(x, out, strict=True)]
    if out[0].dtype != x.dtype:
        return NotImplemented  # a view of the same bytes as another type
    return low.reshape(x, out[0].shape)


@lowers("transpose", "swapaxes", "swapdims", "transpose_copy")
def transpose(low: Lowering, out: Outputs, x: Value, a: int, b: int) -> int:
    rank = len(x.shape)
    if rank < 2:
        return low.node(x)
    perm = list(range(rank))
    i, j = axis_of(a, rank), axis_of(b, rank)
    perm[i], perm[j] = j, i
    return low.transpose(x, perm)


lowers("t", "numpy_T", "mT", "t_copy")(lambda low, out, x: transpose(low, out, x, -2, -1))
lowers("permute", "permute_copy")(lambda low, out, x, dims: low.transpose(x, [axis_of(d, len(x.shape)) for d in dims]))


@lowers("expand", "expand_copy", "broadcast_to", "expand_as")
def expand(low: Lowering, out: Outputs, x: Value, *sizes: Any, **named: Any) -> int:
    return low.add("Expand", x, shape=out[0].shape)


@lowers("fill")
def fill(low: Lowering, out: Outputs, filled: Value, value: Value) -> int:
    """A tensor filled with one number that the network computes."""
    return low.add("Expand", value, shape=out[0].shape)


@lowers("repeat", "tile")
def repeat(low: Lowering, out: Outputs, x: Value, repeats: Sequence[int]) -> int:
    rank = len(out[0].shape)
    repeats = (*(1,) * (rank - len(repeats)), *repeats)
    node = low.node(x) if len(x.shape) == rank else low.reshape(x, (*(1,) * (rank - len(x.shape)), *x.shape))
    return low.add("Tile", node, shape=out[0].shape, repeats=repeats)


@lowers("slice", "slice_copy")
def slice_(
    low: Lowering, out: Outputs, x: Value, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> int:
    axis = axis_of(dim, len(x.shape))
    begin, stop, _ = slice(start, end).indices(x.shape[axis])
    return low.cut(x, axis, begin, stop, step)


@lowers("select", "select_copy")
def select(low: Lowering, out: Outputs, x: Value, dim: int, index: int) -> int:
    axis = axis_of(dim, len(x.shape))
    start = index % x.shape[axis]
    return low.reshape(low.cut(x, axis, start, start + 1), out[0].shape)


@lowers("slice_scatter")
def slice_scatter(
    low: Lowering, out: Outputs, x: Value, part: Value, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> int:
    shape, axis = out[0].shape, axis_of(dim, len(x.shape))
    begin, stop, _ = slice(start, end).indices(x.shape[axis])
    if part.shape == shape:
        return low.node(part)
    return low.add("SliceScatter", x, part, shape=shape, **cut(shape, axis, begin, stop, step))


@lowers("select_scatter")
def select_scatter(low: Lowering, out: Outputs, x: Value, part: Value, dim: int, index: int) -> int:
    shape = out[0].shape
    axis = axis_of(dim, len(shape))
    start = index % shape[axis]
    row = low.reshape(part, (*shape[:axis], 1, *shape[axis + 1 :]))
    return (
        row if shape[axis] == 1 else low.add("SliceScatter", x, row, shape=shape, **cut(shape, axis, start, start + 1))
    )


@lowers(
    "split", "split_with_sizes", "split_with_sizes_copy", "split_copy", "chunk", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk",
)  # fmt: skip
def split(low: Lowering, out: Outputs, x: Value, given: Any, dim: int = 0) -> list[int | None]:
    axis = axis_of(dim, len(x.shape))
    sizes = [v.shape[axis] for v in out]
    if len(sizes) == 1:
        return [low.node(x)]
    if not all(sizes):
        return [
            None if not size else low.cut(x, axis, sum(sizes[:i]), sum(sizes[: i + 1])) for i, size in enumerate(sizes)
        ]
    return low.select(low.add("Split", x, shape=out[0].shape, axis=axis, split=sizes), out)


@lowers("unbind", "unbind_copy")
def unbind(low: Lowering, out: Outputs, x: Value, dim: int = 0) -> list[int | None]:
    axis = axis_of(dim, len(x.shape))
    count = x.shape[axis]
    if count == 1:
        return [low.reshape(x, out[0].shape)]
    row = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    first = low.add("Split", x, shape=row, axis=axis, split=(1,) * count)
    rows = [first, *(low.add("Select", first, shape=row, index=i) for i in range(1, count))]
    return [low.reshape(node, value.shape) for node, value in zip(rows, out, strict=True)]


@lowers("diagonal", "diagonal_copy")
def diagonal(low: Lowering, out: Outputs, x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> int:
    """Rows and columns in one axis, from which every (columns + 1)-th element is taken."""
    rank, (count,) = len(x.shape), out[0].shape[-1:]
    first, second = axis_of(dim1, rank), axis_of(dim2, rank)
    rest = [i for i in range(rank) if i not in (first, second)]
    rows, columns = x.shape[first], x.shape[second]
    lead = tuple(x.shape[i] for i in rest)
    flat = low.reshape(low.transpose(x, [*rest, first, second]), (*lead, rows * columns))
    start = offset if offset >= 0 else -offset * columns
    end = start + (count - 1) * (columns + 1) + 1
    return low.cut(flat, len(lead), start, end, columns + 1)


@lowers("roll")
def roll(low: Lowering, out: Outputs, x: Value, shifts: Any, dims: Any = ()) -> Any:
    axes = each(dims, 1) if isinstance(dims, int) else tuple(dims)
    if not axes:
        return NotImplemented
    pairs = [
        (axis, shift % x.shape[axis])
        for axis, shift in zip((axis_of(d, len(x.shape)) for d in axes), each(shifts, len(axes)), strict=True)
    ]
    moved = sorted((axis, shift) for axis, shift in pairs if shift)
    if not moved:
        return low.node(x)
    return low.add("Roll", x, shape=out[0].shape, shifts=[s for _, s in moved], axes=[a for a, _ in moved])


@lowers("flip")
def flip(low: Lowering, out: Outputs, x: Value, dims: Sequence[int]) -> int:
    shape = x.shape
    axes = {axis_of(d, len(shape)) for d in dims}
    return low.add(
        "Slice",
        x,
        shape=shape,
        starts=[size - 1 if i in axes else 0 for i, size in enumerate(shape)],
        ends=[-1 if i in axes else size for i, size in enumerate(shape)],
        steps=[-1 if i in axes else 1 for i in range(len(shape))],
    )


def _blocks(op: str) -> Any:
    def lower(low: Lowering, out: Outputs, x: Value, factor: int) -> Any:
        images = len(x.shape) == 4
        return low.add(op, x, shape=out[0].shape, blocksize=factor, mode="CRD") if images else NotImplemented

    return lower


lowers("pixel_shuffle")(_blocks("DepthToSpace"))
lowers("pixel_unshuffle")(_blocks("SpaceToDepth"))


@lowers("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(low: Lowering, out: Outputs, x: Value, groups: int) -> int:
    n, c, *rest = x.shape
    node = low.reshape(x, (n, groups, c // groups, *rest))
    node = low.transpose(node, (0, 2, 1, *range(3, 3 + len(rest))))
    return low.reshape(node, out[0].shape)
