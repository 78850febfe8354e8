"""Memory that a forward pass needs: weights, and the activations alive at once.

Nodes run one after the other in the order of the graph, as an ``nn.Module`` in evaluation mode runs them. The result of a node is a buffer of its
own, allocated when the node runs and freed after its last reader; the network's inputs and outputs stay to the end. Views (reshapes, slices,
transpositions, ...) keep the buffer that they look at alive and need none, except that reshaping what does not lie in one piece copies it. An
addition of three or more runs two at a time and holds a partial sum. Other scratch space inside an operator is the library's business and is not
counted, nor is what an allocator keeps in reserve.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from cg_ir.errors import CgError

if TYPE_CHECKING:
    from cg_ir.graph import Graph, Node

__all__ = ["PRECISIONS", "Memory", "in_bytes", "memory_of"]

_BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1, "complex64": 8, "complex128": 16, "int64": 8,
    "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
#: Element types that weights and activations can be in.
PRECISIONS = ("float32", "float16", "bfloat16", "float64")
_LOGICAL = {"Equal", "And", "Or", "Xor", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "IsNaN"}
_POSITIONS = {"ArgMax", "ArgMin"}
_REVIEWS = {"Reshape", "Flatten"}  # views only of what lies in one piece
_VIEWS = {"Squeeze", "Unsqueeze", "Transpose", "Slice", "Expand", "Split", "Output"}
_SCATTERS = {"Transpose", "Slice", "Expand"}  # views that may not lie in one piece
_PAIRWISE = {"Add", "Max", "Min"}  # operators of many inputs that run two at a time


@dataclass(frozen=True)
class Memory:
    """What a forward pass needs.

    Attributes:
        weights: bytes of learned scalars, those that operators share counted once.
        activations: greatest sum of the bytes of inputs, outputs and intermediate results alive at once.
        at: index of the node that runs then.
    """

    weights: int
    activations: int
    at: int


def memory_of(graph: Graph, batch: int = 1, precision: str = "float32") -> Memory:
    """Weights and the peak of the activations.

    Args:
        graph: the network.
        batch: examples that run together; what depends on no input does not grow with it.
        precision: element type of weights and activations; integers and truth values keep their own.

    Raises:
        CgError: no such precision.
    """
    if precision not in PRECISIONS:
        raise CgError(f"the precision '{precision}' is unknown; there are {', '.join(PRECISIONS)}")
    if batch < 1:
        raise CgError(f"a batch has 1 example or more, not {batch}")
    buffers = _Buffers(graph, batch, _BYTES[precision])
    free_after = buffers.free_after()
    alive = peak = at = 0
    for index, size in enumerate(buffers.own):
        alive += size
        if alive + buffers.partial[index] > peak:
            peak, at = alive + buffers.partial[index], index
        alive -= sum(buffers.own[buffer] for buffer in free_after.get(index, ()))
    return Memory(_BYTES[precision] * graph.params, peak, at)


class _Buffers:
    """What every node allocates, and whose buffer it reads.

    Attributes:
        own: bytes that each node allocates for its result.
        partial: bytes of the partial sum that an operator of three or more inputs holds while it runs.
        holder: node whose buffer each node's result lies in.
    """

    def __init__(self, graph: Graph, batch: int, element: int) -> None:
        self._graph = graph
        self.own: list[int] = []
        self.partial: list[int] = []
        self.holder: list[int] = []
        self._width: list[int] = []  # bytes of an element
        self._dense: list[bool] = []  # whether a result lies in one piece
        grows: list[bool] = []
        for node in graph.nodes:
            inputs = node.inputs
            source = inputs[0] if inputs else -1
            grows.append(node.op == "Input" or any(grows[i] for i in inputs))
            self._width.append(_element_bytes(node, self._width[source] if inputs else element, element))
            view = bool(inputs) and self._is_view(node, source)
            self.holder.append(self.holder[source] if view else node.index)
            self._dense.append(node.op not in _SCATTERS and (self._dense[source] if view else True))
            held = view or node.op in ("Parameter", "Constant")
            self.own.append(0 if held else self._width[-1] * prod(node.shape) * (batch if grows[-1] else 1))
            self.partial.append(self.own[-1] if len(inputs) > 2 and node.op in _PAIRWISE else 0)

    def _is_view(self, node: Node, source: int) -> bool:
        if node.op == "Select":
            return self._graph.nodes[source].op == "Split"
        return node.op in _VIEWS or (node.op in _REVIEWS and self._dense[source])

    def free_after(self) -> dict[int, list[int]]:
        """The buffers that are freed after each node; those of inputs and outputs never are."""
        last = {holder: holder for holder in self.holder}
        kept = set()
        for node in self._graph.nodes:
            for i in node.inputs:
                last[self.holder[i]] = node.index
            if node.op in ("Input", "Output"):
                kept.add(self.holder[node.index])
        result: dict[int, list[int]] = {}
        for holder, index in last.items():
            if holder not in kept:
                result.setdefault(index, []).append(holder)
        return result


def _element_bytes(node: Node, first: int, element: int) -> int:
    """Bytes of an element of a node's result, given those of its first input."""
    if node.op == "Cast":
        return _width(str(node.attrs["to"]), element)
    if node.op in ("Input", "Constant"):
        return _width(str(node.attrs["dtype"]), element)
    if node.op in _LOGICAL:
        return 1
    if node.op in _POSITIONS:
        return 8
    if node.op == "Embedding" or not node.inputs:
        return element
    operator_moves = node.op in _VIEWS | _REVIEWS | {"Concat", "Gather", "Select", "Pad", "Roll", "Tile"}
    return first if operator_moves else element


def _width(dtype: str, element: int) -> int:
    return element if dtype == "float32" else _BYTES[dtype]


def in_bytes(count: int) -> str:
    """A number of bytes for people, in powers of 1000."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{count / limit:.2f} {unit}"
    return f"{count} B"
