"""Gathering and scattering: elements by their places."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import DILATIONS, KERNEL, PADS, RANGES, STRIDES, Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.layout import cuts
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.sequences import embedding_shape
from cg_ir.operators.shapes import (
    Attrs,
    PartialShape,
    Shape,
    broadcast,
    need_axis,
    need_rank,
    slice_shape,
    stated,
    windows,
)
from cg_ir.operators.torch_text import Call, is_even, listed, padded, tuple_text


def gather_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Rows of ``axis`` named by the second input."""
    axis = attrs["axis"]
    need_axis(axis, len(ins[0]))
    return (*ins[0][:axis], *ins[1], *ins[0][axis + 1 :])


def gather_elements_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the second input."""
    return ins[1]


def gather_nd_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The index tensors broadcast together, then the axes that none of them names."""
    if len(ins) - 1 > len(ins[0]):
        raise GraphError(f"{len(ins) - 1} index tensors for the {len(ins[0])} axes of the input")
    return (*broadcast(ins[1:], {}, None), *ins[0][len(ins) - 1 :])


def slice_scatter_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; the second has the shape of the slice."""
    part = slice_shape(ins[:1], attrs, None)
    if part != ins[1]:
        raise GraphError(f"the replacement should have shape {list(part)}, not {list(ins[1])}")
    return ins[0]


def scatter_nd_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; the last input fills what the index tensors name."""
    places = (*broadcast(ins[1:-1], {}, None), *ins[0][len(ins) - 2 :])
    if len(ins) - 2 > len(ins[0]) or broadcast([places, ins[-1]], {}, None) != places:
        raise GraphError(f"values of shape {list(ins[-1])} do not fill {list(places)}")
    return ins[0]


def scatter_elements_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; positions and new elements have one shape, no longer than it except along ``axis``."""
    data, index, updates = ins
    axis = attrs["axis"]
    need_axis(axis, len(data))
    if len(index) != len(data) or any(i > s for a, (i, s) in enumerate(zip(index, data, strict=True)) if a != axis):
        raise GraphError(f"positions of shape {list(index)} are outside shape {list(data)}")
    if len(updates) != len(index) or any(i > u for i, u in zip(index, updates, strict=True)):
        raise GraphError(f"elements of shape {list(updates)} do not fill positions of shape {list(index)}")
    return data


def grid_sample_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, h, w) sampled at (n, i, j, 2): (n, c, i, j); one axis more for volumes."""
    image, grid = ins
    if len(image) not in (4, 5) or len(grid) != len(image) or grid[-1] != len(image) - 2 or grid[0] != image[0]:
        raise GraphError(f"an image {list(image)} and a grid {list(grid)} do not fit")
    return (*image[:2], *grid[1:-1])


def _blocks(spatial: Shape, attrs: Attrs) -> int:
    return prod(windows(spatial, {"ceil_mode": False, **attrs}))


def im2col_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, spatial...) to (n, c prod(kernel), windows)."""
    need_rank(ins[0], len(attrs["kernel_shape"]) + 2, "the input")
    return (ins[0][0], ins[0][1] * prod(attrs["kernel_shape"]), _blocks(ins[0], attrs))


def col2im_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c prod(kernel), windows) to a stated (n, c, spatial...)."""
    shape = stated(ins, attrs, out)
    dims = len(attrs["kernel_shape"])
    need_rank(ins[0], 3, "the input")
    if out is None or len(out) != dims + 2:
        raise GraphError(f"the output should have {dims + 2} axes, not shape {list(shape)}")
    if ins[0] != (out[0], out[1] * prod(attrs["kernel_shape"]), _blocks(out, attrs)):
        raise GraphError(f"columns {list(ins[0])} do not come from shape {list(out)}")
    return shape


def gather_batch(use: Use, axes: Axes) -> Plan:
    data, index = axes
    axis, count = use.attrs["axis"], len(use.input_shapes[1])
    if data is None:
        assert index is not None
        return Plan(axis + index)
    if index is not None or data == axis:
        return APART
    return Plan(data if data < axis else data - 1 + count)


