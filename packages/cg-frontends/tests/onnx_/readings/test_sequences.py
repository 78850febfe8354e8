"""Sequences of tensors: taken apart, put together, counted."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx import helper
from onnx_models import agree, model_of, numbers, operators

from cg_frontends.onnx_ import from_onnx
from cg_ir import SourceError

X, Y = numbers(2, 3, 4), numbers(2, 3, 4, seed=1)
node = helper.make_node


@pytest.mark.parametrize(
    ("attrs", "sizes"),
    [
        ({"axis": 1}, None),
        ({"axis": -1, "keepdims": 0}, None),
        ({"axis": 2}, 3),
        ({"axis": 2}, [1, 3]),
        ({"axis": 1}, [3]),
        ({}, 1),
    ],
)
def test_parts(attrs, sizes):
    inputs = ["x0"] if sizes is None else ["x0", "s"]
    nodes = [node("SplitToSequence", inputs, ["q"], **attrs), node("SequenceAt", ["q", "i"], ["y"])]
    for place in (0, -1):
        agree(model_of(nodes, [X], {"i": np.array(place)} | ({} if sizes is None else {"s": np.array(sizes)})), X)


def test_axes_stay_where_sizes_are_stated():
    """As the standard says it of keepdims; ONNX Runtime drops them."""
    nodes = [node("SplitToSequence", ["x0", "s"], ["q"], axis=1, keepdims=0), node("SequenceAt", ["q", "i"], ["y"])]
    agree(model_of(nodes, [X], {"s": np.array(1), "i": np.array(2)}), X, wanted=[X[:, 2:]])


@pytest.mark.parametrize("attrs", [{"axis": 1}, {"axis": -1}, {"axis": 0, "new_axis": 1}, {"axis": -1, "new_axis": 1}])
def test_joining(attrs):
    for names in (["x0", "x1", "x0"], ["x1"]):
        agree(
            model_of(
                [node("SequenceConstruct", names, ["q"]), node("ConcatFromSequence", ["q"], ["y"], **attrs)], [X, Y]
            ),
            X,
            Y,
        )


@pytest.mark.parametrize("place", [None, 0, 1, -1, -2, 2])
def test_inserting(place):
    weights = {} if place is None else {"i": np.array(place)}
    nodes = [
        node("SequenceConstruct", ["x0", "x0"], ["q"]),
        node("SequenceInsert", ["q", "x1", *weights], ["r"]),
        node("ConcatFromSequence", ["r"], ["y"], axis=1),
    ]
    agree(model_of(nodes, [X, Y], weights), X, Y)


@pytest.mark.parametrize("place", [None, 0, -1, 1])
def test_erasing(place):
    weights = {} if place is None else {"i": np.array(place)}
    nodes = [
        node("SequenceConstruct", ["x0", "x1", "x0"], ["q"]),
        node("SequenceErase", ["q", *weights], ["r"]),
        node("ConcatFromSequence", ["r"], ["y"], axis=1),
    ]
    agree(model_of(nodes, [X, Y], weights), X, Y)


def test_lengths_are_numbers_that_shapes_may_depend_on():
    nodes = [
        node("SequenceEmpty", [], ["e"], dtype=1),
        node("SequenceInsert", ["e", "x0"], ["a"]),
        node("SequenceInsert", ["a", "x1"], ["b"]),
        node("SequenceLength", ["b"], ["n"]),
        node("Cast", ["n"], ["f"], to=1),
        node("Mul", ["x0", "f"], ["y"]),
    ]
    assert "Custom" not in operators(agree(model_of(nodes, [X, Y]), X, Y))


@pytest.mark.parametrize(
    ("nodes", "weights", "message"),
    [
        ([node("SequenceConstruct", ["x0"], ["q"]), node("SequenceAt", ["q", "i"], ["y"])], {"i": np.array(1)}, r"position \[1\] is outside the 1 tensors"),
        ([node("SequenceAt", ["x0", "i"], ["y"])], {"i": np.array(0)}, "a tensor stands where a sequence should"),
        ([node("SequenceConstruct", ["x0"], ["q"]), node("Relu", ["q"], ["y"])], {}, "a sequence of tensors stands where a tensor should"),
        ([node("SequenceEmpty", [], ["q"]), node("ConcatFromSequence", ["q"], ["y"], axis=0)], {}, "joins a sequence without tensors"),
        ([node("SplitToSequence", ["x0", "i"], ["q"], axis=1), node("SequenceLength", ["q"], ["y"])], {"i": np.array([1, 1])},
         r"parts \[1, 1\] should add up to the 3"),
        ([node("SplitToSequence", ["x0", "i"], ["q"], axis=1), node("SequenceLength", ["q"], ["y"])], {"i": np.array(0)}, "parts of 0 elements"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(nodes, weights, message):
    with pytest.raises(SourceError, match=message) as caught:
        from_onnx(model_of(nodes, [X], weights))
    assert "\n" not in str(caught.value)
