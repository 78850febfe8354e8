"""Graphs and their nodes as objects: views, equality, pickles, totals and depth."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder


def network(name: str = "net", *, key: str | None = None) -> Graph:
    b = GraphBuilder(name, producer={"name": "test"})
    b.extras["note"] = [1]
    x = b.input((1, 4))
    for i in range(2):
        x = b.add("Relu", b.add("Gemm", x, channels=4, weights=key, region=f"layer_{i}"))
    b.output(x)
    return b.build()


def test_nodes_are_a_sequence_of_views() -> None:
    graph = network()
    nodes = graph.nodes
    assert len(nodes) == len(graph) == 6
    assert nodes[-1] == nodes[5] == list(nodes)[5]
    assert [node.index for node in nodes[1:5:2]] == [1, 3]
    assert nodes[np.int64(2)].op == "Relu"
    assert repr(nodes[1]) == "Node(1: Gemm[0] -> [1, 4])"
    for index in (6, -7):
        with pytest.raises(IndexError, match=rf"^node {index if index > 0 else -1} of a graph of 6$"):
            nodes[index]


def test_a_view_is_equal_to_another_of_the_same_node_and_to_nothing_else() -> None:
    graph, other = network(), network()
    assert graph.nodes[1] == graph.nodes[1]
    assert len({graph.nodes[1], graph.nodes[1], graph.nodes[2], other.nodes[1]}) == 3
    assert graph.nodes[1] != other.nodes[1]
    assert graph.nodes[1] != 1


def test_graphs_are_equal_by_their_hashes() -> None:
    assert network("a") == network("b")
    assert len({network("a"), network("b"), network(key="w")}) == 2
    assert network() != network(key="w")
    assert network() != network().hash
    assert repr(network()) == "Graph('net', 6 nodes, 32 parameters, 32 MACs)"
    assert repr(network("")) == "Graph(6 nodes, 32 parameters, 32 MACs)"


def test_arrays_cannot_be_changed() -> None:
    graph = network()
    for array in (graph.codes, graph.indptr, graph.indices, graph.region_codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("key", [None, "w"])
def test_a_pickle_is_the_graph_also_in_another_process(key: str | None) -> None:
    graph = network(key=key)
    data = pickle.dumps(graph)
    again = pickle.loads(data)
    assert again.to_dict() == graph.to_dict()
    assert (again.hash, again.params) == (graph.hash, graph.params)
    code = "import pickle, sys; graph = pickle.load(sys.stdin.buffer); print(graph.hash, graph.params, graph.nodes[1].region)"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout.decode().split() == [graph.hash, str(graph.params), "layer_0"]


def test_totals_may_be_larger_than_machine_words() -> None:
    b = GraphBuilder()
    wide = 2**30
    x = b.input((1, wide))
    for _ in range(12):
        x = b.add("Gemm", x, channels=wide)
    b.output(x)
    assert b.build().params == b.build().macs == 12 * 2**60


def test_shared_weights_count_once_and_are_used_each_time() -> None:
    assert (network(key="w").params, network(key="w").macs) == (16, 32)
    assert network(key="w").weight_groups() == {"w": [1, 3]}


@pytest.mark.parametrize(
    ("make", "depth"),
    [
        (lambda b, x: x, 0),
        (lambda b, x: b.add("Relu", x), 1),
        (lambda b, x: b.add("Relu", b.add("Flatten", x, shape=(1, 144))), 1),
        (lambda b, x: b.add("Add", b.add("Tanh", b.add("Abs", x)), b.add("Exp", x)), 3),
        (lambda b, x: b.add("Transpose", x, perm=(0, 1, 3, 2)), 0),
    ],
)
def test_depth_is_the_longest_path_without_layout(make: Any, depth: int) -> None:
    b = GraphBuilder(canonical=False)
    b.output(make(b, b.input((1, 4, 6, 6))))
    assert b.build().depth == depth
