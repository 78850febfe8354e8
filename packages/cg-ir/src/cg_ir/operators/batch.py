"""Where the batch lies in every value of a graph, so that a graph of batch size 1 runs with any.

A graph's inputs carry the batch in their leading axis; operators keep it there, move it (a transpose) or fold it with other axes
(a reshape: it is then the outer factor of one axis). Each operator's batch rule follows it. Where an operator works along the very axis
that holds the batch, no single PyTorch call has the meaning that each example is computed by itself; such a node runs example by example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Shape = tuple[int, ...]


class Use(Protocol):
    """One use of an operator, as its rules see it (a :class:`cg_ir.signature.Signature` is one)."""

    @property
    def op(self) -> str:
        """The operator."""

    @property
    def attrs(self) -> dict[str, Any]:
        """Its attributes, defaults filled in."""

    @property
    def shape(self) -> Shape:
        """Output shape."""

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """Shapes of the inputs."""


@dataclass(frozen=True)
class Plan:
    """How a node meets a batch.

    Attributes:
        axis: the output's axis that the batch multiplies; None where the value does not depend on the inputs.
        apart: run example by example and join along axis 0.
        repeat: for each input, the axis along which it is repeated for every example, or None.
        moved: the first input has the batch along another axis.
    """

    axis: int | None
    apart: bool = False
    repeat: tuple[int | None, ...] = ()
    moved: bool = False


#: For each input the axis that holds the batch; None where it does not depend on the network's inputs.
Axes = tuple["int | None", ...]
BatchRule = Callable[[Use, Axes], Plan]
APART = Plan(0, apart=True)


def apart(use: Use, axes: Axes) -> Plan:
    """Example by example."""
    return APART


def keeps(use: Use, axes: Axes) -> Plan:
    """The batch stays where it is."""
    return Plan(axes[0])


def leading(use: Use, axes: Axes) -> Plan:
    """The batch has to lead."""
    return Plan(0) if all(axis in (0, None) for axis in axes) and axes[0] == 0 else APART


def unless(touched: Callable[[dict[str, Any], int], Sequence[int]]) -> BatchRule:
    """The batch stays where it is unless the operator works along that axis, told by attributes and the rank of the input."""

    def rule(use: Use, axes: Axes) -> Plan:
        axis = axes[0]
        return APART if axis in touched(use.attrs, len(use.input_shapes[0])) else Plan(axis)

    return rule


#: For operators that work along their attribute ``axis``.
along = unless(lambda attrs, rank: (attrs["axis"],))


def spatial(use: Use, axes: Axes) -> Plan:
    """The batch stays where it is, before the axes that a window moves along."""
    dims = len(use.attrs.get("kernel_shape", use.attrs.get("output_size", ())))
    axis = axes[0]
    return Plan(axis) if axis is not None and axis < len(use.shape) - dims else APART


def broadcast(use: Use, axes: Axes) -> Plan:
    """Axes aligned at the end; operands without the batch that fill its axis are repeated."""
    rank = len(use.shape)
    places = {axis + rank - len(s) for axis, s in zip(axes, use.input_shapes, strict=True) if axis is not None}
    if len(places) != 1:
        return APART
    place = places.pop()
    if place >= rank:  # one number an example has no axis
        return APART
    repeat: list[int | None] = []
    for axis, size in zip(axes, use.input_shapes, strict=True):
        own = place - (rank - len(size))
        if axis is not None:
            if axis >= len(size) or size[axis] != use.shape[place]:  # one number for all has no axis
                return APART
            repeat.append(None)
        else:
            repeat.append(own if own >= 0 and size[own] > 1 else None)
    return Plan(place, repeat=tuple(repeat))
