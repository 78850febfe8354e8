"""Hashes of many graphs at once are those of each, whatever the sizes, batches and wirings."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import networks

from cg_ir import Graph, GraphBuilder, batch_hashing, hash_all
from cg_ir.batch_hashing import neighbourhood_colours
from cg_ir.batching import batch


def alone(graphs: list[Graph]) -> list[str]:
    """Hashes one by one; the graphs forget them."""
    found = [graph.hash for graph in graphs]
    for graph in graphs:
        graph.facts.clear()
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(networks(canonical=False), min_size=16, max_size=24))
def test_together_as_alone(graphs: list[Graph]) -> None:
    assert hash_all(graphs) == alone(graphs)


def comb(teeth: int, op: str) -> Graph:
    """A node that many read, and one that reads them all."""
    b = GraphBuilder(canonical=False)
    x = b.input((1, 2))
    ins = [b.add("Relu" if i % 2 else "Tanh", x) for i in range(teeth)]
    b.output(b.add(op, *ins, **({"axis": 1} if op == "Concat" else {})))
    return b.build()


@pytest.mark.parametrize("op", ["Add", "Concat"])
def test_many_inputs_in_order_or_not(op: str) -> None:
    graphs = [comb(teeth, op) for teeth in range(2, 22)]
    assert hash_all(graphs, batch_size=7) == alone(graphs)
    assert len(set(hash_all(graphs))) == 20


def test_a_long_chain_that_passes_cannot_finish_together_is_finished_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def chain(length: int) -> Graph:
        b = GraphBuilder(canonical=False)
        left, right = b.input((1, 2)), b.input((1, 2))
        for _ in range(length):
            left, right = b.add("Add", left, right), b.add("Add", right, left)
        b.output(b.add("Add", left, right))
        return b.build()

    monkeypatch.setattr(batch_hashing, "_PASSES", 1)
    graphs = [chain(length) for length in range(2, 20)]
    assert hash_all(graphs) == alone(graphs)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17])
def test_few_graphs_are_hashed_as_well(count: int) -> None:
    graphs = [comb(2 + i, "Add") for i in range(count)]
    assert hash_all(graphs) == alone(graphs)


def test_what_is_known_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = [comb(2 + i, "Add") for i in range(20)]
    graphs[3].facts["hash"] = "known"
    sizes = []
    whole = batch_hashing._hash_batch
    monkeypatch.setattr(batch_hashing, "_hash_batch", lambda part: (sizes.append(len(part)), whole(part))[1])
    assert hash_all([*graphs, *graphs], batch_size=8)[3] == "known"
    assert sizes == [8, 8, 3]
    hash_all(graphs)
    assert len(sizes) == 3


def test_neighbourhoods_are_a_signature_and_those_of_its_inputs_in_any_order() -> None:
    def pair(op: str, first: str, second: str) -> Graph:
        b = GraphBuilder(canonical=False)
        x = b.input((1, 2))
        b.output(b.add(op, b.add(first, x), b.add(second, x)))
        return b.build()

    graphs = [
        pair("Sub", "Relu", "Tanh"),
        pair("Sub", "Tanh", "Relu"),
        pair("Sub", "Relu", "Relu"),
        pair("Add", "Relu", "Tanh"),
    ]
    colours = neighbourhood_colours(batch(graphs)).reshape(4, 5)
    assert (colours[:, 0] == colours[0, 0]).all()  # all begin with the same input
    assert colours[0, 3] == colours[1, 3]
    assert len({int(colours[i, 3]) for i in (0, 2, 3)}) == 3
    assert colours[0, 1] == colours[1, 2]
    assert neighbourhood_colours(batch([graphs[2]])).tolist() == colours[2].tolist()
