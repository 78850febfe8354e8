"""Rules of shapes and costs that operators share.

A shape rule takes the input shapes, the attributes (defaults filled) and the stated output shape or ``None``; it returns the output
shape, with ``None`` at places that only the statement can fill (the channels of a convolution). It raises ``GraphError`` where the
inputs do not fit. A cost rule takes the input shapes, the attributes and the output shape and returns an exact integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from cg_ir.errors import GraphError

Shape = tuple[int, ...]
PartialShape = tuple["int | None", ...]
Attrs = Mapping[str, Any]
ShapeRule = Callable[[Sequence[Shape], Attrs, "Shape | None"], PartialShape]
CostRule = Callable[[Sequence[Shape], Attrs, Shape], int]
#: Shapes of the outputs after the first; None where they are not known.
FurtherRule = Callable[[Sequence[Shape], Attrs, Shape], "Sequence[Shape] | None"]
#: The tensors that an operator holds by PyTorch's names, of norms ``scale`` for the weight; all but running statistics are learned.
TensorRule = Callable[[Sequence[Shape], Attrs, Shape], "dict[str, Shape]"]


def need_rank(shape: Shape, rank: int, what: str) -> None:
    if len(shape) != rank:
        raise GraphError(f"{what} should have {rank} axes, not shape {list(shape)}")


def need_axis(axis: int, rank: int) -> None:
    if not 0 <= axis < rank:
        raise GraphError(f"axis {axis} is outside the {rank} axes of the input (axes count from 0)")


def stated(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape is what the node says."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    return out


def same(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the first input."""
    return ins[0]


def same_with_axis(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the first input; an axis, where there is one, must exist."""
    need_axis(attrs["axis"], len(ins[0]))
    return ins[0]


def broadcast(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> Shape:
    """Multidirectional broadcasting of all inputs, as in ONNX and numpy."""
    first = ins[0]
    if all(shape == first for shape in ins):
        return first
    rank = max(len(shape) for shape in ins)
    result = [1] * rank
    for shape in ins:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[axis] not in (1, size):
                    raise GraphError(f"inputs of shapes {[list(s) for s in ins]} do not broadcast")
                result[axis] = size
    return tuple(result)


def _window(size: int, kernel: int, stride: int, begin: int, end: int, dilation: int, *, ceil: bool) -> int:
    span = size + begin + end - dilation * (kernel - 1) - 1
    if span < 0:
        raise GraphError(
            f"a window of {dilation * (kernel - 1) + 1} does not fit an axis of {size} padded by {begin}+{end}"
        )
    if not ceil:
        return span // stride + 1
    count = -(-span // stride) + 1
    # the last window must start inside the input or its leading padding
    return count - 1 if (count - 1) * stride >= size + begin else count


def windows(shape: Shape, attrs: Attrs) -> list[int]:
    kernel, pads = attrs["kernel_shape"], attrs["pads"]
    dims = len(kernel)
    dilations, ceil = attrs.get("dilations", (1,) * dims), attrs.get("ceil_mode", False)
    axes = zip(shape[-dims:], kernel, attrs["strides"], pads[:dims], pads[dims:], dilations, strict=True)
    return [_window(*axis, ceil=ceil) for axis in axes]


def slice_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``starts``, ``ends`` and ``steps`` for every axis, already clamped; a negative step runs from start down to above end."""
    rank = len(ins[0])
    if not len(attrs["starts"]) == len(attrs["ends"]) == len(attrs["steps"]) == rank:
        raise GraphError(f"starts, ends and steps should each have {rank} numbers, one an axis")
    sizes = []
    for size, start, end, step in zip(ins[0], attrs["starts"], attrs["ends"], attrs["steps"], strict=True):
        if step == 0 or not (0 <= start < size and -1 <= end <= size):
            raise GraphError(f"slice {start}:{end}:{step} is outside an axis of {size}")
        count = len(range(start, end, step))
        if count == 0:
            raise GraphError(f"slice {start}:{end}:{step} is empty")
        sizes.append(count)
    return tuple(sizes)


def one_output(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """There are none."""
    return ()


def positions(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Output 1 is the positions of output 0, in the same shape."""
    return (out,)


def none(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """No parameters, or no multiply-accumulates."""
    return 0


def no_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """None."""
    return {}


def counted(tensors: TensorRule) -> CostRule:
    """The number of learned scalars."""

    def params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
        held = tensors(ins, attrs, out)
        return sum(prod(shape) for name, shape in held.items() if not name.startswith("running_"))

    params.__doc__ = tensors.__doc__
    return params
