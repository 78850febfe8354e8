"""Joining and moving elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, RANGES, Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, broadcast, need_axis, need_rank, slice_shape
from cg_ir.operators.torch_text import Call, tuple_text


def concat_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Joined along ``axis``; the other axes agree."""
    axis, first = attrs["axis"], ins[0]
    need_axis(axis, len(first))
    for shape in ins:
        if len(shape) != len(first) or shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            raise GraphError(f"inputs of shapes {[list(s) for s in ins]} do not join along axis {axis}")
    return (*first[:axis], sum(shape[axis] for shape in ins), *first[axis + 1 :])


def split_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first part."""
    axis, parts = attrs["axis"], attrs["split"]
    need_axis(axis, len(ins[0]))
    if sum(parts) != ins[0][axis] or len(parts) < 2:
        raise GraphError(f"parts {list(parts)} should be two or more and add up to the {ins[0][axis]} of axis {axis}")
    return (*ins[0][:axis], parts[0], *ins[0][axis + 1 :])


def split_parts(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """The further parts."""
    axis = attrs["axis"]
    return [(*out[:axis], size, *out[axis + 1 :]) for size in attrs["split"][1:]]


def reshape_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape with as many elements."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    if prod(out) != prod(ins[0]):
        raise GraphError(f"shape {list(ins[0])} cannot be read as {list(out)}: the number of elements differs")
    return out


def transpose_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Axes in the order ``perm``."""
    perm = attrs["perm"]
    if sorted(perm) != list(range(len(ins[0]))):
        raise GraphError(f"perm {list(perm)} is no permutation of the {len(ins[0])} axes")
    return tuple(ins[0][i] for i in perm)


def expand_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape to which the input broadcasts."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    if broadcast([ins[0], out], {}, None) != out:
        raise GraphError(f"shape {list(ins[0])} does not broadcast to {list(out)}")
    return out


def tile_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Each axis repeated."""
    repeats = attrs["repeats"]
    if len(repeats) != len(ins[0]):
        raise GraphError(f"repeats should have {len(ins[0])} numbers")
    return tuple(size * times for size, times in zip(ins[0], repeats, strict=True))


def roll_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The input's shape; ``shifts`` and ``axes`` belong together."""
    if len(attrs["shifts"]) != len(attrs["axes"]):
        raise GraphError(f"{len(attrs['shifts'])} shifts do not belong to {len(attrs['axes'])} axes")
    for axis in attrs["axes"]:
        need_axis(axis, len(ins[0]))
    return ins[0]