def elements_batch(use: Use, axes: Axes) -> Plan:
    data = axes[0]
    if data is None or any(axis != data for axis in axes) or data == use.attrs["axis"]:
        return APART
    return Plan(data) if len({shape[data] for shape in use.input_shapes}) == 1 else APART


def slice_scatter_batch(use: Use, axes: Axes) -> Plan:
    places = {axis for axis in axes if axis is not None}
    if len(places) != 1:
        return APART
    place = places.pop()
    if use.input_shapes[1][place] != use.shape[place] or use.attrs["steps"][place] < 0:
        return APART
    return Plan(place, repeat=tuple(place if axis is None else None for axis in axes))


#: What torch calls the ways in which a new element meets an old one.
_REDUCES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather_torch(call: Call) -> str:
    axis, index = call.attrs["axis"], f"{call.xs[1]}.long()"
    if len(call.input_shapes[1]) == 1:
        return f"torch.index_select({call.x}, {axis}, {index})"
    return f"{call.x}[{':, ' * axis}{index}]"


def slice_scatter_torch(call: Call) -> str:
    """Slices one inside the other, from the first axis on."""
    found, flips = cuts(call, call.shape)
    part = f"torch.flip({call.xs[1]}, {tuple_text(flips)})" if flips else call.xs[1]
    inner, steps = call.x, []
    for axis, places in found:
        where = f"{places[0]}, {places[-1] + 1}, {places.step}"
        steps.append((inner, f"{axis}, {where}"))
        inner = f"{inner}[{':, ' * axis}{where.replace(', ', ':')}]"
    for text, where in reversed(steps):
        part = f"torch.slice_scatter({text}, {part}, {where})"
    return part


def scatter_nd_torch(call: Call) -> str:
    reduction, index = call.attrs["reduction"], [f"{i}.long()" for i in call.xs[1:-1]]
    if reduction in ("none", "add"):
        return f"{call.x}.index_put({tuple_text(index)}, {call.xs[-1]}{', accumulate=True' if reduction == 'add' else ''})"  # fmt: skip
    # places as numbers of rows: those axes in one
    rows = ""
    for place, size in zip(index, call.shape, strict=False):
        rows = f"({rows} * {size} + {place} % {size})" if rows else f"{place} % {size}"
    rest = call.shape[len(index) :]
    places = (*broadcast(call.input_shapes[1:-1], {}, None), *rest)
    flat = ", ".join(map(str, (-1, *rest)))
    updates = f"{call.xs[-1]}.expand({', '.join(map(str, places))}).reshape({flat})"
    where = f"({rows}).reshape(-1{', 1' * len(rest)}).expand({flat})"
    reduced = f"scatter_reduce(0, {where}, {updates}, {_REDUCES[reduction]!r})"
    return f"{call.x}.reshape({flat}).{reduced}.reshape({call.wanted})"


def scatter_elements_torch(call: Call) -> str:
    if call.attrs["reduction"] == "none":
        return call.fill("torch.scatter({0}, {axis}, {1}.long(), {2})")
    return call.fill("torch.scatter_reduce({0}, {axis}, {1}.long(), {2}, ") + f"{_REDUCES[call.attrs['reduction']]!r})"


def grid_sample_torch(call: Call) -> str:
    mode = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[call.attrs["mode"]]
    return call.fill(f"F.grid_sample({{0}}, {{1}}, mode={mode!r}, padding_mode={{padding_mode}}, align_corners={{align_corners}})")  # fmt: skip


