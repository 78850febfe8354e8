"""Exact equality, against a search through all maps of nodes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder, equal
from cg_ir.graph import COMMUTES


def isomorphic(a: Graph, b: Graph) -> bool:
    """Whether some one-to-one map of nodes keeps all that counts, by trying every one."""

    def facts(graph: Graph, place: tuple[int, ...]) -> object:
        nodes = sorted(graph.nodes, key=lambda node: place[node.index])
        rows = []
        for node in nodes:
            reads = [place[i] for i in node.inputs]
            reads = sorted(reads) if COMMUTES[graph.op_codes[node.index]] else reads
            rows.append((node.op, node.signature.items, node.shape, reads))
        return rows, {frozenset(place[i] for i in group) for group in graph.weight_groups().values()}

    wanted = facts(b, tuple(range(len(b))))
    alike = sorted(node.op for node in a.nodes) == sorted(node.op for node in b.nodes)
    return alike and any(facts(a, place) == wanted for place in permutations(range(len(a))))


def small(rng: np.random.Generator) -> Graph:
    """At most five nodes, so many are equal and many nearly so."""
    b = GraphBuilder(canonical=False)
    nodes = [b.input((1, 2))]
    for _ in range(int(rng.integers(1, 4))):
        x, y = (nodes[int(rng.integers(len(nodes)))] for _ in range(2))
        kind = int(rng.integers(4))
        if kind == 0:
            nodes.append(b.add("Gemm", x, channels=2, weights="ab"[int(rng.integers(2))]))
        else:
            nodes.append(b.add(("Add", "Sub", "Relu")[kind - 1], *(x, y)[: 1 if kind == 3 else 2]))
    b.output(nodes[-1])
    return b.build()


def test_graphs_are_equal_where_a_map_of_their_nodes_exists() -> None:
    rng = np.random.default_rng(0)
    graphs = [small(rng) for _ in range(60)]
    found = 0
    for i, a in enumerate(graphs):
        for b in graphs[:i]:
            expected = isomorphic(a, b)
            assert equal(a, b) == equal(b, a) == expected
            found += expected
    assert found > 5


def two(*, op: str = "Sub", swapped: bool = False, twice: bool = False, name: str = "", region: str = "") -> Graph:
    b = GraphBuilder(name)
    x = b.input((1, 4))
    left, right = b.add("Relu", x, region=region), b.add("Tanh", x)
    ins = (right, left) if swapped else (left, left) if twice else (left, right)
    b.output(b.add(op, *ins))
    if twice:
        b.output(right)
    return b.build()


@pytest.mark.parametrize(("op", "expected"), [("Sub", False), ("Add", True), ("Mul", True)])
def test_the_order_of_inputs_counts_where_they_do_not_commute(op: str, expected: bool) -> None:
    assert equal(two(op=op), two(op=op, swapped=True)) == expected


def test_names_and_regions_do_not_count_and_operators_do() -> None:
    assert equal(two(name="a", region="x"), two(name="b", region="y"))
    assert not equal(two(op="Add"), two(op="Sub"))
    assert not equal(two(op="Add"), two(op="Add", twice=True))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [("aabb", "abba", False), ("aabb", "bbaa", True), ("aaaa", "aabb", False)]
)
def test_which_operators_share_weights_counts_and_their_keys_do_not(ours: str, theirs: str, expected: bool) -> None:
    """In a chain, where every node is told apart by its place."""

    def chain(keys: str) -> Graph:
        b = GraphBuilder()
        x = b.input((1, 4))
        for key in keys:
            x = b.add("Tanh", b.add("Gemm", x, channels=4, weights=key))
        b.output(x)
        return b.build()

    assert equal(chain(ours), chain(theirs)) == expected


def test_how_often_a_sum_reads_a_node_counts_among_nodes_that_look_alike() -> None:
    """Twins that refinement cannot tell apart: the search has to count edges."""

    def summed(*pairs: tuple[int, int, int]) -> Graph:
        b = GraphBuilder(canonical=False)
        x = b.input((1, 4))
        twins = [b.add("Relu", x), b.add("Relu", x)]
        for chosen in pairs:
            b.output(b.add("Add", *(twins[i] for i in chosen)), index=0)
        return b.build()

    assert equal(summed((0, 0, 1), (1, 1, 0)), summed((1, 1, 0), (0, 0, 1)))
    assert not equal(summed((0, 0, 1), (0, 0, 1)), summed((0, 0, 1), (1, 1, 0)))
