"""Nodes under construction and the arrays that they become."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import networks

from cg_ir import Graph, GraphBuilder
from cg_ir.records import Record, assemble
from cg_ir.signature import SignatureTable


def records_of(graph: Graph) -> list[Record]:
    return [Record(n.op, n.signature.items, list(n.inputs), n.shape, n.region, n.weights) for n in graph.nodes]


@given(networks(canonical=False))
def test_a_graph_from_its_records_is_the_graph(graph: Graph) -> None:
    again = assemble(records_of(graph), graph.name, graph.producer, graph.extras)
    assert again.to_dict() == graph.to_dict()
    assert again.hash == graph.hash


def test_attributes_have_their_defaults_and_the_source_is_the_first_input() -> None:
    record = Record("LeakyRelu", (), [7], (1, 4))
    assert record.attrs == {"alpha": 0.01}
    assert record.source == 7
    moved = record.reading([3])
    assert (moved.inputs, record.inputs) == ([3], [7])
    assert moved.reading([7]) == record


@pytest.mark.parametrize(("count", "kind"), [(255, np.uint8), (256, np.int32)])
def test_regions_take_one_byte_where_they_are_few(count: int, kind: type) -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    for i in range(count - 1):
        x = b.add("Relu", x, region=f"r{i}")
    b.output(x)
    graph = b.build()
    assert graph.region_codes.dtype == kind
    assert [node.region for node in graph.nodes] == ["", *(f"r{i}" for i in range(count - 1)), ""]


def test_a_key_of_weights_that_one_node_uses_is_none() -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    for key in ("a", "b", "b", None):
        x = b.add("Gemm", x, channels=4, weights=key)
    b.output(x)
    assert b.build().weight_keys == {2: "b", 3: "b"}


def test_signatures_may_have_a_table_of_their_own() -> None:
    records = [Record("Input", (("index", 0),), [], (1, 4)), Record("Output", (("index", 0),), [0], (1, 4))]
    table = SignatureTable()
    graph = assemble(records, table=table)
    assert graph.signatures is table
    assert len(table.rows) == 2
    assert graph.hash == assemble(records).hash
