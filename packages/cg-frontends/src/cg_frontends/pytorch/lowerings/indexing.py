"""Indexing by tensors, windows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axis_of, each

Outputs = Sequence[Any]


@lowers("index_select")
def index_select(low: Lowering, out: Outputs, x: Value, dim: int, index: Value) -> int:
    return low.add("Gather", x, index, shape=out[0].shape, axis=axis_of(dim, len(x.shape)))


@lowers("gather")
def gather(low: Lowering, out: Outputs, x: Value, dim: int, index: Value, *, sparse_grad: bool = False) -> int:
    return low.add("GatherElements", x, index, shape=out[0].shape, axis=axis_of(dim, len(x.shape)))


@lowers("index", "_unsafe_index")
def index(low: Lowering, out: Outputs, x: Value, indices: Sequence[Value | None]) -> Any:
    named = [(axis, i) for axis, i in enumerate(indices) if i is not None]
    if not named or any(i.dtype in ("bool", "uint8") for _, i in named):
        return NotImplemented
    shape = out[0].shape
    if len(named) == 1:
        axis, where = named[0]
        return low.add("Gather", x, where, shape=shape, axis=axis)
    axes = [axis for axis, _ in named]
    rank = len(x.shape)
    front = low.node(x)
    if axes != list(range(len(axes))):
        front = low.transpose(front, [*axes, *(a for a in range(rank) if a not in axes)])
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    width = len(shape) - (rank - len(axes))  # axes of the broadcast indices
    if not together or axes[0] == 0:
        return low.add("GatherND", front, *(i for _, i in named), shape=shape)
    # neighbouring indices stay in their place: gather in front, then move back
    begin = axes[0]
    gathered = (*shape[begin : begin + width], *shape[:begin], *shape[begin + width :])
    node = low.add("GatherND", front, *(i for _, i in named), shape=gathered)
    perm = [*range(width, width + begin), *range(width), *range(width + begin, len(shape))]
    return low.transpose(node, perm)


@lowers("one_hot")
def one_hot(low: Lowering, out: Outputs, x: Value, num_classes: int = -1) -> int:
    return low.add("OneHot", x, shape=out[0].shape)


@lowers("im2col")
def im2col(low: Lowering, out: Outputs, x: Value, kernel: Any, dilation: Any, padding: Any, stride: Any) -> int:
    return low.add("Im2Col", x, shape=out[0].shape, **_windows(kernel, dilation, padding, stride))


@lowers("col2im")
def col2im(
    low: Lowering, out: Outputs, x: Value, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> int:
    return low.add("Col2Im", x, shape=out[0].shape, **_windows(kernel, dilation, padding, stride))


def _windows(kernel: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Any]:
    return {
        "kernel_shape": each(kernel, 2),
        "dilations": each(dilation, 2),
        "pads": each(padding, 2) * 2,
        "strides": each(stride, 2),
    }
