"""Sequences of tensors whose length is known, as torch's exporter writes ``chunk`` and ``split``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cg_frontends.onnx_.importer import Importer, Parts, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.layout import one_axis
from cg_ir import SourceError

_MOST = 4096  # tensors of one sequence


def _parts(o: Operation, position: int = 0) -> Parts:
    value = o.input(position)
    if not isinstance(value, Parts):
        raise SourceError("a tensor stands where a sequence should")
    return value


def _place(o: Operation, position: int, count: int, beyond: int = 0) -> int:
    where = o.numbers(position)
    if where is None or len(where) != 1 or not -count <= where[0] < count + beyond:
        raise SourceError(f"position {where} is outside the {count} tensors of the sequence")
    return where[0] if where[0] >= 0 else where[0] + count


@reads("SplitToSequence")
def split_to_sequence(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    shape = im.shape(x)
    axis, keep = one_axis(o.attrs.get("axis", 0), len(shape)), bool(o.attrs.get("keepdims", 1))
    size = shape[axis]
    sizes = o.numbers(1)
    whole = o.array(1)
    parts = len(sizes or ()) if whole is not None and whole.ndim else -(-size // max((sizes or [1])[0], 1))
    if parts > _MOST:
        raise SourceError(f"a sequence of {parts} tensors is beyond the limit of this reader ({_MOST})")
    if sizes is None:
        sizes = [1] * size
    elif whole is not None and whole.ndim == 0:
        if sizes[0] < 1:
            raise SourceError(f"parts of {sizes[0]} elements")
        sizes = [sizes[0]] * (size // sizes[0]) + ([size % sizes[0]] if size % sizes[0] else [])
    if sum(sizes) != size or min(sizes) < 1:
        raise SourceError(f"parts {sizes} should add up to the {size} of axis {axis}")
    rows = [(*shape[:axis], part, *shape[axis + 1 :]) for part in sizes]
    node = im.node(x) if len(sizes) == 1 else im.add("Split", x, axis=axis, split=sizes)
    made = [node, *(im.add("Select", node, shape=rows[i], index=i) for i in range(1, len(sizes)))]
    if o.given[1:2] in ([], [None]) and not keep:
        made = [im.reshape(part, (*shape[:axis], *shape[axis + 1 :])) for part in made]
    return [Parts(made)]


reads("SequenceConstruct")(lambda im, o: [Parts(v for v in o.inputs if v is not None)])


@reads("SequenceEmpty")
def sequence_empty(im: Importer, o: Operation) -> Any:
    o.attrs.get("dtype")
    return [Parts()]


@reads("SequenceAt")
def sequence_at(im: Importer, o: Operation) -> Any:
    parts = _parts(o)
    return [parts[_place(o, 1, len(parts))]]


reads("SequenceLength")(lambda im, o: [im.constant(np.array(len(_parts(o)), dtype=np.int64))])


@reads("SequenceInsert")
def sequence_insert(im: Importer, o: Operation) -> Any:
    parts = _parts(o)
    tensor = im.node(o.input(1))
    where = len(parts) if o.input(2) is None else _place(o, 2, len(parts), beyond=1)
    return [Parts([*parts[:where], tensor, *parts[where:]])]


@reads("SequenceErase")
def sequence_erase(im: Importer, o: Operation) -> Any:
    parts = _parts(o)
    where = len(parts) - 1 if o.input(1) is None else _place(o, 1, len(parts))
    return [Parts([*parts[:where], *parts[where + 1 :]])]


@reads("ConcatFromSequence")
def concat_from_sequence(im: Importer, o: Operation) -> Any:
    parts = [im.node(v) for v in _parts(o)]
    if not parts:
        raise SourceError("joins a sequence without tensors")
    shape = im.shape(parts[0])
    if o.attrs.get("new_axis", 0):
        axis = one_axis(o.attrs["axis"], len(shape) + 1)
        parts = [im.reshape(v, (*shape[:axis], 1, *shape[axis:])) for v in parts]
    else:
        axis = one_axis(o.attrs["axis"], len(shape))
    return [parts[0]] if len(parts) == 1 else im.add("Concat", *parts, axis=axis)