def windows_torch(call: Call) -> str:
    """unfold, and fold back."""
    a, fold = call.attrs, call.op == "Col2Im"
    even = is_even(a["pads"])
    if len(a["kernel_shape"]) != 2 or (fold and not even):
        raise GraphError(
            "PyTorch folds two spatial axes with even pads only" if fold else "PyTorch unfolds two spatial axes only"
        )
    x = call.x if even else padded(call.x, a["pads"])
    sizes = (a["kernel_shape"], a["dilations"], a["pads"][:2] if even else (0, 0), a["strides"])
    numbers = ", ".join(str(listed(values, "")[0]) for values in sizes)
    return f"F.fold({x}, {tuple_text(call.shape[2:])}, {numbers})" if fold else f"F.unfold({x}, {numbers})"


def gather_onnx(e: Emitter, node: Node) -> str:
    return e.op(node.op, e.source(node), e.cast(e.source(node, 1), "int64"), axis=node.attrs["axis"])


def _indices(e: Emitter, node: Node, end: int) -> tuple[str, tuple[int, ...]]:
    """Index tensors broadcast and joined along a last axis."""
    shapes = node.signature.input_shapes[1:end]
    shape = np.broadcast_shapes(*shapes)
    parts = []
    for position in range(1, end):
        index = e.cast(e.source(node, position), "int64")
        parts.append(e.reshape(e.op("Expand", index, e.ints(shape)), (*shape, 1)))
    return e.op("Concat", *parts, axis=len(shape)), shape


def slice_scatter_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    places = np.meshgrid(*(range(*b) for b in zip(a["starts"], a["ends"], a["steps"], strict=True)), indexing="ij")
    return e.op("ScatterND", e.source(node), e.tensor(np.stack(places, -1).astype(np.int64)), e.source(node, 1))


def scatter_nd_onnx(e: Emitter, node: Node) -> str:
    end = len(node.inputs) - 1
    index, shape = _indices(e, node, end)
    places = (*shape, *node.shape[end - 1 :])
    updates = e.op("Expand", e.source(node, end), e.ints(places))
    return e.op("ScatterND", e.source(node), index, updates, **_reduction(node))


def _reduction(node: Node) -> dict[str, Any]:
    return {} if node.attrs["reduction"] == "none" else {"reduction": node.attrs["reduction"]}


def scatter_elements_onnx(e: Emitter, node: Node) -> str:
    index = e.cast(e.source(node, 1), "int64")
    updates, before, wanted = e.source(node, 2), node.signature.input_shapes[2], node.signature.input_shapes[1]
    if before != wanted:
        axes = range(len(wanted))
        updates = e.op("Slice", updates, e.ints([0] * len(wanted)), e.ints(wanted), e.ints(axes))
    return e.op("ScatterElements", e.source(node), index, updates, axis=node.attrs["axis"], **_reduction(node))


def im2col_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    n, c, *spatial = node.signature.input_shapes[0]
    dims = len(spatial)
    x = e.source(node)
    if any(a["pads"]):
        x = e.op("Pad", x, e.ints([0, 0, *a["pads"][:dims], 0, 0, *a["pads"][dims:]]))
        spatial = [s + a["pads"][i] + a["pads"][dims + i] for i, s in enumerate(spatial)]
    steps = []
    for i, size in enumerate(spatial):
        reach = a["dilations"][i] * (a["kernel_shape"][i] - 1)
        starts = np.arange(0, size - reach, a["strides"][i])
        steps.append((np.arange(a["kernel_shape"][i]) * a["dilations"][i])[:, None] + starts[None, :])
    flat = np.zeros((1, 1), dtype=np.int64)
    for size, step in zip(spatial, steps, strict=True):
        flat = (flat[:, None, :, None] * size + step[None, :, None, :]).reshape(
            flat.shape[0] * step.shape[0], flat.shape[1] * step.shape[1]
        )
    windows = e.op("Gather", e.reshape(x, (n, c, prod(spatial))), e.tensor(flat), axis=2)
    return e.reshape(windows, node.shape)


def col2im_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    keys = {key: a[key] for key in ("dilations", "pads", "strides")}
    return e.op("Col2Im", e.source(node), e.ints(node.shape[2:]), e.ints(a["kernel_shape"]), **keys)


