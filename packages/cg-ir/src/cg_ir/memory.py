"""Memory that a forward pass needs: weights, and the activations alive at once.

Nodes run one after the other in the order of the graph, as an ``nn.Module`` in evaluation mode runs them. The result of a node is a buffer of its
own, allocated when the node runs and freed after its last reader; the network's inputs and outputs stay to the end. Views (reshapes, slices,
transpositions, ...) keep the buffer that they look at alive and need none, except that reshaping what does not lie in one piece copies it. An
addition of three or more runs two at a time and holds a partial sum; a product with what does not lie in one piece copies it. Other scratch space
inside an operator is the library's business and is not counted, nor is what an allocator keeps in reserve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod

from cg_ir.errors import CgError
from cg_ir.graph import Graph, Node
from cg_ir.operators import OPERATORS

_BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1, "complex64": 8, "complex128": 16, "int64": 8,
    "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
#: Element types that weights and activations can be in.
PRECISIONS = ("float32", "float16", "bfloat16", "float64")
_MOVES = {"Concat", "Gather", "Select", "Pad", "Roll", "Tile"}  # what moves elements keeps their type
_SOURCES = {"Input", "Parameter", "Constant"}
_IN_PLACE = {operator.name for operator in OPERATORS.values() if operator.in_place}
_PAIRWISE = {"Add", "Max", "Min"}  # operators of many inputs that run two at a time


@dataclass(frozen=True)
class Memory:
    """What a forward pass needs.

    Attributes:
        weights: bytes of learned scalars, those that operators share counted once.
        activations: greatest sum of the bytes of inputs, outputs and intermediate results alive at once.
        in_modules: the same in PyTorch without a compiler: what a module is given stays alive until it returns, for its callers hold it, and so do the
            parts and the result of a concatenation that it makes, which its code names; and ReLU and its like, where nothing else reads their input,
            overwrite it, as they do in the common model libraries.
        at: index of the node that runs when `activations` are at their peak.
    """

    weights: int
    activations: int
    in_modules: int
    at: int


def memory_of(graph: Graph, batch: int = 1, precision: str = "float32") -> Memory:
    """Weights and the peak of the activations.

    Args:
        batch: examples that run together; what depends on no input does not grow with it.
        precision: element type of weights and activations; integers and truth values keep their own.

    Raises:
        CgError: no such precision.
    """
    if precision not in PRECISIONS:
        raise CgError(f"the precision '{precision}' is unknown; there are {', '.join(PRECISIONS)}")
    if batch < 1:
        raise CgError(f"a batch has 1 example or more, not {batch}")
    buffers = _Buffers(graph, batch, _BYTES[precision], set())
    peak, at = buffers.peak(buffers.last_uses())
    buffers = _Buffers(graph, batch, _BYTES[precision], _IN_PLACE)
    in_modules, _ = buffers.peak(_held_by_modules(graph, buffers.holder, buffers.last_uses()))
    return Memory(_BYTES[precision] * graph.params, peak, in_modules, at)


class _Buffers:
    """What every node allocates, and whose buffer it reads.

    Attributes:
        own: bytes that each node allocates for its result.
        partial: bytes that an operator holds while it runs, beside its inputs and its result.
        holder: node whose buffer each node's result lies in.
    """

    def __init__(self, graph: Graph, batch: int, element: int, in_place: Set[str]) -> None:
        self._graph = graph
        self._in_place = in_place
        self._readers = [0] * len(graph)
        for i in graph.indices.tolist():
            self._readers[i] += 1
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
            self._dense.append(OPERATORS[node.op].view != "strided" and (self._dense[source] if view else True))
            held = view or node.op in ("Parameter", "Constant")
            self.own.append(0 if held else self._width[-1] * prod(node.shape) * (batch if grows[-1] else 1))
            self.partial.append(self._scratch(node, batch if grows[-1] else 1))

    def _scratch(self, node: Node, batch: int) -> int:
        """Bytes of a partial sum; of what a product holds of an input that does not lie in one piece: a copy, then the product without its bias."""
        own = self.own[node.index]
        if node.op in _PAIRWISE and len(node.inputs) > 2:
            return own
        if node.op != "Gemm" or self._dense[node.inputs[0]]:
            return 0
        shape = self._graph.nodes[node.inputs[0]].shape
        copied = len(shape) > 3 and shape[0] * batch > 1  # a batch of one is looked at as it lies
        return max(self._width[node.inputs[0]] * prod(shape) * batch * copied, own * bool(node.attrs["bias"]))

    def _is_view(self, node: Node, source: int) -> bool:
        if node.op == "Select":
            return self._graph.nodes[source].op == "Split"
        if node.op in self._in_place:
            return self._readers[source] == 1 and self._graph.nodes[source].op not in _SOURCES
        kind = OPERATORS[node.op].view
        return self._dense[source] if kind == "dense" else bool(kind)

    def last_uses(self) -> dict[int, int]:
        """The last node that reads each buffer; the number of nodes for those of inputs and outputs, which stay."""
        last = {holder: holder for holder in self.holder}
        for node in self._graph.nodes:
            for i in node.inputs:
                last[self.holder[i]] = max(last[self.holder[i]], node.index)
        for node in self._graph.nodes:
            if node.op in ("Input", "Output"):
                last[self.holder[node.index]] = len(self._graph)
        return last

    def peak(self, last: Mapping[int, int]) -> tuple[int, int]:
        """The greatest number of bytes alive at once, and the node that runs then."""
        freed: dict[int, int] = {}
        for holder, index in last.items():
            freed[index] = freed.get(index, 0) + self.own[holder]
        alive = peak = at = 0
        for index, (size, partial) in enumerate(zip(self.own, self.partial, strict=True)):
            alive += size
            if alive + partial > peak:
                peak, at = alive + partial, index
            alive -= freed.get(index, 0)
        return peak, at


def _held_by_modules(graph: Graph, holder: Sequence[int], last: Mapping[int, int]) -> dict[int, int]:
    """Last uses where every region, a module, holds what flows into it, and what it concatenates, while its nodes run one after the other."""
    result = dict(last)
    running: list[tuple[str, int, set[int]]] = []  # regions that are entered: name, first node, buffers from outside

    def leave(depth: int, end: int) -> None:
        while len(running) > depth:
            _, _, given = running.pop()
            for buffer in given:
                result[buffer] = max(result[buffer], end)

    for node in graph.nodes:
        if node.op in _SOURCES or node.op == "Output":
            continue
        path = node.region.split(".") if node.region else []
        common = 0
        while common < min(len(path), len(running)) and running[common][0] == path[common]:
            common += 1
        leave(common, node.index - 1)
        running += [(name, node.index, set()) for name in path[common:]]
        for _, first, given in running:
            given.update(holder[i] for i in node.inputs if i < first)
        if node.op == "Concat" and running:
            running[-1][2].update(holder[i] for i in (*node.inputs, node.index))
    leave(0, len(graph) - 1)
    return result


def _element_bytes(node: Node, first: int, element: int) -> int:
    """Bytes of an element of a node's result, given those of its first input."""
    result = OPERATORS[node.op].result
    if result not in ("first", "common"):
        return _width(str(node.attrs.get(result, result)), element)
    if not node.inputs:
        return element
    return first if OPERATORS[node.op].view or node.op in _MOVES else element


def _width(dtype: str, element: int) -> int:
    return element if dtype == "float32" else _BYTES[dtype]


def in_bytes(count: int) -> str:
    """A number of bytes for people, in powers of 1000."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{count / limit:.2f} {unit}"
    return f"{count} B"
