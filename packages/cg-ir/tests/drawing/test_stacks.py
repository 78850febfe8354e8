"""What is drawn as one box: chains, folded regions, frames, and scalars inside the operators that read them."""

from __future__ import annotations

from typing import Any

import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.drawing.stacks import Box, Frame, stacks


def shape_of(frame: Frame) -> list[Any]:
    """A frame as nested lists: of a box the texts of its lines, of a frame its title before what it holds."""
    found: list[Any] = []
    for child in frame.children:
        found.append(
            [row.text for row in child.rows] if isinstance(child, Box) else [f"<{child.title}>", *shape_of(child)]
        )
    return found


def draw(make: Any, depth: int = 9) -> tuple[Graph, Frame, dict[int, Box]]:
    b = GraphBuilder(canonical=False)
    b.output(make(b, b.input((1, 4, 6, 6))))
    graph = b.build()
    return graph, *stacks(graph, depth)


def chain(b: GraphBuilder, x: int, *ops: str, region: str = "") -> int:
    for op in ops:
        x = b.add(op, x, region=region)
    return x


def test_a_chain_is_one_box_between_input_and_output() -> None:
    graph, root, home = draw(lambda b, x: chain(b, x, "Relu", "Tanh", "Abs"))
    assert shape_of(root) == [["Input"], ["Relu", "Tanh", "Abs"], ["Output"]]
    assert sorted(home) == list(range(len(graph)))
    assert home[1] is home[2] is home[3]
    assert home[1].nodes == [1, 2, 3]
    assert home[1].shape == "4×6×6"


def test_what_two_read_ends_a_chain() -> None:
    def forked(b: GraphBuilder, x: int) -> int:
        y = chain(b, x, "Relu", "Tanh")
        return b.add("Add", chain(b, y, "Abs"), y)

    assert shape_of(draw(forked)[1]) == [["Input"], ["Relu", "Tanh"], ["Abs"], ["Add"], ["Output"]]


def test_what_one_reads_twice_continues_it() -> None:
    def doubled(b: GraphBuilder, x: int) -> int:
        y = b.add("Relu", x)
        return b.add("Add", y, y)

    assert shape_of(draw(doubled)[1]) == [["Input"], ["Relu", "Add"], ["Output"]]


def test_scalars_are_written_into_what_reads_them() -> None:
    def scaled(b: GraphBuilder, x: int) -> int:
        return b.add("Add", b.add("Mul", b.constant((), [0.5]), b.add("Relu", x)), b.constant((1,), [2.0]))

    _, root, home = draw(scaled)
    assert shape_of(root) == [["Input"], ["Relu", "Mul 0.5"], ["Constant 2"], ["Add"], ["Output"]]
    assert len(home) == 6  # the scalar has no box


@pytest.mark.parametrize(("count", "boxes"), [(18, [18]), (19, [18, 1]), (37, [18, 18, 1])])
def test_a_long_chain_is_several_boxes(count: int, boxes: list[int]) -> None:
    _, root, _ = draw(lambda b, x: chain(b, x, *["Relu"] * count))
    assert [len(rows) for rows in shape_of(root)[1:-1]] == boxes


def nested(b: GraphBuilder, x: int) -> int:
    y = chain(b, x, "Relu", "Tanh", region="a.first")
    z = chain(b, b.add("Add", y, x, region="a"), "Abs", "Neg", region="a.second")
    return chain(b, z, "Exp", "Sin", region="b")


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0, [["Input"], ["Abs", "Add", "Neg", "Relu", "1 more"], ["Exp", "Sin"], ["Output"]]),
        (1, [["Input"], ["<a>", ["Relu", "Tanh"], ["Add"], ["Abs", "Neg"]], ["Exp", "Sin"], ["Output"]]),
        (2, [["Input"], ["<a>", ["Relu", "Tanh"], ["Add"], ["Abs", "Neg"]], ["Exp", "Sin"], ["Output"]]),
    ],
)
def test_regions_are_frames_down_to_a_depth(depth: int, expected: list[Any]) -> None:
    assert shape_of(draw(nested, depth)[1]) == expected


def test_folded_regions_count_what_they_hold() -> None:
    def wide(b: GraphBuilder, x: int) -> int:
        y = b.add("Conv", x, channels=4, kernel_shape=(1, 1), region="r")
        return chain(b, y, "Relu", "Relu", "Tanh", "Abs", "Exp", "Sin", region="r")

    graph, root, home = draw(wide, 0)
    box = root.children[1]
    assert isinstance(box, Box)
    assert [row.text for row in box.rows] == ["2 × Relu", "Abs", "Conv", "Exp", "2 more"]
    assert (box.title, box.cost, box.folded, box.shape) == ("r", "16 p · 576 MACs", True, "4×6×6")
    assert all(home[i] is box for i in range(1, len(graph) - 1))


def test_a_region_of_one_chain_is_a_box_with_its_title() -> None:
    _, root, _ = draw(lambda b, x: chain(b, x, "Relu", "Tanh", region="block"))
    box = root.children[1]
    assert isinstance(box, Box)
    assert (box.title, box.folded, [row.text for row in box.rows]) == ("block", False, ["Relu", "Tanh"])


def test_a_frame_says_what_is_inside() -> None:
    def framed(b: GraphBuilder, x: int) -> int:
        y = b.add("Conv", x, channels=4, kernel_shape=(1, 1), region="outer.inner")
        return b.add("Add", b.add("Relu", y, region="outer.inner"), y, region="outer.inner")

    frame = draw(framed)[1].children[1]
    assert isinstance(frame, Frame)
    assert (frame.title, frame.cost) == ("outer.inner", "16 p · 576 MACs")
    assert frame.tip == "outer.inner\n3 operators\n16 p · 576 MACs"
