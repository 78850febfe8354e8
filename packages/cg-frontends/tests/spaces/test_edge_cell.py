"""Cells of four nodes: which edges matter, and the wiring against cells put together node by node."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from cg_frontends.spaces.edge_cell import EDGES, pruned, wire
from cg_frontends.spaces.fragments import Fragment, FragmentCache, Shape, chain
from cg_ir import Graph, GraphBuilder
from cg_ir.signature import shared_table

SHAPE: Shape = (1, 4, 8, 8)
_KINDS = {"a": "Relu", "b": "Tanh"}


def test_an_edge_matters_where_it_lies_on_a_way_through_the_cell() -> None:
    for present in itertools.product((False, True), repeat=6):
        net = nx.DiGraph([edge for edge, here in zip(EDGES, present, strict=True) if here])
        net.add_nodes_from(range(4))
        before, after = nx.descendants(net, 0) | {0}, nx.ancestors(net, 3) | {3}
        expected = [
            "op" if here and i in before and j in after else "" for here, (i, j) in zip(present, EDGES, strict=True)
        ]
        assert list(pruned(["op" if here else "" for here in present], "")) == expected


@pytest.fixture(scope="module")
def cache() -> FragmentCache:
    return FragmentCache()


def wired(cache: FragmentCache, blocks: list[str | None]) -> Graph:
    """A network of the cell alone."""

    def part(block: str, edge: int, inputs: int) -> Fragment:
        assert (edge < 0) == (block[0] in "sn")  # sums and the empty cell are on no edge
        if block == "nothing":
            return cache.get(block, lambda b, x: b.add("Neg", x), SHAPE)
        if block.startswith("sum"):
            assert block == f"sum_{inputs}"
            return cache.get(block, lambda b, *xs: b.add("Add", *xs), *[SHAPE] * inputs)
        return cache.get(block, lambda b, x: b.add(_KINDS[block], x), SHAPE)

    table = cache.begin()
    stem = cache.get("stem", lambda b: b.add("Sigmoid", b.input(SHAPE))).piece
    head = cache.get("head", lambda b, x: b.output(b.add("Sin", x)), SHAPE).piece
    return chain([stem, wire(blocks, "nothing", part).piece, head], ("stem", "cell", "head"), table, "cell")


def plain(blocks: list[str | None]) -> Graph:
    """The same node by node; the builder brings it into canonical form."""
    b = GraphBuilder()
    values: list[int | None] = [b.add("Sigmoid", b.input(SHAPE))]
    for target in (1, 2, 3):
        terms = []
        for block, (source, end) in zip(blocks, EDGES, strict=True):
            value = values[source] if end == target else None
            if value is not None and block is not None:
                terms.append(b.add(_KINDS[block], value) if block else value)
        values.append(None if not terms else terms[0] if len(terms) == 1 else b.add("Add", *terms))
    b.output(b.add("Sin", b.add("Neg", values[0]) if values[3] is None else values[3]))
    return b.build()


def test_wiring_gives_the_canonical_form_of_the_cell(cache: FragmentCache) -> None:
    rng = np.random.default_rng(0)
    cells = list(itertools.product(("a", "", None), repeat=6))
    for i in rng.permutation(len(cells))[:250]:
        blocks = [
            block if block != "a" or rng.random() < 0.5 else "b"
            for block in pruned([b if b is not None else "-" for b in cells[i]], "-")
        ]
        given = [None if block == "-" else block for block in blocks]
        made = wired(cache, given)
        assert made.hash == plain(given).hash
        assert made.canonicalize().hash == made.hash
        assert made.signatures is shared_table()
