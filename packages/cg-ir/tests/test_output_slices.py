"""A sort of which only the first are read."""

from __future__ import annotations

import pytest

from cg_ir import GraphBuilder

torch = pytest.importorskip("torch")


def sort(shape, *slices, positions=()):
    """A sort along the last axis, slices of its values and of its positions, each (start, end)."""
    b = GraphBuilder()
    node = b.add("TopK", b.input(shape), axis=1, k=shape[1], shape=shape)
    places = b.add("Select", node, shape=shape, index=1)
    for source, cuts in ((node, slices), (places, positions)):
        for start, end in cuts:
            b.output(b.add("Slice", source, starts=[0, start], ends=[shape[0], end], steps=[1, 1]))
    return b.build()


def top(shape, count):
    b = GraphBuilder()
    node = b.add("TopK", b.input(shape), axis=1, k=count, shape=(shape[0], count))
    b.output(node)
    b.output(b.add("Select", node, shape=(shape[0], count), index=1))
    return b.build()


def test_the_head_of_a_sort_is_a_top_k():
    assert sort((1, 9), (0, 3), positions=[(0, 3)]).hash == top((1, 9), 3).hash


@pytest.mark.parametrize("slices", [[(1, 4)], [(0, 3), (0, 4)], [(0, 9)]])
def test_other_slices_of_a_sort_stay(slices):
    graph = sort((1, 9), *slices, positions=[(0, 3)])
    assert next(n for n in graph.nodes if n.op == "TopK").attrs["k"] == 9


@pytest.mark.parametrize("largest", [True, False])
def test_of_equal_elements_the_earlier_comes_first(largest):
    from cg_ir import to_module

    b = GraphBuilder()
    node = b.add("TopK", b.input((1, 64)), axis=1, k=5, shape=(1, 5), largest=largest)
    b.output(b.add("Select", node, shape=(1, 5), index=1))
    assert to_module(b.build())(torch.ones(1, 64)).tolist() == [[0, 1, 2, 3, 4]]
