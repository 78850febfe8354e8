"""Rules for what moves, repeats and joins elements."""

from __future__ import annotations

from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.records import Record

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def _constant(p: Pass, r: Record) -> Record | None:
    value = r.attrs["value"]
    if len(set(value)) == 1:
        return make("Constant", [], r.shape, r, value=value[:1], dtype=r.attrs["dtype"])
    return None


def _filled(p: Pass, source: int, r: Record) -> Record | None:
    """What moves or repeats the elements of a constant that one number fills is such a constant."""
    if p.scalar(source) is None or not p.nodes[source].shape:
        return None
    return Record("Constant", p.nodes[source].items, [], r.shape, r.region)


def _reshape(p: Pass, r: Record) -> Record | int | None:
    source = r.source
    while p.nodes[source].op in _RESHAPES:
        source = p.nodes[source].source
    before = p.nodes[source].shape
    if before == r.shape:
        return source
    return _filled(p, source, r) or Record(reshape_name(before, r.shape), (), [source], r.shape, r.region)


def reshape_name(before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """The name under which a change from one shape to another is canonical."""
    if len(before) > len(after) == 2 and after[0] == before[0]:
        return "Flatten"
    if _drops_ones(before, after):
        return "Squeeze"
    return "Unsqueeze" if _drops_ones(after, before) else "Reshape"


def _drops_ones(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    left = list(shorter)
    for size in longer:
        if size in left[:1]:
            left.pop(0)
        elif size != 1:
            return False
    return not left


def _transpose(p: Pass, r: Record) -> Record | int | None:
    perm = r.attrs["perm"]
    if list(perm) == sorted(perm):
        return r.source
    before = p.input(r)
    if before.op == "Transpose":
        inner = before.attrs["perm"]
        return make("Transpose", before.inputs, r.shape, r, perm=[inner[i] for i in perm])
    return None


def _ranges(r: Record) -> list[range]:
    """The positions along each axis."""
    a = r.attrs
    return list(map(range, a["starts"], a["ends"], a["steps"]))


def _part(row: range, positions: range) -> range:
    """The elements of a row at some positions."""
    return row[positions.start : positions.stop if positions.stop >= 0 else None : positions.step]


def _positions(ranges: list[range]) -> dict[str, list[int]]:
    """One spelling for one set of positions along each axis."""
    plain = [
        range(s[0], s[-1] + (1 if s.step > 0 else -1), s.step) if len(s) > 1 else range(s[0], s[0] + 1) for s in ranges
    ]
    return {"starts": [s.start for s in plain], "ends": [s.stop for s in plain], "steps": [s.step for s in plain]}


def _slice(p: Pass, r: Record) -> Record | int | None:
    before, ranges = p.input(r), _ranges(r)
    if ranges == list(map(range, before.shape)):
        return r.source
    if before.op != "Slice":
        return make("Slice", r.inputs, r.shape, r, **_positions(ranges))
    return make("Slice", before.inputs, r.shape, r, **_positions(list(map(_part, _ranges(before), ranges))))


def if_same_shape(p: Pass, r: Record) -> int | None:
    return r.source if p.input(r).shape == r.shape else None


def _repeat(p: Pass, r: Record) -> Record | int | None:
    same = if_same_shape(p, r)
    return _filled(p, r.source, r) if same is None else same


def _roll(p: Pass, r: Record) -> Record | int:
    """Axes in order, each once, shifts between 0 and the axis's size."""
    shifts = dict.fromkeys(sorted(r.attrs["axes"]), 0)
    for shift, axis in zip(r.attrs["shifts"], r.attrs["axes"], strict=True):
        shifts[axis] += shift
    moved = {axis: shift % r.shape[axis] for axis, shift in shifts.items() if shift % r.shape[axis]}
    if not moved:
        return r.source
    return make("Roll", r.inputs, r.shape, r, shifts=list(moved.values()), axes=list(moved))


def _slice_scatter(p: Pass, r: Record) -> Record | int:
    ranges = _ranges(r)
    if ranges == list(map(range, r.shape)):
        return r.inputs[1]
    return make("SliceScatter", r.inputs, r.shape, r, **_positions(ranges))


LAYOUT: dict[str, Rule] = {
    "Constant": _constant,
    **dict.fromkeys(_RESHAPES, _reshape),
    "Transpose": _transpose,
    "Slice": _slice,
    "Expand": _repeat,
    "Tile": _repeat,
    "SliceScatter": _slice_scatter,
    "Roll": _roll,
    "Concat": lambda p, r: r.source if len(r.inputs) == 1 else None,
    "Pad": lambda p, r: None if any(r.attrs["pads"]) else r.source,
}
