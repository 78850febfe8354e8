"""The layers of a graph as a table: regions within regions, and the operators of those that are shown open."""

from __future__ import annotations

from dataclasses import dataclass, field

from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS


@dataclass
class Layer:
    """A region, or an operator of its own.

    Attributes:
        name: last part of the region's name; of an operator in an open region, the operator's.
        operator: the operator, where the layer is one; how many there are, where it is folded.
        depth: regions around it.
        shape: of its last result, batch included.
        params: learned scalars; those that are shared count where they first occur.
        macs: multiply-accumulates at batch size 1.
        share: of all multiply-accumulates, from 0 to 1.
    """

    name: str
    operator: str
    depth: int
    shape: tuple[int, ...]
    params: int
    macs: int
    share: float


@dataclass
class _Region:
    name: str
    parts: list[_Region | int] = field(default_factory=list)
    inside: dict[str, _Region] = field(default_factory=dict)

    def nodes(self) -> list[int]:
        """All nodes inside, in order of the graph."""
        found: list[int] = []
        for part in self.parts:
            found += [part] if isinstance(part, int) else part.nodes()
        return sorted(found)


def layers(graph: Graph, depth: int = 3) -> list[Layer]:
    """The layers in the order in which they first run.

    Args:
        depth: levels of regions; those of the last level are folded into one row each.
    """
    root = _tree(graph)
    first: set[str] = set()
    params = []
    for node in graph.nodes:
        counts = node.weights is None or node.weights not in first
        params.append(node.params if counts else 0)
        if node.weights is not None:
            first.add(node.weights)
    rows: list[Layer] = []

    def add(name: str, operator: str, level: int, nodes: list[int]) -> None:
        macs = sum(graph.nodes[i].macs for i in nodes)
        shape = graph.nodes[nodes[-1]].shape
        rows.append(Layer(name, operator, level, shape, sum(params[i] for i in nodes), macs, macs / max(1, graph.macs)))

    def visit(region: _Region, level: int) -> None:
        for part in region.parts:
            if isinstance(part, int):
                add(graph.nodes[part].op, graph.nodes[part].op, level, [part])
                continue
            nodes = part.nodes()
            if len(nodes) == 1:
                add(part.name, graph.nodes[nodes[0]].op, level, nodes)
                continue
            add(part.name, f"{len(nodes)} operators", level, nodes)
            if level + 1 < depth:
                visit(part, level + 1)

    visit(root, 0)
    return rows


def _tree(graph: Graph) -> _Region:
    root = _Region("")
    for node in graph.nodes:
        if OPERATORS[node.op].kind == "sink":
            continue
        place = root
        for name in node.region.split(".") if node.region else ():
            if name not in place.inside:
                place.inside[name] = _Region(name)
                place.parts.append(place.inside[name])
            place = place.inside[name]
        place.parts.append(node.index)
    return root
