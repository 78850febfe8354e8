"""The blocks of a network: what can be left out or repeated."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from toy_plugin import ToySpace

from cg_evolve.graph_blocks import _spine, blocks
from cg_ir import Graph, GraphBuilder

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def chain(*channels: int, weights: str | None = None) -> Graph:
    """Convolutions with an activation each, of so many channels."""
    b = GraphBuilder()
    x = b.input((1, 4, 8, 8))
    for c in channels:
        x = b.add("Relu", b.add("Conv", x, channels=c, weights=weights, **SAME))
    b.output(x)
    return b.build()


def random_network(seed: int) -> Graph:
    """A graph of additions in which every node is read."""
    rng, b = np.random.default_rng(seed), GraphBuilder()
    made, unread = [b.input((1, 4, 8, 8))], set()
    for _ in range(10):
        source = made[-1] if rng.random() < 0.5 else int(rng.choice(made[-3:]))
        x = b.add("Conv", source, channels=4, **SAME)
        unread.discard(source)
        if rng.random() < 0.4:
            other = int(rng.choice(made[-3:]))
            x = b.add("Mul", x, other)
            unread.discard(other)
        made.append(x)
        unread.add(x)
    x, *rest = sorted(unread)
    for other in rest:
        x = b.add("Mul", x, other)
    b.output(x)
    return b.build()


@pytest.mark.parametrize("seed", range(12))
def test_the_spine_are_the_nodes_without_which_nothing_reaches_the_output(seed: int) -> None:
    graph = random_network(seed)
    flow = nx.DiGraph((j, node.index) for node in graph.nodes for j in node.inputs)
    first = next(node.index for node in graph.nodes if node.op == "Input")
    last = next(node.index for node in graph.nodes if node.op == "Output")
    cut = []
    for node in graph.nodes:
        rest = flow.subgraph(set(flow) - {node.index})
        if first not in rest or last not in rest or not nx.has_path(rest, first, last):
            cut.append(node.index)
    assert _spine(list(graph.nodes)) == cut


def test_each_convolution_of_a_chain_is_a_block() -> None:
    graph = chain(4, 4, 8, 8)
    found = {last: (block.before, block.members) for last, block in blocks(list(graph.nodes)).items()}
    convs = [node.index for node in graph.nodes if node.op == "Conv"]
    assert all(any(i in members for _, members in found.values()) for i in (convs[0], convs[1], convs[3]))
    assert not any(convs[2] in members for _, members in found.values())  # it changes the channels
    for last, (before, members) in found.items():
        assert members[-1] == last
        assert graph.nodes[before].shape == graph.nodes[last].shape


@pytest.mark.parametrize("seed", range(8))
def test_blocks_do_not_overlap_and_nothing_outside_reads_into_them(seed: int) -> None:
    graph = random_network(seed)
    found = blocks(list(graph.nodes))
    members = [i for block in found.values() for i in block.members]
    assert len(members) == len(set(members))
    for last, block in found.items():
        inside = set(block.members)
        for node in graph.nodes:
            reads = inside & set(node.inputs)
            assert node.index in inside or reads <= {last}
            if node.index in inside:
                assert set(node.inputs) <= inside | {block.before}


def test_what_learns_nothing_or_shares_its_weights_is_no_block() -> None:
    b = GraphBuilder()
    x = b.input((1, 4, 8, 8))
    for _ in range(3):
        x = b.add("MaxPool", b.add("Relu", x), **SAME)
    b.output(x)
    assert blocks(list(b.build().nodes)) == {}
    assert blocks(list(chain(4, 4, weights="one").nodes)) == {}
    assert len(blocks(list(chain(4, 4).nodes))) == 2


def test_a_parameter_belongs_to_the_block_that_alone_reads_it() -> None:
    def network(shared: bool) -> Graph:
        b = GraphBuilder()
        x = b.input((1, 4, 8, 8))
        scale = b.add("Parameter", shape=(1, 4, 1, 1))
        x = b.add("Mul", b.add("Conv", x, channels=4, **SAME), scale)
        y = b.add("Conv", x, channels=4, **SAME)
        b.output(b.add("Mul", y, scale) if shared else b.add("Relu", y))
        return b.build()

    for shared in (False, True):
        graph = network(shared)
        parameter = next(node.index for node in graph.nodes if node.op == "Parameter")
        members = {i for block in blocks(list(graph.nodes)).values() for i in block.members}
        assert (parameter in members) == (not shared)


def test_a_whole_residual_block_is_one() -> None:
    graph = ToySpace().graph("cccccc")
    assert len(blocks(list(graph.nodes))) == 6
    b = GraphBuilder()
    x = b.input((1, 4, 8, 8))
    for _ in range(2):
        y = b.add("Conv", b.add("Relu", b.add("Conv", x, channels=4, **SAME)), channels=4, **SAME)
        x = b.add("Add", x, y)
    b.output(x)
    found = blocks(list(b.build().nodes))
    assert [len(block.members) for block in found.values()] == [4, 4]
