"""Rules for what moves, repeats and joins elements."""

from __future__ import annotations

from collections.abc import Sequence

from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.records import Record

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def _constant(p: Pass, r: Record) -> Record | None:
    value = r.attrs["value"]
    if len(value) > 1 and len(set(value)) == 1:
        return make("Constant", [], r.shape, r, value=value[:1], dtype=r.attrs["dtype"])
    return None


def _filled(p: Pass, source: int, r: Record) -> Record | None:
    """What moves or repeats the elements of a constant that one number fills is such a constant."""
    if p.scalar(source) is None or not p.nodes[source].shape:
        return None
    return Record("Constant", p.nodes[source].items, [], r.shape, r.region)


def _reshape(p: Pass, r: Record) -> Record | int | None:
    source = r.inputs[0]
    while p.nodes[source].op in _RESHAPES:
        source = p.nodes[source].inputs[0]
    before = p.nodes[source].shape
    if before == r.shape:
        return source
    filled = _filled(p, source, r)
    if filled is not None:
        return filled
    name = reshape_name(before, r.shape)
    if name == r.op and source == r.inputs[0]:
        return None
    return Record(name, (), [source], r.shape, r.region)


def reshape_name(before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """The name under which a change from one shape to another is canonical."""
    if len(after) == 2 and len(before) > 2 and after[0] == before[0]:
        return "Flatten"
    if len(after) < len(before) and _drops_ones(before, after):
        return "Squeeze"
    if len(after) > len(before) and _drops_ones(after, before):
        return "Unsqueeze"
    return "Reshape"


def _drops_ones(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    i = 0
    for size in longer:
        if i < len(shorter) and size == shorter[i]:
            i += 1
        elif size != 1:
            return False
    return i == len(shorter)


def _transpose(p: Pass, r: Record) -> Record | int | None:
    perm = r.attrs["perm"]
    if list(perm) == list(range(len(perm))):
        return r.inputs[0]
    before = p.input(r)
    if before.op == "Transpose":
        inner = before.attrs["perm"]
        return make("Transpose", list(before.inputs), r.shape, r, perm=[inner[i] for i in perm])
    return None


def _positions(ranges: Sequence[range]) -> dict[str, list[int]]:
    """One spelling for one set of positions along each axis."""
    ranges = [range(s[0], s[-1] + (1 if s.step > 0 else -1), s.step if len(s) > 1 else 1) for s in ranges]
    ranges = [range(s.start, s.start + 1) if len(s) <= 1 else s for s in ranges]
    return {"starts": [s.start for s in ranges], "ends": [s.stop for s in ranges], "steps": [s.step for s in ranges]}


def _slice(p: Pass, r: Record) -> Record | int | None:
    before, a = p.input(r), r.attrs
    if r.shape == before.shape and all(step == 1 for step in a["steps"]):
        return r.inputs[0]
    ranges = [range(*bounds) for bounds in zip(a["starts"], a["ends"], a["steps"], strict=True)]
    joined = before.op == "Slice"
    if joined:
        b = before.attrs
        inner = [range(*bounds) for bounds in zip(b["starts"], b["ends"], b["steps"], strict=True)]
        ranges = [row[s.start : s.stop if s.stop >= 0 else None : s.step] for row, s in zip(inner, ranges, strict=True)]
    attrs = _positions(ranges)
    if not joined and all(list(a[k]) == v for k, v in attrs.items()):
        return None
    return make("Slice", list((before if joined else r).inputs), r.shape, r, **attrs)


def if_same_shape(p: Pass, r: Record) -> int | None:
    return r.inputs[0] if p.input(r).shape == r.shape else None


def _repeat(p: Pass, r: Record) -> Record | int | None:
    same = if_same_shape(p, r)
    return _filled(p, r.inputs[0], r) if same is None else same


def _roll(p: Pass, r: Record) -> Record | int | None:
    """Axes in order, each once, shifts between 0 and the axis's size."""
    shifts: dict[int, int] = {}
    for shift, axis in zip(r.attrs["shifts"], r.attrs["axes"], strict=True):
        shifts[axis] = (shifts.get(axis, 0) + shift) % r.shape[axis]
    moved = {axis: shift for axis, shift in sorted(shifts.items()) if shift}
    if not moved:
        return r.inputs[0]
    if (tuple(moved.values()), tuple(moved)) == (r.attrs["shifts"], r.attrs["axes"]):
        return None
    return make("Roll", list(r.inputs), r.shape, r, shifts=list(moved.values()), axes=list(moved))


def _slice_scatter(p: Pass, r: Record) -> Record | int | None:
    a = r.attrs
    if p.input(r, 1).shape == r.shape and all(step == 1 for step in a["steps"]):
        return r.inputs[1]
    attrs = _positions([range(*bounds) for bounds in zip(a["starts"], a["ends"], a["steps"], strict=True)])
    if all(list(a[k]) == v for k, v in attrs.items()):
        return None
    return make("SliceScatter", list(r.inputs), r.shape, r, **attrs)


LAYOUT: dict[str, Rule] = {
    "Constant": _constant,
    **dict.fromkeys(_RESHAPES, _reshape),
    "Transpose": _transpose,
    "Slice": _slice,
    "Expand": _repeat,
    "Tile": _repeat,
    "SliceScatter": _slice_scatter,
    "Roll": _roll,
    "Concat": lambda p, r: r.inputs[0] if len(r.inputs) == 1 else None,
    "Pad": lambda p, r: None if any(r.attrs["pads"]) else r.inputs[0],
}
