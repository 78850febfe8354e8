"""Regions that can be left out of a network: what flows in flows out in the same shape, so an identity can stand in their place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cg_ir.builder import GraphBuilder
from cg_ir.errors import GraphError
from cg_ir.graph import Graph

#: A region of fewer operators is a layer, and leaving it out says little.
_LEAST = 3


class Bypass(NamedTuple):
    """A region that can be left out.

    Attributes:
        region: its dotted path.
        nodes: its nodes.
        source: the node outside that it reads.
        result: the node inside that is read outside.
    """

    region: str
    nodes: frozenset[int]
    source: int
    result: int


def bypasses(graph: Graph) -> list[Bypass]:
    """Disjoint regions that can be left out one by one or together: the innermost that hold three operators or more and any work."""
    members: dict[str, list[int]] = {}
    for node in graph.nodes:
        parts = node.region.split(".") if node.region else []
        for depth in range(1, len(parts) + 1):
            members.setdefault(".".join(parts[:depth]), []).append(node.index)
    readers: list[list[int]] = [[] for _ in range(len(graph))]
    for node in graph.nodes:
        for i in node.inputs:
            readers[i].append(node.index)
    found = {name: _bypass(graph, name, nodes, readers) for name, nodes in members.items() if len(nodes) >= _LEAST}
    inner = [made for made in found.values() if made is not None]
    # of regions inside each other the inner ones, where there are two or more
    chosen: list[Bypass] = []
    for made in inner:
        inside = [other for other in inner if other.region.startswith(f"{made.region}.")]
        outside = [other for other in inner if made.region.startswith(f"{other.region}.")]
        alone = any(sum(o.region.startswith(f"{outer.region}.") for o in inner) < 2 for outer in outside)
        if len(inside) < 2 and not alone:
            chosen.append(made)
    return sorted(chosen, key=lambda made: min(made.nodes))


def _bypass(graph: Graph, name: str, nodes: list[int], readers: list[list[int]]) -> Bypass | None:
    inside = frozenset(nodes)
    sources = {i for n in nodes for i in graph.nodes[n].inputs if i not in inside}
    results = [n for n in nodes if any(r not in inside for r in readers[n])]
    if len(sources) != 1 or len(results) != 1 or not any(graph.nodes[n].macs for n in nodes):
        return None
    (source,) = sources
    if graph.nodes[source].shape != graph.nodes[results[0]].shape or graph.nodes[source].op in (
        "Parameter",
        "Constant",
    ):
        return None
    return Bypass(name, inside, source, results[0])


def bypass(graph: Graph, left_out: Iterable[Bypass]) -> Graph:
    """The network with identities in the place of some regions of `bypasses`.

    Raises:
        GraphError: the regions overlap.
    """
    chosen = list(left_out)
    gone: set[int] = set()
    for made in chosen:
        if gone & made.nodes:
            raise GraphError("regions that are left out should not overlap", made.region)
        gone |= made.nodes
    builder = GraphBuilder(graph.name)
    stands = {made.result: made.source for made in chosen}
    place: dict[int, int] = {}

    def at(i: int) -> int:
        while i in stands:
            i = stands[i]
        return place[i]

    for node in graph.nodes:
        if node.index not in gone:
            place[node.index] = builder.copy(node, list(map(at, node.inputs)))
    return builder.build()
