"""Arithmetic of elements: numpy's functions, shapes that broadcast, types of results."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

#: Functions of one tensor that are named otherwise in numpy, or not at all there.
OTHER = {
    "Neg": np.negative, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh,
    "Not": np.logical_not, "BitwiseNot": np.invert, "IsNaN": np.isnan, "IsInf": np.isinf, "Round": np.rint,
    "Erf": np.vectorize(math.erf),
}  # fmt: skip
PLAIN = [o.name for o in OPERATORS.values() if o.kind == "elementwise" and o.arity == (1, 1) and not o.required and o.name != "Trilu"]  # fmt: skip


@pytest.mark.parametrize("op", PLAIN)
def test_functions_of_one_tensor_are_numpys(op: str) -> None:
    x = np.array([-2.5, -1.0, -0.5, 0.0, 0.5, 1.5, np.inf, -np.inf, np.nan])
    x = (
        np.arange(-3, 4) if op == "BitwiseNot" else x[:-1] if op == "Sign" else x
    )  # torch's sign of what is no number is 0
    with np.errstate(all="ignore"):
        expected = (OTHER.get(op) or getattr(np, op.lower()))(x)
    np.testing.assert_allclose(computed(op, torch.from_numpy(x)).numpy(), expected, rtol=1e-12)


TWO: list[tuple[str, dict[str, Any], Callable[[Any, Any], Any]]] = [
    ("Add", {}, np.add),
    ("Sub", {}, np.subtract),
    ("Mul", {}, np.multiply),
    ("Div", {}, np.divide),
    ("Div", {"rounding": "trunc"}, lambda a, b: np.trunc(a / b)),
    ("Pow", {}, np.power),
    ("Mod", {}, np.mod),
    ("Mod", {"fmod": True}, np.fmod),
    ("Atan2", {}, np.arctan2),
    ("Max", {}, np.maximum),
    ("Min", {}, np.minimum),
    ("Equal", {}, np.equal),
    ("Greater", {}, np.greater),
    ("GreaterOrEqual", {}, np.greater_equal),
    ("Less", {}, np.less),
    ("LessOrEqual", {}, np.less_equal),
    ("And", {}, np.logical_and),
    ("Or", {}, np.logical_or),
    ("Xor", {}, np.logical_xor),
    ("BitwiseAnd", {}, np.bitwise_and),
    ("BitwiseOr", {}, np.bitwise_or),
    ("BitwiseXor", {}, np.bitwise_xor),
    ("BitShift", {"direction": "left"}, np.left_shift),
    ("BitShift", {"direction": "right"}, np.right_shift),
]


@pytest.mark.parametrize(("op", "attrs", "function"), TWO, ids=lambda value: value if isinstance(value, str) else "")
def test_functions_of_two_tensors_are_numpys(
    op: str, attrs: dict[str, Any], function: Callable[[Any, Any], Any]
) -> None:
    a, b = np.arange(-6, 6).reshape(3, 1, 4), np.array([[1], [2], [-3]])
    if op == "BitShift":
        b = abs(b)
    elif not op.startswith("Bitwise"):
        a, b = a / 2, b / 2
    with np.errstate(all="ignore"):
        expected = function(a, b)
    found = computed(op, torch.from_numpy(a), torch.from_numpy(b), **attrs)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert use(op, a.shape, b.shape, **attrs).shape == expected.shape
    if OPERATORS[op].result == "bool":
        assert found.dtype == torch.bool


def test_every_function_of_two_tensors_is_checked() -> None:
    pairs = {o.name for o in OPERATORS.values() if o.kind == "elementwise" and o.arity in ((2, 2), (2, None))}
    assert pairs == {op for op, _, _ in TWO}


@pytest.mark.parametrize("op", [o.name for o in OPERATORS.values() if o.commutes])
def test_the_order_of_inputs_means_nothing_where_operators_commute(op: str) -> None:
    a, b = torch.tensor([3, 5, 6]), torch.tensor([4, 5, -1])
    assert torch.equal(computed(op, a, b), computed(op, b, a))


def test_the_order_of_inputs_means_something_elsewhere() -> None:
    a, b = torch.tensor([3, 5, 6]), torch.tensor([4, 5, 1])
    for op, attrs, _ in TWO:
        if not OPERATORS[op].commutes:
            assert not torch.equal(computed(op, a, b, **attrs), computed(op, b, a, **attrs)), op


@pytest.mark.parametrize(("op", "function"), [("Add", sum), ("Max", max), ("Min", min)])
def test_three_and_more_are_joined(op: str, function: Callable[[Any], Any]) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 5))
    found = computed(op, *map(torch.from_numpy, rows))
    np.testing.assert_allclose(found.numpy(), [function(column) for column in rows.T])


@pytest.mark.parametrize(("negative", "positive"), [(True, True), (True, False), (False, True), (False, False)])
def test_infinities_count_by_their_sign(negative: bool, positive: bool) -> None:
    x = torch.tensor([-torch.inf, 0.0, torch.nan, torch.inf])
    found = computed("IsInf", x, detect_negative=negative, detect_positive=positive)
    assert found.tolist() == [negative, False, False, positive]


@pytest.mark.parametrize("k", [-1, 0, 2])
def test_triangles_are_numpys(k: int) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(computed("Trilu", torch.from_numpy(x), k=k).numpy(), np.triu(x, k))
    np.testing.assert_array_equal(computed("Trilu", torch.from_numpy(x), k=k, upper=False).numpy(), np.tril(x, k))


def test_running_sums_choices_and_types() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for axis in (0, 1):
        np.testing.assert_array_equal(computed("CumSum", torch.from_numpy(x), axis=axis).numpy(), x.cumsum(axis))
    chosen = computed("Where", torch.from_numpy(x[:, :1]), torch.from_numpy(x), torch.tensor([-1.0] * 4))
    np.testing.assert_array_equal(chosen.numpy(), np.where(x[:, :1] != 0, x, -1))
    assert computed("Cast", torch.ones(2), to="int8").dtype == torch.int8


def test_a_triangle_keeps_batches_before_its_matrices() -> None:
    for axis, expected in ((0, 0), (1, None), (2, None)):
        pair = [torch.randn(1, 3, 3), torch.randn(1, 3, 3)]
        assert batched("Trilu", lambda x, plan: x.triu(), [pair], [axis]) == expected


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Add", [(2, 3), (2, 4)], {}, "inputs of shapes [[2, 3], [2, 4]] do not broadcast"),
        ("Where", [(2,), (3,), (1,)], {}, "inputs of shapes [[2], [3], [1]] do not broadcast"),
        ("Trilu", [(4,)], {}, "shape [4] has no matrix"),
        ("CumSum", [(1, 4)], {"axis": 2}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("BitShift", [(4,), (4,)], {"direction": "up"}, "attribute 'direction' should be one of left, right, not 'up'"),
        ("Div", [(4,), (4,)], {"rounding": "floor"}, "attribute 'rounding' should be one of none, trunc, not 'floor'"),
    ],
)
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
