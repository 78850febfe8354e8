"""Concatenation and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axis_of

Outputs = Sequence[Any]


@lowers("cat", "concat", "concatenate")
def cat(low: Lowering, out: Outputs, tensors: Sequence[Value], dim: int = 0) -> int:
    parts = [t for t in tensors if 0 not in t.shape]
    if len(parts) == 1:
        return low.node(parts[0])
    return low.add("Concat", *parts, shape=out[0].shape, axis=axis_of(dim, len(out[0].shape)))


@lowers("stack")
def stack(low: Lowering, out: Outputs, tensors: Sequence[Value], dim: int = 0) -> int:
    shape = out[0].shape
    axis = axis_of(dim, len(shape))
    row = (*shape[:axis], 1, *shape[axis + 1 :])
    rows = [low.reshape(t, row) for t in tensors]
    return rows[0] if len(rows) == 1 else low.add("Concat", *rows, shape=shape, axis=axis)


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@lowers("pad")
def pad(
    low: Lowering, out: Outputs, x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> int:
    rank, node = len(x.shape), low.node(x)
    begins, ends = [0] * rank, [0] * rank
    for i in range(len(pad) // 2):  # ATen lists the last axis first
        begins[rank - 1 - i], ends[rank - 1 - i] = pad[2 * i], pad[2 * i + 1]
    if mode != "constant":  # what is cropped is not seen by what is filled
        for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            if min(begin, end) < 0:
                node = low.cut(node, axis, max(-begin, 0), x.shape[axis] + min(end, 0))
        begins, ends = [max(b, 0) for b in begins], [max(e, 0) for e in ends]
    return low.add(
        "Pad", node, shape=out[0].shape, pads=(*begins, *ends), mode=_MODES[mode], value=low.finite(value or 0.0)
    )


lowers("constant_pad_nd")(lambda low, out, x, pads, value=0.0: pad(low, out, x, pads, "constant", value))
for _dims in (1, 2, 3):
    lowers(f"reflection_pad{_dims}d")(lambda low, out, x, pads: pad(low, out, x, pads, "reflect"))
    lowers(f"replication_pad{_dims}d")(lambda low, out, x, pads: pad(low, out, x, pads, "replicate"))
