"""A network at another resolution of its image."""

from __future__ import annotations

import pytest

from cg_evolve.evaluators.resolution import at_resolution
from cg_ir import Graph, GraphBuilder, GraphError, get_space


def test_networks_at_another_resolution_keep_their_weights() -> None:
    graph = get_space("toy").graph("ckwpic")
    small = at_resolution(graph, 8, 8)
    assert small.params == graph.params
    assert small.macs < graph.macs / 3
    assert at_resolution(small, 16, 16).hash == graph.hash
    b = GraphBuilder()
    x = b.add("Flatten", b.input((1, 3, 4, 4)), shape=(1, 48))
    b.output(b.add("Gemm", x, channels=2))
    with pytest.raises(GraphError):
        at_resolution(b.build(), 8, 8)


def network(height: int, width: int) -> Graph:
    """With everything that an extent goes through, and a reshape that follows it."""
    b = GraphBuilder()
    x = b.add(
        "Conv", b.input((1, 3, height, width)), channels=8, kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2)
    )
    y = b.add("Conv", x, channels=8, kernel_shape=(3, 3), pads=(1, 1, 1, 1), group=8)
    x = b.add("Add", x, b.add("Relu", b.add("BatchNormalization", y)))
    x = b.add(
        "Concat", x, b.add("AveragePool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=True), axis=1
    )
    x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, 16))
    b.output(b.add("Gemm", x, channels=5, bias=True))
    return b.build()


@pytest.mark.parametrize("sides", [(8, 8), (16, 16), (24, 12), (5, 7)])
def test_it_is_the_network_that_is_built_for_such_images(sides: tuple[int, int]) -> None:
    made = at_resolution(network(16, 16), *sides)
    assert made.hash == network(*sides).hash
    assert [node.shape for node in made.nodes] == [node.shape for node in network(*sides).nodes]


def test_an_extent_that_vanishes_is_refused() -> None:
    b = GraphBuilder()
    x = b.input((1, 1, 32, 32))
    for _ in range(4):
        x = b.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
    b.output(x)
    assert at_resolution(b.build(), 16, 48).nodes[-1].shape == (1, 1, 1, 3)
    with pytest.raises(GraphError):
        at_resolution(b.build(), 8, 32)
