"""Reductions."""

from __future__ import annotations

from typing import Any

from cg_frontends.onnx_.importer import READINGS, Importer, Operation, reads


def _reduce(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    rank = len(im.shape(x))
    axes = o.numbers(1, "axes")
    if not axes:
        if o.attrs.get("noop_with_empty_axes", 0):
            return x
        axes = list(range(rank))
    return im.add(o.op, x, axes=sorted(a % rank for a in axes), keepdims=bool(o.attrs.get("keepdims", 1)))


_NAMES = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp")
READINGS.update(dict.fromkeys(_NAMES, _reduce))


@reads("ReduceSumSquare")
def sum_square(im: Importer, o: Operation) -> Any:
    o.inputs[0] = im.add("Pow", o.input(0), im.scalar(2.0))
    o.op = "ReduceSum"
    return _reduce(im, o)


@reads("ArgMax", "ArgMin")
def position(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    return im.add(
        o.op, x, axis=int(o.attrs.get("axis", 0)) % len(im.shape(x)), keepdims=bool(o.attrs.get("keepdims", 1))
    )


@reads("TopK")
def topk(im: Importer, o: Operation) -> Any:
    count = o.numbers(1)
    if not o.attrs.get("largest", 1) or count is None:
        return NotImplemented
    shape = list(im.shape(o.input(0)))
    axis = int(o.attrs.get("axis", -1)) % len(shape)
    shape[axis] = count[0]
    node = im.add("TopK", o.input(0), shape=shape, axis=axis, k=count[0])
    return [node, im.add("Select", node, shape=shape, index=1)]
