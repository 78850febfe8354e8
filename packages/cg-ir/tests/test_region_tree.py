"""The tree of regions that drawings, pages and source code share."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from cg_ir import Graph, GraphBuilder
from cg_ir.page import graph_data
from cg_ir.region_tree import Region, region_depth, region_order, region_path, region_paths, region_tree

PATHS = st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c"), ("a", "d"), ("e", "b"), ("e",)])


@st.composite
def wirings(draw: st.DrawFn) -> tuple[list[list[int]], list[tuple[str, ...]]]:
    """Inputs and region of up to fourteen nodes."""
    count = draw(st.integers(1, 14))
    inputs = [draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(count)]
    return inputs, [draw(PATHS) for _ in range(count)]


def regions(region: Region) -> Iterator[Region]:
    yield region
    for item in region.items:
        if isinstance(item, Region):
            yield from regions(item)


def chain(*names: str) -> Graph:
    """ReLUs and sigmoids in turn, one for each region."""
    b = GraphBuilder("chain")
    x = b.input((1, 4))
    for i, name in enumerate(names):
        x = b.add(("Relu", "Sigmoid")[i % 2], x, region=name)
    b.output(x)
    return b.build()


def tree_of(graph: Graph) -> Region:
    paths = region_paths(graph)
    return region_tree(region_order(graph.input_lists(), paths), paths)


def shape(region: Region) -> list[object]:
    """Nested lists: names of regions with what they hold, numbers of nodes."""
    return [(".".join(i.path), shape(i)) if isinstance(i, Region) else i for i in region.items]


@given(wirings())
def test_the_order_runs_and_the_tree_keeps_it(wiring):
    inputs, paths = wiring
    order = region_order(inputs, paths)
    place = {node: i for i, node in enumerate(order)}
    assert sorted(order) == list(range(len(inputs)))
    assert all(place[j] < place[i] for i, ins in enumerate(inputs) for j in ins)
    assert list(region_tree(order, paths).nodes()) == order


@given(wirings())
def test_every_region_holds_what_lies_in_it_and_says_something(wiring):
    inputs, paths = wiring
    root = region_tree(region_order(inputs, paths), paths)
    for region in list(regions(root))[1:]:
        members = list(region.nodes())
        assert len(members) > 1
        assert len(region.items) > 1
        assert all(paths[i][: len(region.path)] == region.path for i in members)
    for region in regions(root):
        for item in region.items:
            if isinstance(item, Region):
                assert item.path[: len(region.path)] == region.path
                assert len(item.path) > len(region.path)


@given(wirings())
def test_a_node_stays_alone_only_where_its_neighbours_in_the_order_lie_elsewhere(wiring):
    inputs, paths = wiring
    order = region_order(inputs, paths)
    for region in regions(region_tree(order, paths)):
        level = len(region.path)
        for item in region.items:
            if isinstance(item, int) and len(paths[item]) > level:
                at = order.index(item)
                beside = [order[i] for i in (at - 1, at + 1) if 0 <= i < len(order)]
                assert all(paths[i][: level + 1] != paths[item][: level + 1] for i in beside)


def test_a_region_that_is_left_and_entered_again_is_two():
    graph = chain("a", "a", "b", "a", "a")
    assert shape(tree_of(graph)) == [0, ("a", [1, 2]), 3, ("a", [4, 5]), 6]


def test_what_only_holds_another_region_is_that_region():
    graph = chain("s.c.x", "s.c.x", "s.c.y")
    assert shape(tree_of(graph)) == [0, ("s.c", [("s.c.x", [1, 2]), 3]), 4]


def test_parallel_branches_are_gone_through_one_after_the_other():
    b = GraphBuilder("two")
    x = b.input((1, 4))
    left, right = b.add("Relu", x, region="left"), b.add("Sigmoid", x, region="right")
    left, right = b.add("Tanh", left, region="left"), b.add("Tanh", right, region="right")
    b.output(b.add("Add", left, right))
    assert [name for name, _ in (item for item in shape(tree_of(b.build())) if isinstance(item, tuple))] == [
        "left",
        "right",
    ]


def test_names_without_parts_and_those_too_deep():
    assert region_path("") == ()
    assert region_path("a..b.") == ("a", "b")
    deep = region_path(".".join("abc"[i % 3] for i in range(200)))
    assert len(deep) == 64
    assert deep[:3] == ("a", "b", "c")
    assert deep[-1].startswith("a.b.c")
    assert region_depth(chain("a", "b.c.d")) == 3


def test_the_page_folds_the_same_regions():
    graph = chain("a", "a", "b", "a.x", "a.x", "a")
    data = graph_data(graph)
    assert data["tree"] == [("", 0), ("a", 0), ("a", 0), ("a.x", 2)]
    assert data["home"] == [0, 1, 1, 0, 3, 3, 2, 0]
