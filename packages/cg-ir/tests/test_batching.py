"""Graphs joined into one set of arrays, against what the graphs themselves say."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import networks

from cg_ir import Graph, GraphBuilder
from cg_ir.batching import batch, ranges
from cg_ir.records import Record, assemble
from cg_ir.signature import SignatureTable

GRAPHS = st.lists(networks(), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=8))
def test_ranges_are_those_of_python(pairs: list[tuple[int, int]]) -> None:
    starts = np.array([a for a, _ in pairs], dtype=np.int64)
    ends = np.array([a + n for a, n in pairs], dtype=np.int64)
    assert ranges(starts, ends).tolist() == [i for a, n in pairs for i in range(a, a + n)]


@settings(max_examples=25, deadline=None)
@given(GRAPHS)
def test_every_node_keeps_its_signature_and_inputs(graphs: list[Graph]) -> None:
    joined = batch(graphs)
    assert len(joined) == len(graphs)
    for i, graph in enumerate(graphs):
        first, last = joined.node_offsets[i : i + 2]
        assert last - first == len(graph)
        assert (joined.graph_index[first:last] == i).all()
        for node, at in zip(graph.nodes, range(first, last), strict=True):
            row = joined.signatures[joined.codes[at]]
            assert (row.op, row.shape, row.items) == (node.op, node.shape, node.signature.items)
            inputs = joined.indices[joined.indptr[at] : joined.indptr[at + 1]] - first
            assert tuple(inputs.tolist()) == node.inputs


@settings(max_examples=25, deadline=None)
@given(GRAPHS)
def test_readers_and_levels_are_those_of_the_union(graphs: list[Graph]) -> None:
    joined = batch(graphs)
    net = nx.MultiDiGraph()
    net.add_nodes_from(range(len(joined.codes)))
    for node in range(len(joined.codes)):
        net.add_edges_from((int(i), node) for i in joined.indices[joined.indptr[node] : joined.indptr[node + 1]])
    starts, readers, order = joined.consumers
    for node in net:
        found = readers[starts[node] : starts[node + 1]].tolist()
        assert sorted(found) == sorted(reader for _, reader in net.out_edges(node))
        assert (joined.indices[order[starts[node] : starts[node + 1]]] == node).all()
    depth: dict[int, int] = {}
    for node in nx.topological_sort(net):
        depth[node] = max((depth[i] + 1 for i in net.predecessors(node)), default=0)
    assert {int(n): level for level, nodes in enumerate(joined.levels) for n in nodes} == depth


def small(name: str, op: str) -> Graph:
    b = GraphBuilder(name)
    b.output(b.add(op, b.input((1, 4))))
    return b.build()


def test_graphs_of_other_tables_are_taken_over() -> None:
    here, other = small("a", "Relu"), SignatureTable()
    nodes = small("b", "Tanh").nodes
    codes = [other.intern(n.op, n.signature.items, n.shape, n.signature.input_shapes) for n in reversed(nodes)][::-1]
    there = Graph(
        other, np.array(codes, np.int32), here.indptr, here.indices, here.region_names, here.region_codes, None, "b", {}
    )
    joined = batch([here, there, here])
    assert joined.signatures is here.signatures
    assert [joined.signatures[c].op for c in joined.codes] == [
        *["Input", "Relu", "Output"],
        *["Input", "Tanh", "Output"],
        *["Input", "Relu", "Output"],
    ]
    assert len(other) == 3


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one graph"):
        batch([])


def test_one_graph_is_itself() -> None:
    record = Record("Input", (("index", 0),), [], (1, 4), "")
    graph = assemble([record, Record("Output", (), [0], (1, 4), "")], "one")
    assert batch([graph]).indices.tolist() == graph.indices.tolist()
