"""Padding and resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import Attribute
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, need_rank, stated
from cg_ir.operators.torch_text import Call, padded, torch_pads, tuple_text


def pad_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``pads``: begins of all axes, then ends; negative numbers crop."""
    rank, pads = len(ins[0]), attrs["pads"]
    if len(pads) != 2 * rank:
        raise GraphError(f"pads should have {2 * rank} numbers, not {len(pads)}")
    return tuple(size + pads[i] + pads[rank + i] for i, size in enumerate(ins[0]))


def resize_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape with as many axes."""
    shape = stated(ins, attrs, out)
    need_rank(ins[0], len(shape), "the input")
    return shape


def pad_torch(call: Call) -> str:
    a = call.attrs
    mode = {"constant": "", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[a["mode"]]
    if not mode or not any(a["pads"]):
        return padded(call.x, a["pads"], repr(a["value"]) if a["value"] else "")
    pads = torch_pads(a["pads"])
    if min(pads) < 0:
        raise GraphError(f"PyTorch cannot crop with mode {a['mode']}")
    rank = len(call.shape)
    axes = max(len(pads) // 2, min(rank - 2, 3))  # PyTorch pads all spatial axes so, and wants two before them
    text = f"F.pad({{}}, {tuple_text([*pads, *[0] * (2 * axes - len(pads))])}, mode={mode!r})"
    lead = axes + 2 - rank
    if lead <= 0:
        return text.format(call.x)
    return f"{text.format(f'{call.x}[' + ', '.join(['None'] * lead) + ']')}.reshape({call.wanted})"


def resize_torch(call: Call) -> str:
    a, dims = call.attrs, len(call.shape) - 2
    modes = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}.get(dims), "cubic": {2: "bicubic"}.get(dims)}
    mode = modes.get(a["mode"], a["mode"])
    if mode is None or not 1 <= dims <= 3:
        raise GraphError(f"PyTorch has no {a['mode']} interpolation over {dims} axes")
    if call.input_shapes[0][:2] != call.shape[:2]:
        raise GraphError("PyTorch resizes spatial axes only, not batch and channels")
    corners = f", align_corners={a['align_corners']}" if a["mode"] in modes else ""
    ends = corners + (", antialias=True" if a["antialias"] else "")
    return f"F.interpolate({call.x}, size={tuple_text(call.shape[2:])}, mode={mode!r}{ends})"


def pad_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    value = [e.number(a["value"], e.dtype(node))] if a["mode"] == "constant" else []
    return e.op("Pad", e.source(node), e.ints(a["pads"]), *value, mode=a["mode"])


def averages(e: Emitter, x: str, rank: int, spatial: Sequence[int], size: Sequence[int]) -> str:
    """Means over windows."""
    matrices = []
    for before, after in zip(spatial, size, strict=True):
        matrix = np.zeros((after, before), dtype=np.float32)
        for row in range(after):
            begin, end = row * before // after, -(-(row + 1) * before // after)
            matrix[row, begin:end] = 1.0 / (end - begin)
        matrices.append(matrix)
    return _along_axes(e, x, rank, matrices)


def _along_axes(e: Emitter, x: str, rank: int, matrices: Sequence[NDArray[np.float32]]) -> str:
    """The last axes multiplied by a matrix each."""
    letters = "abcdefgh"[:rank]
    for i, matrix in enumerate(matrices):
        axis = rank - len(matrices) + i
        result = letters[:axis] + "z" + letters[axis + 1 :]
        x = e.op("Einsum", x, e.tensor(matrix), equation=f"{letters},z{letters[axis]}->{result}")
    return x


def _filter(before: int, after: int, cubic: bool) -> NDArray[np.float32]:
    """Weights of an antialiasing resize: a triangle, or Keys' cubic with a = -1/2, as wide as the step of the output."""
    scale = max(before / after, 1.0)
    centres = (np.arange(after) + 0.5) * before / after
    x = np.abs((np.arange(before)[None, :] + 0.5 - centres[:, None]) / scale)
    if cubic:
        near = 1.5 * x**3 - 2.5 * x**2 + 1.0
        far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
        weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    else:
        weights = np.maximum(1.0 - x, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resize_onnx(e: Emitter, node: Node) -> str | None:
    a, before = node.attrs, node.signature.input_shapes[0]
    mode = a["mode"]
    if mode == "area":
        return averages(e, e.source(node), len(before), before[2:], node.shape[2:])
    if a["antialias"] and mode in ("linear", "cubic") and not a["align_corners"] and before[:2] == node.shape[:2]:
        filters = [_filter(x, y, mode == "cubic") for x, y in zip(before[2:], node.shape[2:], strict=True)]
        return _along_axes(e, e.source(node), len(before), filters)
    if a["antialias"]:
        return None
    attrs: dict[str, Any] = {"mode": "nearest" if mode.startswith("nearest") else mode}
    if mode == "nearest":
        attrs |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif mode == "nearest-exact":
        attrs |= {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    else:
        attrs["coordinate_transformation_mode"] = "align_corners" if a["align_corners"] else "half_pixel"
        attrs["cubic_coeff_a"] = -0.75
    return e.op("Resize", e.source(node), "", "", e.ints(node.shape), **attrs)


RESAMPLING = [
    Operator(
        "Pad", "pad", (1, 1), pad_shape, "Padded or cropped.",
        attributes={
            "pads": Attribute("ints", doc="begins of all axes, then ends; negative numbers crop"),
            "mode": Attribute("string", "constant", choices=("constant", "reflect", "edge", "wrap"), doc="what fills"),
            "value": Attribute("float", 0.0, doc="the constant"),
        },
        batch=batch.unless(lambda attrs, rank: [i for i in range(rank) if attrs["pads"][i] or attrs["pads"][rank + i]]),
        torch=pad_torch, to_onnx=pad_onnx,
    ),
    Operator(
        "Resize", "resize", (1, 1), resize_shape, "Interpolated to the stated shape.",
        attributes={
            "mode": Attribute("string", "nearest", choices=("nearest", "nearest-exact", "linear", "cubic", "area"), doc="interpolation"),
            "align_corners": Attribute("bool", False, doc="corner pixels keep their values"),
            "antialias": Attribute("bool", False, doc="filtered when shrinking"),
        },
        batch=batch.leading, torch=resize_torch, to_onnx=resize_onnx,
    ),
]  # fmt: skip
