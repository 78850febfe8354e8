"""The layout of drawings: nothing overlaps, data flows downwards, and equal input gives an equal picture."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cg_ir.drawing.layered import Edge, Item, Layout, layered

Drawn = tuple[list[Item], list[Edge], Layout]
TALL = 1e9


@st.composite
def drawings(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    """Sizes of up to ten boxes, and edges from earlier to later ones."""
    sizes = draw(st.lists(st.tuples(st.integers(20, 200), st.integers(10, 90)), min_size=1, max_size=10))
    pairs = list(combinations(range(len(sizes)), 2))
    return sizes, draw(st.lists(st.sampled_from(pairs), max_size=16, unique=True)) if pairs else []


def lay_out(sizes: list[tuple[float, float]], pairs: list[tuple[int, int]], tallest: float = TALL) -> Drawn:
    items = [Item(float(w), float(h)) for w, h in sizes]
    edges = [Edge(items[a], items[b], a) for a, b in pairs]
    return items, edges, layered(items, edges, tallest=tallest)


def apart(a: Item, b: Item) -> bool:
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


@settings(max_examples=150, deadline=None)
@given(drawings(), st.sampled_from([TALL, 250.0]))
def test_boxes_lie_in_the_picture_and_apart(drawing, tallest) -> None:
    items, _, layout = lay_out(*drawing, tallest)
    assert all(apart(a, b) for a, b in combinations(items, 2))
    for item in items:
        assert item.x >= -1e-6
        assert item.x + item.width <= layout.width + 1e-6
        assert item.y >= -1e-6
        assert item.y + item.height <= layout.height + 1e-6


@settings(max_examples=100, deadline=None)
@given(drawings())
def test_edges_run_down_from_box_to_box_and_never_turn_upwards(drawing) -> None:
    _, edges, layout = lay_out(*drawing)
    for edge, line in zip(edges, layout.lines, strict=True):
        (_, x0, y0), (_, x1, y1) = line[0], line[-1]
        assert (x0, y0) == pytest.approx((edge.source.x + edge.source.width / 2, edge.source.y + edge.source.height))
        assert (x1, y1) == pytest.approx((edge.target.x + edge.target.width / 2, edge.target.y))
        heights = [y for _, _, y in line]
        assert heights == sorted(heights)


@settings(max_examples=60, deadline=None)
@given(drawings())
def test_ranks_are_longest_paths(drawing) -> None:
    _, edges, _ = lay_out(*drawing)
    for edge in edges:
        assert edge.source.rank < edge.target.rank
    into: dict[Item, list[Item]] = {}
    for edge in edges:
        into.setdefault(edge.target, []).append(edge.source)
    for item, sources in into.items():
        assert item.rank == max(s.rank for s in sources) + 1


@settings(max_examples=40, deadline=None)
@given(drawings())
def test_equal_input_gives_an_equal_picture(drawing) -> None:
    first, second = lay_out(*drawing), lay_out(*drawing)
    assert [(i.x, i.y) for i in first[0]] == [(i.x, i.y) for i in second[0]]
    assert first[2] == second[2]


def test_a_chain_is_one_straight_line() -> None:
    items, _, layout = lay_out([(80, 20), (120, 40), (60, 20)], [(0, 1), (1, 2)])
    assert len({round(i.x + i.width / 2, 6) for i in items}) == 1
    assert layout.width == 120
    assert [i.y for i in items] == sorted(i.y for i in items)


def test_an_edge_that_skips_ranks_passes_beside_the_boxes_between() -> None:
    items, _, layout = lay_out([(80, 20)] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    between = items[1:3]
    passing = [(x, y) for _, x, y in layout.lines[3]]
    for box in between:
        inside = [x for x, y in passing if box.y <= y <= box.y + box.height]
        assert inside
        assert all(x < box.x or x > box.x + box.width for x in inside)


def test_two_that_cross_are_swapped() -> None:
    items, _, _ = lay_out([(40, 20)] * 4, [(0, 3), (1, 2)])
    assert (items[0].x < items[1].x) == (items[3].x < items[2].x)


def test_points_of_the_border_stand_first_and_last() -> None:
    boxes = [Item(60.0, 20.0) for _ in range(2)]
    way_in, way_out = Item(6.0, 0.0, pin="first"), Item(6.0, 0.0, pin="last")
    items = [way_in, *boxes, way_out]
    edges = [Edge(way_in, boxes[1], 0), Edge(boxes[0], boxes[1], 1), Edge(boxes[0], way_out, 1)]
    layered(items, edges, tallest=TALL)
    assert way_in.y < min(box.y for box in boxes)
    assert way_out.y > max(box.y for box in boxes)


def test_named_edges_leave_and_arrive_at_their_ports() -> None:
    source = Item(100.0, 20.0, ports={"a": 10.0, "b": 90.0})
    target = Item(100.0, 20.0, entries={"a": 25.0})
    edges = [Edge(source, target, "a"), Edge(source, target, "b")]
    layout = layered([source, target], edges, tallest=TALL)
    assert [line[0][1] - source.x for line in layout.lines] == [10.0, 90.0]
    assert [line[-1][1] - target.x for line in layout.lines] == [25.0, 50.0]


def test_a_tall_drawing_is_broken_into_columns_that_hold_everything() -> None:
    count = 30
    sizes, pairs = [(80.0, 20.0)] * count, [(i, i + 1) for i in range(count - 1)]
    whole, broken = lay_out(sizes, pairs)[2], lay_out(sizes, pairs, 500.0)
    items, _, layout = broken
    assert whole.height > 1500
    assert layout.height < whole.height / 2
    columns = sorted({round(i.x) for i in items})
    assert len(columns) == 3
    tall = [
        max(i.y + i.height for i in items if round(i.x) == c) - min(i.y for i in items if round(i.x) == c)
        for c in columns
    ]
    assert max(tall) < 1.25 * min(tall)
    order = [columns.index(round(i.x)) for i in items]
    assert order == sorted(order)  # on to the next column, never back


def test_nothing_has_no_size() -> None:
    assert layered([], [], tallest=TALL) == Layout(0.0, 0.0, [])
