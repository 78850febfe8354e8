"""Reductions: numpy's values and shapes over every choice of axes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

X = np.random.default_rng(0).normal(size=(2, 3, 4))
CHOICES = list(chain.from_iterable(combinations(range(3), n) for n in range(4)))
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMean": np.mean,
    "ReduceSum": np.sum,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceL1": lambda x, **where: np.sum(abs(x), **where),
    "ReduceL2": lambda x, **where: np.sqrt(np.sum(x * x, **where)),
    "ReduceLogSumExp": lambda x, **where: np.log(np.sum(np.exp(x), **where)),
    "ReduceVariance": lambda x, **where: np.var(x, ddof=1, **where),
}


def test_every_reduction_over_axes_is_checked() -> None:
    assert FUNCTIONS.keys() == {o.name for o in OPERATORS.values() if "axes" in o.attributes and o.kind == "reduce"}


@pytest.mark.parametrize("op", FUNCTIONS)
def test_reductions_are_numpys(op: str) -> None:
    for axes in CHOICES:
        for keepdims in (False, True):
            expected = FUNCTIONS[op](X, axis=axes or None, keepdims=keepdims)
            assert use(op, X.shape, axes=axes, keepdims=keepdims).shape == np.shape(expected)
            found = computed(op, torch.from_numpy(X), axes=axes, keepdims=keepdims)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("correction", [0, 1, 3])
def test_variances_leave_out_as_many_as_they_say(correction: int) -> None:
    found = computed("ReduceVariance", torch.from_numpy(X), axes=(2,), correction=correction)
    np.testing.assert_allclose(found.numpy(), X.var(2, ddof=correction, keepdims=True))


@pytest.mark.parametrize("op", [op for op in FUNCTIONS if op != "ReduceVariance"])
def test_a_single_number_is_a_vector_of_one(op: str) -> None:
    found = computed(op, torch.tensor(-3.0))
    assert found.shape == use(op, ()).shape == ()
    assert found == pytest.approx(3 if op in ("ReduceL1", "ReduceL2") else -3)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_positions_of_extremes_are_numpys(axis: int, keepdims: bool) -> None:
    for op, function in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
        expected = function(X, axis=axis, keepdims=keepdims)
        assert use(op, X.shape, axis=axis, keepdims=keepdims).shape == expected.shape
        np.testing.assert_array_equal(computed(op, torch.from_numpy(X), axis=axis, keepdims=keepdims).numpy(), expected)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_the_greatest_come_in_order(k: int) -> None:
    x = torch.from_numpy(X)
    torch.testing.assert_close(computed("TopK", x, axis=2, k=k), torch.from_numpy(-np.sort(-X, 2)[..., :k]))
    torch.testing.assert_close(
        computed("TopK", x, axis=2, k=k, largest=False), torch.from_numpy(np.sort(X, 2)[..., :k])
    )
    node = use("TopK", X.shape, axis=2, k=k)
    assert node.shape == (2, 3, k)
    assert OPERATORS["TopK"].further([X.shape], node.attrs, node.shape) == ((2, 3, k),)


@pytest.mark.parametrize("keepdims", [False, True])
def test_batches_move_up_where_axes_before_them_vanish(keepdims: bool) -> None:
    for axes in CHOICES:
        for axis in range(3):
            pair = [torch.randn(2, 1, 3), torch.randn(2, 1, 3)]
            run = lambda x, plan, axes=axes: x.sum(axes, keepdim=keepdims)  # noqa: E731
            apart = not axes or axis in axes
            expected = None if apart else axis if keepdims else sum(other not in axes for other in range(axis))
            assert batched("ReduceSum", run, [pair], [axis], axes=axes, keepdims=keepdims) == expected


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "message"),
    [
        ("ReduceSum", (1, 4), {"axes": (1, 1)}, "axes [1, 1] name one twice"),
        ("ReduceSum", (1, 4), {"axes": (2,)}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("ReduceMean", (1, 4), {"axes": (-1,)}, "attribute 'axes' should be at least 0, not (-1,)"),
        ("ArgMax", (1, 4), {"axis": 2}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("TopK", (1, 4), {"axis": 1, "k": 5}, "k 5 is more than the 4 of axis 1"),
        ("TopK", (1, 4), {"axis": 2, "k": 1}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("TopK", (1, 4), {"axis": 1, "k": 0}, "attribute 'k' should be at least 1, not 0"),
    ],
)
def test_uses_that_cannot_be_are_refused(op: str, shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal(op, shape, **attrs) == message
