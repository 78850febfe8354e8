"""Reductions."""

from __future__ import annotations

from typing import Any

from cg_frontends.onnx_.importer import READINGS, Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.layout import one_axis

#: Reductions that leave a single element what it is.
_IDENTITIES = frozenset({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSumExp"})


def _reduce(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    rank = len(im.shape(x))
    axes = o.numbers(1, "axes")
    keep, nothing = bool(o.attrs.get("keepdims", 1)), o.attrs.get("noop_with_empty_axes", 0)
    if not axes and nothing:
        return [x] if o.op in _IDENTITIES else NotImplemented
    chosen = sorted(one_axis(a, rank) for a in axes or range(rank))
    if not rank:
        return [x] if o.op in _IDENTITIES else NotImplemented
    return im.add(o.op, x, axes=chosen, keepdims=keep)


_NAMES = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp")
READINGS.update(dict.fromkeys(_NAMES, _reduce))


@reads("ArgMax", "ArgMin")
def position(im: Importer, o: Operation) -> Any:
    x = im.node(o.input(0))
    shape = im.shape(x)
    axis = one_axis(o.attrs.get("axis", 0), len(shape))
    keep = bool(o.attrs.get("keepdims", 1))
    if not o.attrs.get("select_last_index", 0):
        return im.add(o.op, x, axis=axis, keepdims=keep)
    backwards = im.flipped(x, axis)
    return im.add("Sub", im.scalar(float(shape[axis] - 1)), im.add(o.op, backwards, axis=axis, keepdims=keep))


@reads("TopK")
def topk(im: Importer, o: Operation) -> Any:
    count = o.required(1)
    shape = list(im.shape(o.input(0)))
    axis = one_axis(o.attrs.get("axis", -1), len(shape))
    o.attrs.get("sorted")
    shape[axis] = count[0]
    largest = bool(o.attrs.get("largest", 1))
    node = im.add("TopK", o.input(0), shape=shape, axis=axis, k=count[0], largest=largest)
    return [node, im.add("Select", node, shape=shape, index=1)]
