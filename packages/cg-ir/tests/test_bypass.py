"""Regions left out of a network."""

from __future__ import annotations

import pytest

from cg_ir import GraphBuilder, GraphError
from cg_ir.bypass import bypass, bypasses


def blocks(kinds):
    """A stem and blocks of a convolution, a normalisation and a ReLU; ``wide`` ones double the channels."""
    b = GraphBuilder("blocks")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(1, 1), region="stem")
    for number, kind in enumerate(kinds):
        region = f"body.block_{number}"
        channels = b.shape(x)[1] * (2 if kind == "wide" else 1)
        y = b.add("Conv", x, channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region=f"{region}.conv")
        y = b.add("Relu", b.add("BatchNormalization", y, region=region), region=region)
        x = b.add("Add", x, y, region=region) if kind == "skip" else y
    b.output(b.add("Gemm", b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, b.shape(x)[1])), channels=2))
    return b.build()


def test_regions_whose_shape_stays_can_be_left_out():
    graph = blocks(["plain", "wide", "skip", "plain"])
    assert [made.region for made in bypasses(graph)] == ["body.block_0", "body.block_2", "body.block_3"]


def test_what_is_left_is_the_network_without_them():
    graph = blocks(["plain", "wide", "skip", "plain"])
    first, middle, last = bypasses(graph)
    assert bypass(graph, []) == graph
    assert bypass(graph, [last]).macs == graph.macs - sum(graph.nodes[i].macs for i in last.nodes)
    assert len(bypass(graph, [first, middle, last])) == len(graph) - len(first.nodes | middle.nodes | last.nodes)
    assert bypass(graph, [first]) == bypass(blocks(["plain", "wide", "skip", "plain"]), [first])
    # a residual block without its branch is nothing, so leaving out both blocks behind each other joins what is around them
    assert (
        bypass(graph, [middle, last]).depth == bypass(bypass(graph, [last]), [bypasses(bypass(graph, [last]))[1]]).depth
    )


def test_a_region_around_one_block_is_the_block_itself():
    assert len(bypasses(blocks(["skip"]))) == 1


def test_regions_inside_each_other_are_refused():
    graph = blocks(["plain", "skip"])
    first, _ = bypasses(graph)
    with pytest.raises(GraphError, match="overlap"):
        bypass(graph, [first, first])


def test_a_copied_node_is_the_one_that_is_added() -> None:
    b = GraphBuilder()
    x = b.input((1, 4, 8, 8))
    x = b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="a")
    parts = b.add("Split", x, axis=1, split=(1, 3))
    b.output(b.add("Sub", b.add("Relu", b.add("Select", parts, index=1, shape=(1, 3, 8, 8))), b.parameter((3, 1, 1))))
    graph = b.build()

    def copied(shape: tuple[int, ...]) -> GraphBuilder:
        other, place = GraphBuilder(), {0: 0}
        other.input(shape)
        for node in graph.nodes[1:]:
            place[node.index] = other.copy(node, [place[i] for i in node.inputs])
        return other

    again = copied((1, 4, 8, 8)).build()
    assert again.hash == graph.hash
    assert [node.region for node in again.nodes] == [node.region for node in graph.nodes]
    with pytest.raises(GraphError, match="shape should be"):  # checked where the inputs have other shapes
        copied((1, 4, 9, 9))
