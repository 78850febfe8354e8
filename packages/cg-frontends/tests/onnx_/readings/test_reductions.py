"""Reductions of ONNX: axes as attributes and as inputs, none at all, what stays."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx_models import agree, numbers, one, operators, whole

X, ONE, WHOLE = numbers(2, 3, 4), np.array(-1.5, np.float32), whole(2, 3, 4)
NAMES = [
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "ReduceLogSum",
]


def positive(op):
    return np.abs(X) if op == "ReduceLogSum" else X


@pytest.mark.parametrize("op", NAMES)
@pytest.mark.parametrize(
    ("axes", "keep"), [(None, {"keepdims": 0}), ((1,), {}), ((-1,), {"keepdims": 0}), ((2, 0), {})]
)
def test_axes_as_inputs(op, axes, keep):
    x = positive(op)
    agree(one(op, [x], {} if axes is None else {"a": np.array(axes)}, **keep), x)


@pytest.mark.parametrize("op", NAMES[:-2])
@pytest.mark.parametrize("attrs", [{}, {"axes": [-2, 0], "keepdims": 0}])
def test_axes_as_attributes(op, attrs):
    x = positive(op)
    agree(one(op, [x], opset=11, **attrs), x)


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSumExp"])
def test_no_axes_may_mean_none(op):
    for weights in ({}, {"a": np.zeros(0, np.int64)}):
        assert operators(agree(one(op, [X], weights, noop_with_empty_axes=1), X)) == []
        agree(one(op, [X], weights, noop_with_empty_axes=0), X)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMean", "ReduceL1", "ReduceL2"])
def test_a_number_has_no_axes(op):
    agree(one(op, [ONE]), ONE)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"])
def test_integers(op):
    agree(one(op, [WHOLE], {"a": np.array([1])}, keepdims=0), WHOLE)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"axis": 1},
        {"axis": -1, "keepdims": 0},
        {"axis": 1, "select_last_index": 1},
        {"keepdims": 0, "select_last_index": 1},
    ],
)
def test_positions(op, attrs):
    x = WHOLE.astype(np.float32)  # with equal numbers, of which the first or the last is meant
    agree(one(op, [x], **attrs), x)


@pytest.mark.parametrize("attrs", [{}, {"axis": 1}, {"axis": -2, "largest": 0}, {"sorted": 1, "largest": 1}])
def test_the_greatest(attrs):
    agree(one("TopK", [X], {"k": np.array([2])}, outputs=("y", "i"), **attrs), X)
