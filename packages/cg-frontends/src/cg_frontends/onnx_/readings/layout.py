"""Operators that move, join or pick elements."""

from __future__ import annotations

from math import prod
from typing import Any

from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Value
from cg_frontends.onnx_.importer import Importer, Operation, reads


@reads("Reshape")
def reshape(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    wanted = o.numbers(1, "shape")
    assert wanted is not None
    if not o.attrs.get("allowzero", 0):
        wanted = [before[i] if size == 0 else size for i, size in enumerate(wanted)]
    if -1 in wanted:
        rest = prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = prod(before) // max(rest, 1)
    return im.reshape(o.input(0), tuple(wanted))


@reads("Flatten")
def flatten(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    axis = int(o.attrs.get("axis", 1))
    axis += len(before) if axis < 0 else 0
    return im.reshape(o.input(0), (prod(before[:axis]), prod(before[axis:])))


@reads("Squeeze")
def squeeze(im: Importer, o: Operation) -> Any:
    before = im.shape(o.input(0))
    axes = o.numbers(1, "axes")
    gone = {i for i, size in enumerate(before) if size == 1} if axes is None else {a % len(before) for a in axes}
    return im.reshape(o.input(0), tuple(size for i, size in enumerate(before) if i not in gone))


@reads("Unsqueeze")
def unsqueeze(im: Importer, o: Operation) -> Any:
    before = list(im.shape(o.input(0)))
    axes = o.numbers(1, "axes")
    assert axes is not None
    rank = len(before) + len(axes)
    for axis in sorted(a % rank for a in axes):
        before.insert(axis, 1)
    return im.reshape(o.input(0), tuple(before))


@reads("Transpose")
def transpose(im: Importer, o: Operation) -> Any:
    rank = len(im.shape(o.input(0)))
    return im.transpose(o.input(0), tuple(int(a) for a in o.attrs.get("perm", range(rank - 1, -1, -1))))


@reads("Slice")
def slice_(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    rank = len(shape)
    starts, ends = o.numbers(1, "starts"), o.numbers(2, "ends")
    assert starts is not None
    assert ends is not None
    axes = o.numbers(3, "axes") or list(range(len(starts)))
    steps = o.numbers(4) or [1] * len(starts)
    begin, stop, step = [0] * rank, list(shape), [1] * rank
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        axis %= rank
        begin[axis], stop[axis], step[axis] = slice(start, end, stride).indices(shape[axis])
    return im.add("Slice", o.input(0), starts=begin, ends=stop, steps=step)


@reads("Split")
def split(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    axis = int(o.attrs.get("axis", 0)) % len(shape)
    sizes = o.numbers(1, "split")
    if sizes is None:
        part = -(-shape[axis] // o.outputs)
        sizes = [part] * (o.outputs - 1) + [shape[axis] - part * (o.outputs - 1)]
    if len(sizes) == 1:
        return [o.input(0)]
    node = im.add("Split", o.input(0), axis=axis, split=sizes)
    parts = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    return [node, *(im.add("Select", node, shape=parts[i], index=i) for i in range(1, len(sizes)))]


@reads("Concat")
def concat(im: Importer, o: Operation) -> Any:
    parts = [v for v in o.inputs if 0 not in im.shape(v)]
    if len(parts) == 1:
        return parts[0]
    return im.add("Concat", *parts, axis=int(o.attrs["axis"]) % len(im.shape(parts[0])))


@reads("Expand")
def expand(im: Importer, o: Operation) -> Any:
    before, wanted = im.shape(o.input(0)), o.numbers(1)
    assert wanted is not None
    rank = max(len(before), len(wanted))
    left = (1,) * (rank - len(before)) + before
    right = (1,) * (rank - len(wanted)) + tuple(wanted)
    return im.add("Expand", o.input(0), shape=[b if a == 1 else a for a, b in zip(left, right, strict=True)])


@reads("Tile")
def tile(im: Importer, o: Operation) -> Any:
    return im.add("Tile", o.input(0), repeats=o.numbers(1))


@reads("Pad")
def pad(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    rank = len(shape)
    given = o.numbers(1, "pads")
    assert given is not None
    axes = [a % rank for a in o.numbers(3) or range(len(given) // 2)]
    pads = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        pads[axis], pads[rank + axis] = given[i], given[len(axes) + i]
    value = o.attrs.get("value", 0.0)
    filler = o.input(2)
    if isinstance(filler, Value) and filler.fill is not None:
        value = filler.fill
    return im.add("Pad", o.input(0), pads=pads, mode=o.attrs.get("mode", "constant"), value=im.low.finite(value))


@reads("Gather")
def gather(im: Importer, o: Operation) -> Any:
    data, index = o.input(0), o.input(1)
    shape = im.shape(data)
    axis = int(o.attrs.get("axis", 0)) % len(shape)
    numbers = o.array(1)
    if numbers is not None and numbers.ndim == 0:
        start = int(numbers) % shape[axis]
        begin, stop = [0] * len(shape), list(shape)
        begin[axis], stop[axis] = start, start + 1
        row = im.add("Slice", data, starts=begin, ends=stop, steps=[1] * len(shape))
        return im.reshape(row, (*shape[:axis], *shape[axis + 1 :]))
    traced = not (isinstance(index, Value) and index.kind == CONSTANT)
    if isinstance(data, Value) and data.kind == WEIGHT and len(shape) == 2 and axis == 0 and traced and im.owned(data):
        return im.add("Embedding", index, channels=shape[1], slots=(data,), num_embeddings=shape[0])
    return im.add("Gather", data, index, axis=axis)


@reads("GatherElements")
def gather_elements(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0), o.input(1), axis=int(o.attrs.get("axis", 0)) % len(im.shape(o.input(0))))


@reads("GatherND", "ScatterND", "OneHot")
def by_inferred_shape(im: Importer, o: Operation) -> Any:
    if o.op == "ScatterND":
        return im.add("ScatterND", *o.inputs)
    if o.op == "GatherND" and not o.attrs.get("batch_dims", 0):
        data, index = im.shape(o.input(0)), im.shape(o.input(1))
        return im.add("GatherND", *o.inputs, shape=(*index[:-1], *data[index[-1] :]))
    return NotImplemented
