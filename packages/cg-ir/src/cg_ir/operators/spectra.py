"""Fourier transforms. A complex number is a pair, real and imaginary part, along the last axis, as in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, Attribute
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape
from cg_ir.operators.torch_text import Call


def dft_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Pairs in the input's shape; one-sided n/2 + 1 of them for n real numbers, and back n numbers, n as the node says."""
    shape, axis = ins[0], attrs["axis"]
    if len(shape) < 2 or axis >= len(shape) - 1:
        raise GraphError(f"shape {list(shape)} has no axis {axis} before the one of the pairs")
    possible = (2,) if attrs["inverse"] else (1,) if attrs["onesided"] else (1, 2)
    if shape[-1] not in possible:
        raise GraphError(f"the last axis of {list(shape)} should have size {' or '.join(map(str, possible))}")
    if not attrs["onesided"]:
        return (*shape[:-1], 2)
    if not attrs["inverse"]:
        return (*shape[:axis], shape[axis] // 2 + 1, *shape[axis + 1 : -1], 2)
    if out is not None and len(out) == len(shape) and out[axis] // 2 + 1 != shape[axis]:
        raise GraphError(f"{out[axis]} numbers do not come from {shape[axis]} pairs of one side")
    return (*shape[:axis], None, *shape[axis + 1 : -1], 1)


def dft_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Of a fast transform (Cooley and Tukey 1965): 2 n ceil(log2 n) for each line of n pairs, half of it where one side is real.

    ceil(log2 n) stages of n / 2 complex products, four real ones each.
    """
    shape, axis = ins[0], attrs["axis"]
    length = max(shape[axis], out[axis])
    lines = prod(shape[:-1]) // shape[axis]
    return lines * (2 if shape[-1] == out[-1] == 2 else 1) * length * (length - 1).bit_length()


def dft_torch(call: Call) -> str:
    a = call.attrs
    name = ("i" if a["inverse"] else "") + ("rfft" if a["onesided"] else "fft")
    x = f"{call.x}.squeeze(-1)" if call.input_shapes[0][-1] == 1 else f"torch.view_as_complex({call.x}.contiguous())"
    if call.shape[-1] == 1:
        return f"torch.fft.{name}({x}, n={call.shape[a['axis']]}, dim={a['axis']}).unsqueeze(-1)"
    return f"torch.view_as_real(torch.fft.{name}({x}, dim={a['axis']}))"


def dft_onnx(e: Emitter, node: Node) -> str:
    """With the length stated, where it does not follow from one side."""
    a, axis = node.attrs, e.number(node.attrs["axis"], "int64")
    length = e.number(node.shape[a["axis"]], "int64") if a["inverse"] and a["onesided"] else ""
    return e.op("DFT", e.source(node), length, axis, inverse=a["inverse"], onesided=a["onesided"])


SPECTRA = [
    Operator(
        "DFT", "matmul", (1, 1), dft_shape,
        "Discrete Fourier transform along an axis, of real numbers (last axis of size 1) or pairs (2) to pairs; the inverse divides by its length.",
        macs=dft_macs,
        attributes={
            "axis": AXIS,
            "inverse": Attribute("bool", False, doc="from the spectrum back"),
            "onesided": Attribute("bool", False, doc="numbers are real on the other side, so that half of the spectrum holds all"),
        },
        batch=batch.unless(lambda attrs, rank: (attrs["axis"], rank - 1)), torch=dft_torch, to_onnx=dft_onnx,
    ),
]  # fmt: skip
