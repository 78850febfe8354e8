"""Operators that move, join or pick elements."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Value
from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_ir import SourceError


def one_axis(axis: Any, rank: int) -> int:
    """An axis counted from 0.

    Raises:
        SourceError: there is none.
    """
    if not -rank <= int(axis) < rank:
        raise SourceError(f"axis {axis} is outside the {rank} axes")
    return int(axis) % rank


@reads("Reshape")
def reshape(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    wanted = o.required(1, "shape")
    if not o.attrs.get("allowzero", 0):
        wanted = [before[i] if size == 0 else size for i, size in enumerate(wanted)]
    if im.examples > 1 and isinstance(o.input(0), int):
        wanted = _of_one_example(wanted, before, im.examples)
    if -1 in wanted:
        rest = prod(size for size in wanted if size != -1)
        if rest < 1 or prod(before) % rest:
            raise SourceError(f"shape {list(before)} cannot be read as {wanted}: the number of elements differs")
        wanted[wanted.index(-1)] = prod(before) // rest
    return im.reshape(o.input(0), tuple(wanted))


def _of_one_example(wanted: list[int], before: tuple[int, ...], examples: int) -> list[int]:
    """A shape that was written for several examples, for one of shape ``before``.

    Axes in front that stay hold no batch; it is the outer factor of the first that changes.
    """
    rest = prod(size for size in wanted if size != -1)
    whole = prod(before) * examples
    if whole % max(rest, 1) or (-1 not in wanted and rest != whole):
        return wanted  # written for one already
    filled = [whole // rest if size == -1 else size for size in wanted]
    place = next((i for i, size in enumerate(filled) if size != 1 and before[i : i + 1] != (size,)), None)
    if place is None or filled[place] % examples:
        return wanted
    return [size // examples if i == place else size for i, size in enumerate(filled)]


@reads("Flatten")
def flatten(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    axis = int(o.attrs.get("axis", 1))
    axis = len(before) if axis == len(before) else one_axis(axis, len(before))
    return im.reshape(o.input(0), (prod(before[:axis]), prod(before[axis:])))


@reads("Squeeze")
def squeeze(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    axes = o.numbers(1, "axes")
    gone = (
        {i for i, size in enumerate(before) if size == 1} if axes is None else {one_axis(a, len(before)) for a in axes}
    )
    if any(before[i] != 1 for i in gone):
        raise SourceError(f"axes {sorted(gone)} of shape {list(before)} are not all of size 1")
    return im.reshape(o.input(0), tuple(size for i, size in enumerate(before) if i not in gone))


@reads("Unsqueeze")
def unsqueeze(im: Importer, o: Operation) -> Any:
    before = list(im.shape(o.input(0)))
    axes = o.required(1, "axes")
    rank = len(before) + len(axes)
    for axis in sorted(one_axis(a, rank) for a in axes):
        before.insert(axis, 1)
    return im.reshape(o.input(0), tuple(before))


@reads("Transpose")
def transpose(im: Importer, o: Operation) -> Any:
    rank = len(im.shape(o.input(0)))
    perm = tuple(int(a) for a in o.attrs.get("perm") or range(rank - 1, -1, -1))
    if sorted(perm) != list(range(rank)):
        raise SourceError(f"perm {list(perm)} is no permutation of the {rank} axes")
    return im.transpose(o.input(0), perm)


@reads("Slice")
def slice_(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    rank = len(shape)
    starts, ends = o.required(1, "starts"), o.required(2, "ends")
    axes = o.numbers(3, "axes") or list(range(len(starts)))
    steps = o.numbers(4) or [1] * len(starts)
    begin, stop, step = [0] * rank, list(shape), [1] * rank
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        axis = one_axis(axis, rank)
        begin[axis], stop[axis], step[axis] = slice(start, end, stride).indices(shape[axis])
    return im.add("Slice", o.input(0), starts=begin, ends=stop, steps=step)


@reads("Split")
def split(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    axis = int(o.attrs.get("axis", 0)) % len(shape)
    sizes = o.numbers(1, "split")
    if sizes is None and int(o.attrs.get("num_outputs") or o.outputs) != o.outputs:
        raise SourceError(f"has {o.outputs} outputs, but num_outputs {o.attrs['num_outputs']}")
    if sizes is None:
        part = shape[axis] // o.outputs if im.opset < 18 else -(-shape[axis] // o.outputs)
        sizes = [part] * (o.outputs - 1) + [shape[axis] - part * (o.outputs - 1)]
    if sum(sizes) != shape[axis] or len(sizes) != o.outputs:
        raise SourceError(f"parts {sizes} should be {o.outputs} and add up to the {shape[axis]} of axis {axis}")
    if len(sizes) == 1:
        return [o.input(0)]
    node = im.add("Split", o.input(0), axis=axis, split=sizes)
    parts = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    return [node, *(im.add("Select", node, shape=parts[i], index=i) for i in range(1, len(sizes)))]


@reads("Concat")
def concat(im: Importer, o: Operation) -> Any:
    parts = [v for v in o.inputs if 0 not in im.shape(v)]
    axis = one_axis(o.attrs["axis"], len(im.shape(parts[0])))
    return [parts[0]] if len(parts) == 1 else im.add("Concat", *parts, axis=axis)


@reads("Expand")
def expand(im: Importer, o: Operation) -> Any:
    before, wanted = im.shape(o.input(0)), o.required(1)
    rank = max(len(before), len(wanted))
    if rank > 32 or any(size < 1 for size in wanted):
        raise SourceError(f"shape {wanted[:8]} is no shape that a graph can hold")
    if im.examples > 1 and wanted[0] == im.examples and (len(before) < len(wanted) or before[0] == 1):
        wanted = [1, *wanted[1:]]
    left = (1,) * (rank - len(before)) + before
    right = (1,) * (rank - len(wanted)) + tuple(wanted)
    return im.add("Expand", o.input(0), shape=[b if a == 1 else a for a, b in zip(left, right, strict=True)])


reads("Tile")(lambda im, o: im.add("Tile", o.input(0), repeats=o.numbers(1)))


@reads("Pad")
def pad(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    rank = len(shape)
    given = o.required(1, "pads")
    axes = [one_axis(a, rank) for a in o.numbers(3) or range(len(given) // 2)]
    pads = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        pads[axis], pads[rank + axis] = given[i], given[len(axes) + i]
    mode = o.attrs.get("mode", "constant")
    value = float(o.attrs.get("value", 0.0))
    filler = o.input(2)
    if mode == "constant" and filler is not None:
        if not isinstance(filler, Value) or filler.fill is None:
            return NotImplemented
        value = filler.fill
    return im.add("Pad", o.input(0), pads=pads, mode=mode, value=im.low.finite(value))


@reads("Gather")
def gather(im: Importer, o: Operation) -> Any:
    data, index = o.input(0), o.input(1)
    shape = im.shape(data)
    axis = int(o.attrs.get("axis", 0)) % len(shape)
    numbers = o.array(1)
    if numbers is not None and numbers.ndim == 0:
        start = int(numbers) % shape[axis]
        row = im.low.cut(im.node(data), axis, start, start + 1)
        return im.reshape(row, (*shape[:axis], *shape[axis + 1 :]))
    traced = not (isinstance(index, Value) and index.kind == CONSTANT)
    if isinstance(data, Value) and data.kind == WEIGHT and len(shape) == 2 and axis == 0 and traced and im.owned(data):
        return im.add("Embedding", index, channels=shape[1], slots=(data,), num_embeddings=shape[0])
    return im.add("Gather", data, _from_zero(im, o, axis), axis=axis)


@reads("GatherElements")
def gather_elements(im: Importer, o: Operation) -> Any:
    axis = one_axis(o.attrs.get("axis", 0), len(im.shape(o.input(0))))
    return im.add(o.op, o.input(0), _from_zero(im, o, axis), axis=axis)


@reads("GatherND", "ScatterND")
def by_columns(im: Importer, o: Operation) -> Any:
    """Indices as ONNX has them, several numbers a place along the last axis, become one tensor an axis."""
    data, index = im.shape(o.input(0)), im.shape(o.input(1))
    if not index or index[-1] > len(data) or index[-1] < 1:
        raise SourceError(f"indices of shape {list(index)} do not name places of shape {list(data)}")
    batch = int(o.attrs.get("batch_dims", 0))
    if o.op == "GatherND":
        if batch + index[-1] > len(data):
            raise SourceError(f"{batch} batch axes and {index[-1]} indices for the {len(data)} axes of the input")
        columns = _columns(im, o.input(1), index, data[batch:])
        leading = [_counted(im, index[:-1], axis) for axis in range(batch)]
        return im.add("GatherND", o.input(0), *leading, *columns)
    columns, how = _columns(im, o.input(1), index, data), o.attrs.get("reduction", "none")
    return im.add("ScatterND", o.input(0), *columns, o.input(2), reduction=how)


def _columns(im: Importer, value: Any, index: tuple[int, ...], sizes: tuple[int, ...]) -> list[int]:
    """One index tensor for each column, negative numbers counted from the end."""
    if index[-1] == 1:
        return [im.reshape(value, index[:-1])]
    node = im.node(value)
    return [im.reshape(im.low.cut(node, len(index) - 1, i, i + 1), index[:-1]) for i in range(index[-1])]


def _counted(im: Importer, shape: tuple[int, ...], axis: int) -> int | Value:
    """The numbers 0, 1, ... along an axis of this many."""
    size = [1] * len(shape)
    size[axis] = shape[axis]
    return im.constant(np.arange(im.bounded(shape[axis]), dtype=np.int64).reshape(size))


@reads("ScatterElements", "Scatter")
def scatter_elements(im: Importer, o: Operation) -> Any:
    how, axis = o.attrs.get("reduction", "none"), one_axis(o.attrs.get("axis", 0), len(im.shape(o.input(0))))
    return im.add("ScatterElements", o.input(0), _from_zero(im, o, axis), o.input(2), axis=axis, reduction=how)


def _from_zero(im: Importer, o: Operation, axis: int) -> Any:
    """Positions along an axis; negative ones, where they are known, counted from 0."""
    numbers = o.array(1)
    if numbers is None or numbers.size == 0 or numbers.min() >= 0:
        return o.input(1)
    return im.constant(np.mod(numbers.astype(np.int64), im.shape(o.input(0))[axis]))


@reads("OneHot")
def one_hot(im: Importer, o: Operation) -> Any:
    depth, values = o.numbers(1), o.array(2)
    x = im.node(o.input(0))
    shape = im.shape(x)
    if depth is None or values is None or values.size != 2 or depth[0] < 1:
        return NotImplemented
    axis = int(o.attrs.get("axis", -1))
    axis = one_axis(axis, len(shape) + 1)
    places = im.add("Mod", im.add("Cast", x, to="int64"), im.scalar(float(depth[0])))
    node = im.add("Cast", im.add("OneHot", places, channels=depth[0]), to=o.dtype(2))
    off, on = (float(v) for v in values.reshape(-1))
    if on - off != 1.0:
        node = im.add("Mul", node, im.scalar(on - off))
    if off:
        node = im.add("Add", node, im.scalar(off))
    rank = len(shape) + 1
    return node if axis == rank - 1 else im.transpose(node, (*range(axis), rank - 1, *range(axis, rank - 1)))
