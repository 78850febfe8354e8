"""What the sizes in a graph have to do with each other: a network with one size changed, against the network that is built with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cg_evolve.graph_axes import Axes, depthwise
from cg_ir import Graph, GraphBuilder

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def image(b: GraphBuilder) -> int:
    return b.input((1, 3, 8, 8))


def residual(c: int) -> Graph:
    """Additions tie the widths of both sides, a depthwise convolution that of its input."""
    b = GraphBuilder()
    x = b.add("Conv", image(b), channels=c, **SAME)
    y = b.add("Relu", b.add("BatchNormalization", b.add("Conv", x, channels=c, group=c, **SAME)))
    x = b.add("Add", x, b.add("Conv", y, channels=c, **SAME))
    x = b.add("MaxPool", b.add("PRelu", x, num_parameters=1), kernel_shape=(2, 2), strides=(2, 2))
    b.output(b.add("Gemm", b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, c)), channels=10))
    return b.build()


def joined(c: int) -> Graph:
    """A concatenation is the sum of its parts; one of them stays."""
    b = GraphBuilder()
    x = image(b)
    left, right = b.add("Conv", x, channels=c, **SAME), b.add("Conv", x, channels=6, **SAME)
    x = b.add("Concat", left, right, left, axis=1)
    b.output(b.add("Conv", x, channels=5, kernel_shape=(1, 1)))
    return b.build()


def scaled(c: int) -> Graph:
    """Squeeze and excitation: a factor for each channel."""
    b = GraphBuilder()
    x = b.add("Conv", image(b), channels=c, **SAME)
    gate = b.add("Sigmoid", b.add("Conv", b.add("GlobalAveragePool", x), channels=c, kernel_shape=(1, 1)))
    b.output(b.add("Conv", b.add("Mul", x, gate), channels=5, kernel_shape=(1, 1)))
    return b.build()


def attention(heads: int) -> Graph:
    """Queries, keys and values of `heads` heads of 4 features, which one affine map makes."""
    b = GraphBuilder()
    tokens = b.input((1, 6, 12))
    x = b.add("Reshape", b.add("Gemm", tokens, channels=3 * heads * 4), shape=(1, 6, 3, heads, 4))
    x = b.add("Transpose", x, perm=(2, 0, 3, 1, 4))
    parts = [
        b.add(
            "Squeeze",
            b.add("Slice", x, starts=(i, 0, 0, 0, 0), ends=(i + 1, 1, heads, 6, 4), steps=(1,) * 5),
            shape=(1, heads, 6, 4),
        )
        for i in range(3)
    ]
    x = b.add("Transpose", b.add("Attention", *parts), perm=(0, 2, 1, 3))
    b.output(b.add("Gemm", b.add("Reshape", x, shape=(1, 6, heads * 4)), channels=12))
    return b.build()


def features(c: int) -> Graph:
    """The features of tokens through norms, means, paddings of other axes and a product."""
    b = GraphBuilder()
    x = b.add("Gemm", b.input((1, 6, 12)), channels=c, bias=True)
    x = b.add("LayerNormalization", x, axis=2)
    x = b.add("Add", x, b.add("Gelu", b.add("Gemm", x, channels=c)))
    x = b.add("MatMul", x, b.add("Transpose", x, perm=(0, 2, 1)))
    b.output(b.add("ReduceMean", x, axes=(1,), keepdims=False))
    return b.build()


@pytest.mark.parametrize(
    ("make", "before", "after"),
    [(residual, 8, 12), (residual, 8, 3), (joined, 4, 10), (scaled, 8, 20), (attention, 2, 3), (attention, 6, 5), (features, 16, 9)],
)  # fmt: skip
def test_all_shapes_follow_as_if_the_network_had_been_built_so(
    make: Callable[[int], Graph], before: int, after: int
) -> None:
    graph, wanted = make(before), make(after)
    assert [node.op for node in graph.nodes] == [node.op for node in wanted.nodes]
    axes = Axes(graph)
    free = {f for node in axes.of for axis in node for f in axes.factors(axis) if axes.free(f) and f.size == before}
    (factor,) = {f for f in free if f.maker == min(f.maker for f in free if f.maker >= 0)}
    for node in graph.nodes:
        assert axes.shape(node.index, {}) == node.shape
        assert axes.shape(node.index, {factor: after}) == wanted.nodes[node.index].shape


def fixed_axes(graph: Graph) -> list[tuple[bool, ...]]:
    """For each node which of its axes larger than 1 are fixed."""
    axes = Axes(graph)
    return [tuple(not any(map(axes.free, axes.factors(axis))) for axis in node if axis) for node in axes.of]


def test_inputs_and_outputs_stay() -> None:
    b = GraphBuilder()
    x = b.add("Conv", image(b), channels=4, **SAME)
    b.output(x)
    assert fixed_axes(b.build()) == [(True,) * 3] * 3


def test_an_addition_of_what_is_fixed_fixes() -> None:
    b = GraphBuilder()
    x = image(b)
    y = b.add("Conv", x, channels=3, **SAME)
    b.output(b.add("Conv", b.add("Add", x, y), channels=5, **SAME))
    found = fixed_axes(b.build())
    assert found[1] == (True, True, True)


def test_shared_weights_fit_their_inputs_as_they_are() -> None:
    b = GraphBuilder()
    x = b.add("Conv", image(b), channels=4, **SAME)
    for _ in range(2):
        x = b.add("Relu", b.add("Conv", x, channels=4, weights="both", **SAME))
    b.output(b.add("Conv", x, channels=5, **SAME))
    graph = b.build()
    assert all(all(fixed) for fixed in fixed_axes(graph))


@pytest.mark.parametrize("op", ["TopK", "Custom"])
def test_an_operator_without_a_rule_fixes_what_it_reads(op: str) -> None:
    b = GraphBuilder()
    x = b.add("Gemm", b.input((1, 6, 12)), channels=8)
    if op == "TopK":
        x = b.add("TopK", x, k=3, axis=2)
    else:
        x = b.add("Custom", x, shape=(1, 6, 8), name="mine")
    b.output(b.add("Gemm", x, channels=5))
    graph = b.build()
    assert all(all(fixed) for fixed in fixed_axes(graph)[:3])


def test_a_sum_is_told_from_a_size_and_follows_its_parts() -> None:
    graph = joined(4)
    axes = Axes(graph)
    concat = next(node for node in graph.nodes if node.op == "Concat")
    assert axes.summed(axes.of[concat.index][1])
    assert not axes.summed(axes.of[1][1])
    (left,) = axes.factors(axes.of[1][1])
    assert axes.size(axes.of[concat.index][1], {left: 7}) == 7 + 6 + 7
    axes.fix(axes.of[concat.index][1])
    assert not axes.free(left)  # and its parts with it


def test_a_split_size_is_the_product_of_its_parts() -> None:
    graph = attention(2)
    axes = Axes(graph)
    gemm = next(node for node in graph.nodes if node.op == "Gemm")
    factors = axes.factors(axes.of[gemm.index][-1])
    assert not axes.free(factors[0])  # queries, keys and values
    assert [f.size for f in factors] == [3, 2, 4]
    assert axes.size(axes.of[gemm.index][-1]) == 24


@pytest.mark.parametrize(("group", "channels", "expected"), [(8, 8, True), (8, 16, True), (1, 8, False), (4, 8, False)])
def test_depthwise_convolutions_have_a_group_a_channel(group: int, channels: int, expected: bool) -> None:
    b = GraphBuilder()
    x = b.add("Conv", image(b), channels=8, **SAME)
    b.output(b.add("Conv", x, channels=channels, group=group, **SAME))
    graph = b.build()
    assert depthwise(graph.nodes[2]) == expected
    assert not depthwise(graph.nodes[0])
