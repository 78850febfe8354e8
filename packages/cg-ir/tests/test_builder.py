"""What the builder takes, what it makes of it, and how it refuses the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cg_ir import GraphBuilder, GraphError
from cg_ir.builder import read_shape


class Whole:
    """A size of a library's own kind."""

    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), ()),
        ([1, 3], (1, 3)),
        ((np.int64(2), 3), (2, 3)),
        ((Whole(), 1), (5, 1)),
        ((True, 2), (1, 2)),
        ((2**31 - 1,), (2**31 - 1,)),
        (iter([4, 5]), (4, 5)),
    ],
)
def test_shapes_are_whole_numbers_of_any_kind(shape: Any, expected: tuple[int, ...]) -> None:
    found = read_shape(shape)
    assert found == expected
    assert all(type(size) is int for size in found)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0,), "sizes should lie between 1 and 2^31 - 1, not 0"),
        ((3, -1), "sizes should lie between 1 and 2^31 - 1, not -1"),
        ((2**31,), "sizes should lie between 1 and 2^31 - 1, not 2147483648"),
        ((1.0, 2), "a shape should be a list of integers, not [1.0, 2]"),
        ((1, None), "a shape should be a list of integers, not [1, None]"),
        (("3",), "a shape should be a list of integers, not ['3']"),
    ],
)
def test_other_shapes_are_refused(shape: Any, message: str) -> None:
    with pytest.raises(GraphError) as error:
        read_shape(shape)
    assert str(error.value) == message


def refused(op: str, *inputs: int, **attrs: Any) -> str:
    """What an error says of a node behind an input of shape (1, 4, 6, 6)."""
    b = GraphBuilder()
    b.input((1, 4, 6, 6))
    with pytest.raises(GraphError) as error:
        b.add(op, *inputs, **attrs)
    assert len(b.records) == 1
    return str(error.value)


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "message"),
    [
        ("Convolution", (0,), {}, "node 1 (Convolution): unknown operator 'Convolution'; see cg_ir.operators.OPERATORS, or use Custom"),
        ("Relu", (1,), {}, "node 1 (Relu): input 1 is not an earlier node"),
        ("Relu", (-1,), {}, "node 1 (Relu): input -1 is not an earlier node"),
        ("Relu", (), {}, "node 1 (Relu): Relu takes 1 inputs, not 0"),
        ("Add", (0,), {}, "node 1 (Add): Add takes 2 or more inputs, not 1"),
        ("Relu", (0,), {"slope": 1}, "node 1 (Relu): Relu has no attribute 'slope' (it has none)"),
        ("Transpose", (0,), {}, "node 1 (Transpose): Transpose lacks its attribute 'perm'"),
        ("Gemm", (0,), {}, "node 1 (Gemm): Gemm needs its output channels or shape"),
        ("Relu", (0,), {"shape": (1, 4, 6)}, "node 1 (Relu): shape should be [1, 4, 6, 6] by the rule of Relu, not [1, 4, 6]"),
        ("Gemm", (0,), {"shape": (1, 4, 5, 9)}, "node 1 (Gemm): shape should be [1, 4, 6, any] by the rule of Gemm, not [1, 4, 5, 9]"),
        ("Select", (0,), {"index": 1, "shape": (1,)}, "node 1 (Select): output 1 cannot be read, Input has one output"),
    ],
)  # fmt: skip
def test_an_impossible_node_is_refused_where_it_is_added(op: str, inputs: Any, attrs: Any, message: str) -> None:
    assert refused(op, *inputs, **attrs) == message


def test_other_spellings_add_what_they_mean() -> None:
    b = GraphBuilder(canonical=False)
    x = b.input((1, 4))
    assert b.add("Identity", x) == b.add("Dropout", x) == x
    b.add("Swish", x)
    b.add("Relu6", x)
    b.add("Relu6", x, max=5.0)
    assert [(r.op, dict(r.items)) for r in b.records[1:]] == [
        ("Silu", {}),
        ("Clip", {"min": 0.0, "max": 6.0}),
        ("Clip", {"min": 0.0, "max": 5.0}),
    ]


def test_inputs_and_outputs_are_numbered_from_the_last_that_was_named() -> None:
    b = GraphBuilder()
    ins = [b.input((1, 2)), b.input((1, 2), index=5), b.input((1, 2), dtype="int64")]
    for node, index in zip(ins, (None, 3, None), strict=True):
        b.output(node, index=index)
    graph = b.build()
    assert [(n.attrs["index"], n.attrs["dtype"]) for n in graph.nodes if n.op == "Input"] == [
        (0, "float32"), (5, "float32"), (6, "int64"),
    ]  # fmt: skip
    assert [n.attrs["index"] for n in graph.nodes if n.op == "Output"] == [0, 3, 4]


def test_a_graph_has_what_the_builder_was_told_of_it() -> None:
    producer = {"name": "mine"}
    b = GraphBuilder("net", producer=producer)
    producer["name"] = "changed"
    b.extras["note"] = [1]
    b.output(b.input((1, 2)))
    graph = b.build()
    assert (graph.name, graph.producer, graph.extras) == ("net", {"name": "mine"}, {"note": [1]})


def test_a_graph_without_an_output_is_none() -> None:
    b = GraphBuilder()
    b.input((1, 2))
    with pytest.raises(GraphError, match=r"^a graph needs at least one output$"):
        b.build()


@pytest.mark.parametrize(
    ("canonical", "ops"), [(True, ["Input", "Relu", "Output"]), (False, ["Input", "Clip", "Output"])]
)
def test_a_graph_is_canonical_unless_told_otherwise(canonical: bool, ops: list[str]) -> None:
    b = GraphBuilder(canonical=canonical)
    b.output(b.add("Clip", b.input((1, 2)), min=0.0))
    assert [node.op for node in b.build().nodes] == ops
    assert [record.op for record in b.records] == ["Input", "Clip", "Output"]  # the builder's own stay
