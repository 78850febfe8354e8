"""Slices and operators of several outputs that say the same: parts of a ``Split``, the head of a sort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from cg_ir.operators import OPERATORS
from cg_ir.records import Record


def without_splits(records: Sequence[Record]) -> Sequence[Record]:
    """The parts of a Split are Slices: cutting an axis at once or piece by piece is the same."""
    if not any(record.op == "Split" for record in records):
        return records
    parts: dict[int, list[tuple[int, int]]] = {}
    result: list[Record] = []
    for record in records:
        split = record.inputs[0] if record.inputs else -1
        index = 0
        if record.op == "Split":
            split = len(result)
            ends = list(accumulate(record.attrs["split"]))
            parts[split] = list(zip([0, *ends], ends, strict=False))
        elif record.op == "Select" and split in parts:
            index = record.attrs["index"]
        else:
            result.append(record)
            continue
        source = records[split].inputs[0]
        begin, end = parts[split][index]
        axis = records[split].attrs["axis"]
        before = records[source].shape
        starts, ends = [0] * len(before), list(before)
        starts[axis], ends[axis] = begin, end
        items = OPERATORS["Slice"].read_attrs({"starts": starts, "ends": ends, "steps": [1] * len(before)})
        result.append(Record("Slice", items, [source], record.shape, record.region))
    return result


def without_full_sorts(records: Sequence[Record]) -> Sequence[Record]:
    """A sort of which only the first k are read, values and positions, is a TopK of k."""
    sorts = {i for i, r in enumerate(records) if r.op == "TopK" and r.shape == records[r.inputs[0]].shape}
    if not sorts:
        return records
    outputs = {i: i for i in sorts}  # a sort, or the Select of its positions: the sort
    outputs |= {i: r.inputs[0] for i, r in enumerate(records) if r.op == "Select" and r.inputs[0] in sorts}
    heads: dict[int, set[int]] = {i: set() for i in sorts}
    for i, record in enumerate(records):
        for j in record.inputs:
            if j in outputs and outputs.get(i) != outputs[j]:
                heads[outputs[j]].add(_head(record, records[j], records[outputs[j]].attrs["axis"]))
    kept = {sort: min(found) for sort, found in heads.items() if len(found) == 1 and min(found)}
    if not kept:
        return records
    result: list[Record] = []
    for i, record in enumerate(records):
        sort = outputs.get(i)
        if sort in kept:
            assert sort is not None
            result.append(_first(record, records[sort].attrs["axis"], kept[sort]))
        elif record.op == "Slice" and outputs.get(record.inputs[0]) in kept:
            # to its own shape: nothing
            result.append(Record("Reshape", (), record.inputs, record.shape, record.region))
        else:
            result.append(record)
    return result


def _head(record: Record, source: Record, axis: int) -> int:
    """How many elements from the front of an axis a reader takes; 0 where it takes others, or all."""
    if record.op != "Slice" or record.shape == source.shape:
        return 0
    a = record.attrs
    whole = (*source.shape[:axis], record.shape[axis], *source.shape[axis + 1 :])
    plain = not any(a["starts"]) and all(step == 1 for step in a["steps"]) and record.shape == whole
    return record.shape[axis] if plain else 0


def _first(record: Record, axis: int, count: int) -> Record:
    shape = (*record.shape[:axis], count, *record.shape[axis + 1 :])
    attrs: dict[str, Any] = {**record.attrs, **({"k": count} if record.op == "TopK" else {})}
    return Record(record.op, OPERATORS[record.op].read_attrs(attrs), record.inputs, shape, record.region)
