"""Which axis of each input is the batch, told by the operators that the inputs meet.

A batch is what no operator mixes: each example is computed by itself. So a graph that was traced with several examples tells where
they lie: from an assumption for the inputs, the rules that let :func:`cg_ir.to_module` run any batch follow the axis through every operator.
Where one works along that very axis (a recurrent layer along the sequence, a convolution along channels), the assumption was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from cg_ir import Graph, Node
from cg_ir.operators import plan, selected_axis

Axes = tuple["int | None", ...]
_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def batch_axes(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> Axes | None:
    """For each input the axis that holds its examples, ``None`` where it has none; ``None`` altogether where no axis is a batch.

    Args:
        graph: the network, traced with inputs of these ``shapes``.
    """
    for axes in _assumptions(shapes):
        if mixes(graph, axes) == 0:
            return axes
    return None


def _assumptions(shapes: Sequence[tuple[int, ...]]) -> Iterator[Axes]:
    """The leading axis of every input; else an axis of one common size, the first or (a sequence comes first) the second.

    An input whose first axis is 1 may hold the size of another as its second, as states of a recurrent layer do. Vectors are no batch
    where the inputs of several axes do without: positions are as many as a sequence is long.
    """
    yield tuple(0 if shape else None for shape in shapes)
    whole = [shape for shape in shapes if len(shape) > 1] or list(shapes)
    sizes = dict.fromkeys(
        size
        for depth in (0, 1)
        for shape in whole
        for size in shape[depth : depth + 1]
        if size > 1 and (depth == 0 or shape[0] > 1)
    )

    def axis(shape: tuple[int, ...], size: int, order: tuple[int, int]) -> int | None:
        return next((a for a in order if shape[a : a + 1] == (size,)), None)

    for vectors in (False, True):
        for order in ((0, 1), (1, 0)):
            for size in sizes:
                yield tuple(axis(s, size, order) if vectors or len(s) > 1 else None for s in shapes)


@dataclass(frozen=True)
class _Place:
    """Where a value holds the examples: a factor ``size`` of ``axis``, within ``outer`` others."""

    axis: int
    outer: int
    size: int


def mixes(graph: Graph, axes: Axes) -> int:
    """How many operators work along the batch if the inputs hold it at ``axes``."""
    places: list[_Place | None] = []
    given: list[bool] = []  # whether a value depends on an input of the network
    count = 0
    for node in graph.nodes:
        given.append(node.op == "Input" or any(given[i] for i in node.inputs))
        own = [places[i] for i in node.inputs]
        held = [place for place in own if place is not None]
        if node.op == "Input":
            axis = axes[int(node.attrs["index"])]
            place = None if axis is None else _Place(axis, 1, node.shape[axis])
        elif not held:
            place = None
        elif node.op in _RESHAPES:
            place = _reshaped(held[0], node.signature.input_shapes[0], node.shape)
            count += place is None
        else:
            beside = [given[i] and place is None for i, place in zip(node.inputs, own, strict=True)]
            axis, apart = _axis(graph, node, tuple(None if p is None else p.axis for p in own), beside)
            count += apart or any((p.outer, p.size) != (held[0].outer, held[0].size) for p in held)
            place = None if axis is None else _Place(axis, held[0].outer, held[0].size)
        places.append(place)
    return count


def scales(one: Graph, several: Graph, size: int) -> bool:
    """Whether ``several`` is ``one`` with ``size`` examples along the leading axes, as far as outputs and MACs tell.

    For networks that fold the batch into another axis and back (one kernel an example as a grouped convolution), which :func:`mixes`
    cannot follow. A sequence is none: attention grows with its square, recurrent layers have a last state.
    """
    if {"LSTM", "GRU", "RNN"} & {node.op for node in one.nodes}:
        return False
    ends = [[node.shape for node in graph.nodes if node.op == "Output"] for graph in (one, several)]
    grown = [(size * shape[0], *shape[1:]) if shape else shape for shape in ends[0]]
    return grown == ends[1] and several.macs <= size * one.macs


def _axis(graph: Graph, node: Node, axes: Axes, beside: Sequence[bool]) -> tuple[int | None, bool]:
    """The axis of a node's output that holds the batch, and whether the node works along the batch.

    Args:
        beside: whether an input of the node comes from the network's inputs without a batch; it holds one after all if it is as long.
    """
    if node.op == "Select":
        return selected_axis(graph.nodes[node.inputs[0]].signature, axes[0]), False
    if node.op == "Custom":
        return None, True
    how = plan(node.signature, axes)
    longer = any(b and place is not None for b, place in zip(beside, how.repeat, strict=False))
    return how.axis, how.apart or longer


def _reshaped(place: _Place, before: tuple[int, ...], after: tuple[int, ...]) -> _Place | None:
    """The place after a reshape, which keeps the order of the elements; ``None`` where the batch falls into two axes."""
    outside = prod(before[: place.axis]) * place.outer
    filled = 1
    for axis, size in enumerate(after):
        if filled * size > outside:
            outer, rest = divmod(outside, filled)
            return _Place(axis, outer, place.size) if rest == 0 and size % (outer * place.size) == 0 else None
        filled *= size
    return None