def one_hot_onnx(e: Emitter, node: Node) -> str:
    values = e.ints([0, 1])
    return e.op("OneHot", e.cast(e.source(node), "int64"), e.ints([node.shape[-1]]), values, axis=-1)


_AXIS = {"axis": Attribute("int", 0, minimum=0, doc="the axis")}
_MEETS = {
    "reduction": Attribute(
        "string", "none", choices=("none", *_REDUCES), doc="how a new element meets the one that is there"
    )
}
_WINDOWS = {"kernel_shape": KERNEL, "strides": STRIDES, "pads": PADS, "dilations": DILATIONS}
GATHERING = [
    Operator(
        "Gather", "gather", (2, 2), gather_shape, "Parts of an axis named by the second input.", attributes=_AXIS,
        batch=gather_batch, torch=gather_torch, to_onnx=gather_onnx,
    ),
    Operator(
        "GatherElements", "gather", (2, 2), gather_elements_shape, "One element a position, named by the second input along an axis.",
        attributes=_AXIS, batch=elements_batch, torch="torch.gather({0}, {axis}, {1}.long())", to_onnx=gather_onnx,
    ),
    Operator(
        "GatherND", "gather", (2, None), gather_nd_shape,
        "Elements of the first input; each further input names places along one axis, from the first on.",
        torch=lambda call: f"{call.x}[{', '.join(f'{i}.long()' for i in call.xs[1:])}]",
        to_onnx=lambda e, node: e.op("GatherND", e.source(node), _indices(e, node, len(node.inputs))[0]),
    ),
    Operator(
        "SliceScatter", "gather", (2, 2), slice_scatter_shape, "The first input with a range of every axis replaced by the second.", onnx=False,
        attributes=RANGES, batch=slice_scatter_batch, torch=slice_scatter_torch, to_onnx=slice_scatter_onnx,
    ),
    Operator(
        "ScatterND", "gather", (3, None), scatter_nd_shape,
        "The first input with places, named as for GatherND by the inputs between, replaced by the last.", attributes=_MEETS,
        torch=scatter_nd_torch, to_onnx=scatter_nd_onnx,
    ),
    Operator(
        "ScatterElements", "gather", (3, 3), scatter_elements_shape,
        "The first input with one element a position, named by the second along an axis, replaced by those of the third.",
        attributes={**_AXIS, **_MEETS}, batch=elements_batch, torch=scatter_elements_torch, to_onnx=scatter_elements_onnx,
    ),
    Operator(
        "GridSample", "gather", (2, 2), grid_sample_shape, "Samples at places given by a grid.",
        attributes={
            "mode": Attribute("string", "linear", choices=("linear", "nearest", "cubic"), doc="interpolation"),
            "padding_mode": Attribute("string", "zeros", choices=("zeros", "border", "reflection"), doc="outside"),
            "align_corners": Attribute("bool", False, doc="corner pixels keep their values"),
        },
        batch=batch.leading, torch=grid_sample_torch,
    ),
    Operator(
        "Im2Col", "gather", (1, 1), im2col_shape, "Windows as columns (torch's unfold).", onnx=False, attributes=_WINDOWS,
        batch=batch.leading, torch=windows_torch, to_onnx=im2col_onnx,
    ),
    Operator(
        "Col2Im", "gather", (1, 1), col2im_shape, "Columns added up as windows (torch's fold).", attributes=_WINDOWS,
        batch=batch.leading, torch=windows_torch, to_onnx=col2im_onnx,
    ),
    Operator(
        "OneHot", "gather", (1, 1), embedding_shape, "A one at the place that each number names.", batch=batch.keeps,
        torch=lambda call: f"F.one_hot({call.x}.long(), {call.shape[-1]})", result="int64", to_onnx=one_hot_onnx,
    ),
]  # fmt: skip
