"""What drawings write: counts, shapes, operators in a few words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

from cg_ir import Graph, GraphBuilder
from cg_ir.drawing.labels import costs, count, describe, kind, label, printable, shape_text, text_width
from cg_ir.drawing.style import KINDS
from cg_ir.operators import OPERATOR_NAMES

IMAGE = (1, 4, 8, 8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (950, "950"), (999, "999"), (1000, "1k"), (1234, "1.23k"), (45_600, "45.6k"), (999_499, "999k"), (999_600, "1M"),
        (25_557_032, "25.6M"), (4_089_184_256, "4.09G"), (10**12, "1T"), (10**15, "1P"), (10**18, "1E"), (2 * 10**21, "2Z"),
    ],
)  # fmt: skip
def test_counts_in_three_digits(value: int, text: str) -> None:
    assert count(value) == text


@given(st.integers(0, 10**20))
def test_counts_are_right_to_half_a_percent(value: int) -> None:
    text = count(value)
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
    size = float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    assert size == pytest.approx(value, rel=0.0051)
    assert len(text.rstrip("kMGTPE").replace(".", "")) <= 3


def test_costs_say_only_what_there_is() -> None:
    assert costs(0, 0) == ""
    assert costs(1500, 0) == "1.5k p"
    assert costs(0, 2_000_000) == "2M MACs"
    assert costs(12, 34) == "12 p · 34 MACs"


def test_shapes_leave_the_batch_of_one_out() -> None:
    assert shape_text((1, 64, 32, 32)) == "64×32×32"
    assert shape_text((2, 64)) == "2×64"
    assert shape_text((1,)) == "1"
    assert shape_text(()) == "scalar"


def labelled(op: str, **attrs: Any) -> str:
    b = GraphBuilder(canonical=False)
    b.output(b.add(op, b.input(IMAGE), **attrs))
    return label(b.build().nodes[1])


@pytest.mark.parametrize(
    ("op", "attrs", "text"),
    [
        ("Conv", {"channels": 8, "kernel_shape": (3, 3)}, "Conv 3×3"),
        ("Conv", {"channels": 8, "kernel_shape": (3, 1), "strides": (2, 2)}, "Conv 3×1 /2"),
        ("Conv", {"channels": 8, "kernel_shape": (1, 1), "strides": (2, 1)}, "Conv 1×1 /2×1"),
        ("Conv", {"channels": 4, "kernel_shape": (3, 3), "group": 4}, "Conv 3×3 depthwise"),
        ("Conv", {"channels": 4, "kernel_shape": (3, 3), "group": 2, "dilations": (2, 2)}, "Conv 3×3 dil 2 2 groups"),
        ("MaxPool", {"kernel_shape": (2, 2), "strides": (2, 2)}, "MaxPool 2×2 /2"),
        ("BatchNormalization", {}, "BatchNorm"),
        ("Clip", {"min": 0.0, "max": 6.0}, "Clip 0…6"),
        ("Clip", {"max": 0.5}, "Clip …0.5"),
        ("Slice", {"starts": (0, 1, 0, 0), "ends": (1, 3, 8, 8), "steps": (1, 1, 1, 2)}, "Slice [1:3] axis 1, [0:8:2] a…"),
        ("Transpose", {"perm": (0, 2, 3, 1)}, "Transpose 0 2 3 1"),
        ("Reshape", {"shape": (1, 256)}, "Reshape"),
        ("Softmax", {"axis": 1}, "Softmax axis 1"),
        ("ReduceMean", {"axes": (2, 3)}, "ReduceMean axes 2 3"),
        ("ReduceMean", {}, "ReduceMean all axes"),
        ("LeakyRelu", {"alpha": 0.2}, "LeakyRelu alpha 0.2"),
        ("Relu", {}, "Relu"),
    ],
)  # fmt: skip
def test_operators_in_a_few_words(op: str, attrs: dict[str, object], text: str) -> None:
    assert labelled(op, **attrs) == text


def test_numbers_that_are_read_stand_behind_the_operator() -> None:
    b = GraphBuilder(canonical=False)
    b.output(b.add("Add", b.input(IMAGE), b.constant((), [0.5])))
    nodes = b.build().nodes
    add = next(n for n in nodes if n.op == "Add")
    assert label(add, [0.5]) == "Add 0.5"
    assert label(next(n for n in nodes if n.op == "Constant")) == "Constant 0.5"


@given(networks())
def test_every_node_has_a_short_label_a_colour_and_a_tip(graph: Graph) -> None:
    for node in graph.nodes:
        assert 0 < len(label(node)) <= 30
        assert kind(node.op) in KINDS
        lines = describe(node).splitlines()
        assert lines[0] == f"{node.index}: {node.op}"
        assert (f"{node.params:,} parameters" in describe(node)) == bool(node.params)
        assert (f"{node.macs:,} MACs" in lines) == bool(node.macs)


def test_every_operator_has_a_colour() -> None:
    assert {kind(op) for op in OPERATOR_NAMES} == set(KINDS)


@given(st.text())
def test_what_is_printed_can_stand_in_xml(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(ord(c) >= 32 or c in "\t\n\r" for c in shown)
    assert not any("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff" for c in shown)


@given(st.text("abcWMi. "), st.text("abcWMi. "))
def test_widths_add_up_and_grow_with_the_size(a: str, b: str) -> None:
    assert text_width(a + b, 12) == pytest.approx(text_width(a, 12) + text_width(b, 12))
    assert text_width(a, 24) == pytest.approx(2 * text_width(a, 12))
    assert text_width("W", 10) > text_width("a", 10) > text_width("i", 10)