def depth_to_space_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c b b, h, w) to (n, c, h b, w b)."""
    need_rank(ins[0], 4, "the input")
    n, c, h, w = ins[0]
    b = attrs["blocksize"]
    if c % (b * b):
        raise GraphError(f"{c} channels do not divide by blocksize {b} squared")
    return (n, c // (b * b), h * b, w * b)


def space_to_depth_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, h, w) to (n, c b b, h / b, w / b)."""
    need_rank(ins[0], 4, "the input")
    n, c, h, w = ins[0]
    b = attrs["blocksize"]
    if h % b or w % b:
        raise GraphError(f"{h} x {w} does not divide by blocksize {b}")
    return (n, c * b * b, h // b, w // b)


def concat_batch(use: Use, axes: Axes) -> Plan:
    places = {axis for axis in axes if axis is not None}
    if len(places) != 1 or use.attrs["axis"] in places:
        return APART
    place = places.pop()
    return Plan(place, repeat=tuple(place if axis is None else None for axis in axes))


def reshape_batch(use: Use, axes: Axes) -> Plan:
    """The outer factor of an axis stays an outer factor where the elements before it fill whole axes of the result."""
    axis = axes[0]
    assert axis is not None
    before = prod(use.input_shapes[0][:axis])
    filled = 1
    for place in range(len(use.shape)):
        if filled == before:
            return Plan(place, moved=place != axis)
        filled *= use.shape[place]
    return APART


def transpose_batch(use: Use, axes: Axes) -> Plan:
    assert axes[0] is not None
    return Plan(use.attrs["perm"].index(axes[0]))


def slice_batch(use: Use, axes: Axes) -> Plan:
    axis = axes[0]
    assert axis is not None
    whole = use.shape[axis] == use.input_shapes[0][axis] and use.attrs["steps"][axis] > 0
    return Plan(axis) if whole else APART


def reshape_torch(call: Call) -> str:
    plain = call.op == "Flatten" and len(call.shape) == 2 and call.shape[0] == call.input_shapes[0][0]
    return call.fill("{x}.flatten(1)" if plain and not call.moved else "{x}.reshape({wanted})")


def transpose_torch(call: Call) -> str:
    perm = call.attrs["perm"]
    moved = [i for i, p in enumerate(perm) if i != p]
    return f"{call.x}.transpose({moved[0]}, {moved[1]})" if len(moved) == 2 else f"{call.x}.permute({', '.join(map(str, perm))})"  # fmt: skip


def cuts(call: Call, size: Shape) -> tuple[list[tuple[int, range]], list[int]]:
    """The axes that a slice does not take whole, with the places that it takes in rising order, and those that are turned round."""
    a = call.attrs
    found, flips = [], []
    for axis, (start, end, step) in enumerate(zip(a["starts"], a["ends"], a["steps"], strict=True)):
        places = range(start, end, step)
        if step < 0:
            places = places[::-1]
            flips += [axis] if len(places) > 1 else []
        if len(places) != size[axis]:
            found.append((axis, places))
    return found, flips


def slice_torch(call: Call) -> str:
    size = call.input_shapes[0]
    found, flips = cuts(call, size)
    parts = [":"] * (found[-1][0] + 1) if found else []
    for axis, places in found:
        last = places[-1] + 1
        step = f":{places.step}" if places.step != 1 and len(places) > 1 else ""
        parts[axis] = f"{places[0] or ''}:{'' if last == size[axis] else last}{step}"
    text = f"{call.x}[{', '.join(parts)}]" if parts else call.x
    return f"torch.flip({text}, {tuple_text(flips)})" if flips else text


def _space(call: Call, inner: str, perm: str) -> str:
    return f"{call.x}.reshape({call.wanted.split(',')[0]}, {inner}).permute({perm}).reshape({call.wanted})"


def depth_to_space_torch(call: Call) -> str:
    b = call.attrs["blocksize"]
    if call.attrs["mode"] == "CRD":
        return f"F.pixel_shuffle({call.x}, {b})"
    _, c, h, w = call.shape
    return _space(call, f"{b}, {b}, {c}, {h // b}, {w // b}", "0, 3, 4, 1, 5, 2")


def space_to_depth_torch(call: Call) -> str:
    b = call.attrs["blocksize"]
    if call.attrs["mode"] == "CRD":
        return f"F.pixel_unshuffle({call.x}, {b})"
    _, c, h, w = call.input_shapes[0]
    return _space(call, f"{c}, {h // b}, {b}, {w // b}, {b}", "0, 3, 5, 1, 2, 4")


def slice_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    ends = [-(2**62) if end < 0 else end for end in a["ends"]]
    return e.op(
        "Slice", e.source(node), e.ints(a["starts"]), e.ints(ends), e.ints(range(len(ends))), e.ints(a["steps"])
    )


def roll_onnx(e: Emitter, node: Node) -> str:
    x = e.source(node)
    for shift, axis in zip(node.attrs["shifts"], node.attrs["axes"], strict=True):
        size = node.shape[axis]
        first = size - shift % size
        if first < size:
            head = e.op("Slice", x, e.ints([0]), e.ints([first]), e.ints([axis]))
            tail = e.op("Slice", x, e.ints([first]), e.ints([size]), e.ints([axis]))
            x = e.op("Concat", tail, head, axis=axis)
    return x


def space_to_depth_onnx(e: Emitter, node: Node) -> str:
    b = node.attrs["blocksize"]
    if node.attrs["mode"] == "DCR":
        return e.op("SpaceToDepth", e.source(node), blocksize=b)
    n, c, h, w = node.signature.input_shapes[0]
    x = e.reshape(e.source(node), (n, c, h // b, b, w // b, b))
    return e.reshape(e.op("Transpose", x, perm=[0, 1, 3, 5, 2, 4]), node.shape)


def _layout(name: str, shape: Any, doc: str, **fields: Any) -> Operator:
    return Operator(name, "layout", (1, 1), shape, doc, layout=True, **fields)


_RESHAPE: dict[str, Any] = {
    "batch": reshape_batch, "torch": reshape_torch, "to_onnx": lambda e, node: e.reshape(e.source(node), node.shape),
}  # fmt: skip
_BLOCKS = {
    "blocksize": Attribute("int", minimum=1, doc="block edge"),
    "mode": Attribute("string", "DCR", choices=("DCR", "CRD"), doc="order of the channels"),
}
LAYOUT = [
    Operator(
        "Concat", "join", (1, None), concat_shape, "Joined along an axis.", attributes={"axis": AXIS}, batch=concat_batch,
        torch=lambda call: f"torch.cat({tuple_text(call.xs)}, dim={call.attrs['axis']})",
    ),
    _layout(
        "Split", split_shape, "Cut along an axis; the further parts are read by Select.", further=split_parts,
        attributes={"axis": AXIS, "split": Attribute("ints", minimum=1, doc="sizes of the parts")},
        batch=batch.along, view="view",
        torch=lambda call: f"{call.x}.split({list(call.attrs['split'])}, dim={call.attrs['axis']})" + ("" if call.several else "[0]"),
        to_onnx=lambda e, n: e.ops("Split", e.source(n), e.ints(n.attrs["split"]), axis=n.attrs["axis"], outputs=len(n.attrs["split"])),
    ),
    _layout("Reshape", reshape_shape, "The same elements in another shape.", view="dense", **_RESHAPE),
    _layout("Flatten", reshape_shape, "All axes after the batch in one.", view="dense", **_RESHAPE),
    _layout("Squeeze", reshape_shape, "Axes of size 1 left out.", view="view", **_RESHAPE),
    _layout("Unsqueeze", reshape_shape, "Axes of size 1 put in.", view="view", **_RESHAPE),
    _layout(
        "Transpose", transpose_shape, "Axes in another order.",
        attributes={"perm": Attribute("ints", minimum=0, doc="the input's axis for each of the output")},
        batch=transpose_batch, view="strided", torch=transpose_torch,
    ),
    _layout("Slice", slice_shape, "A range of every axis.", attributes=RANGES, batch=slice_batch, view="strided", torch=slice_torch, to_onnx=slice_onnx),
    _layout(
        "Expand", expand_shape, "Repeated to a broadcast shape.", batch=batch.broadcast, view="strided", torch="{x}.expand({wanted})",
        to_onnx=lambda e, node: e.op("Expand", e.source(node), e.ints(node.shape)),
    ),
    _layout(
        "Tile", tile_shape, "Repeated along axes.", attributes={"repeats": Attribute("ints", minimum=1, doc="how often, each axis")},
        batch=batch.unless(lambda attrs, rank: [i for i in range(rank) if attrs["repeats"][i] > 1]),
        torch=lambda call: f"{call.x}.repeat({', '.join(map(str, call.attrs['repeats']))})",
        to_onnx=lambda e, node: e.op("Tile", e.source(node), e.ints(node.attrs["repeats"])),
    ),
    _layout(
        "Roll", roll_shape, "Shifted around axes.", onnx=False,
        attributes={"shifts": Attribute("ints", doc="by how much"), "axes": Attribute("ints", minimum=0, doc="the axes")},
        batch=batch.unless(lambda attrs, rank: attrs["axes"]), torch="torch.roll({x}, {shifts}, {axes})", to_onnx=roll_onnx,
    ),
    _layout(
        "DepthToSpace", depth_to_space_shape, "Channels to pixels.", attributes=_BLOCKS, batch=batch.leading, torch=depth_to_space_torch
    ),
    _layout(
        "SpaceToDepth", space_to_depth_shape, "Pixels to channels.", attributes=_BLOCKS, batch=batch.leading, torch=space_to_depth_torch,
        to_onnx=space_to_depth_onnx,
    ),
]  # fmt: skip
