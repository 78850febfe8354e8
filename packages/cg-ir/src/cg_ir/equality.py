"""Exact equality of graphs, and what differs between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.graph import COMMUTES, Graph

if TYPE_CHECKING:
    import networkx


def equal(a: Graph, b: Graph) -> bool:
    """Whether two graphs are isomorphic: a one-to-one map of nodes that keeps operators, attributes, shapes, weight sharing and inputs
    (in order, or as a multiset where they commute).

    Refinement colours must agree and mostly decide; networkx's VF2++ (Juttner and Madarasi, 2018) searches the rest. Exponential only
    for contrived graphs.
    """
    if a is b:
        return True
    if len(a) != len(b) or len(a.indices) != len(b.indices):
        return False
    ours, theirs = a.colours(), b.colours()
    if sorted(ours) != sorted(theirs):
        return False
    if len(set(ours)) == len(ours):
        return _corresponds(a, b, dict(zip(theirs, range(len(b)), strict=True)), ours)
    import networkx as nx

    return bool(nx.vf2pp_is_isomorphic(_labelled(a, ours), _labelled(b, theirs), node_label="label"))


def _corresponds(a: Graph, b: Graph, place: dict[int, int], colours: list[int]) -> bool:
    """Whether the one map of nodes that colours leave keeps what counts."""
    where = [place[colour] for colour in colours]
    commutes = COMMUTES[a.op_codes].tolist()
    inputs = b.input_lists()
    for index, ins in enumerate(a.input_lists()):
        x, y = a.nodes[index].signature, b.nodes[where[index]].signature
        if (x.op, x.items, x.shape) != (y.op, y.items, y.shape):
            return False
        mapped, there = [where[i] for i in ins], inputs[where[index]]
        if (sorted(mapped) != sorted(there)) if commutes[index] else (mapped != there):
            return False
    groups = {frozenset(members) for members in b.weight_groups().values()}
    return {frozenset(where[i] for i in members) for members in a.weight_groups().values()} == groups


def _labelled(graph: Graph, colours: list[int]) -> networkx.DiGraph:
    """A simple directed graph whose node labels carry everything that the hash does, edges and weight sharing as nodes of their own."""
    import networkx as nx

    result: networkx.DiGraph = nx.DiGraph()
    commutes = COMMUTES[graph.op_codes].tolist()
    for index in range(len(graph)):
        result.add_node(index, label=("node", colours[index]))
    for index, ins in enumerate(graph.input_lists()):
        for position, source in enumerate(ins):
            edge = ("edge", index, position)
            # equal sources of a commuting operator are told apart by their edges' nodes, so multiplicity counts
            result.add_node(edge, label=("edge", 0 if commutes[index] else position))
            result.add_edge(source, edge)
            result.add_edge(edge, index)
    for key, members in graph.weight_groups().items():
        result.add_node(("weights", key), label=("weights",))
        for index in members:
            result.add_edge(("weights", key), index)
    return result
