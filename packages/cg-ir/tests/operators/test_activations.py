"""Activations: their formulas written out, what they do to a Gaussian, slopes that are learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def phi(x: Any) -> Any:
    return np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x)


FORMULAS: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
    ("Relu", {}, lambda x: np.maximum(x, 0)),
    ("Sigmoid", {}, sigmoid),
    ("Tanh", {}, np.tanh),
    ("Silu", {}, lambda x: x * sigmoid(x)),
    ("Mish", {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ("HardSwish", {}, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    ("HardSigmoid", {}, lambda x: np.clip(x + 3, 0, 6) / 6),
    ("Softsign", {}, lambda x: x / (1 + abs(x))),
    ("Selu", {}, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    ("LogSigmoid", {}, lambda x: np.log(sigmoid(x))),
    ("LeakyRelu", {}, lambda x: np.where(x > 0, x, 0.01 * x)),
    ("LeakyRelu", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * x)),
    ("Elu", {}, lambda x: np.where(x > 0, x, np.expm1(x))),
    ("Elu", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * np.expm1(x))),
    ("Celu", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * np.expm1(x / 0.3))),
    ("Gelu", {}, lambda x: x * phi(x)),
    ("Gelu", {"approximate": "tanh"}, lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    ("Softplus", {}, lambda x: np.log1p(np.exp(x))),
    ("Softplus", {"beta": 2.0}, lambda x: np.log1p(np.exp(2 * x)) / 2),
    ("Clip", {}, lambda x: x),
    ("Clip", {"min": 0.0, "max": 2.0}, lambda x: np.clip(x, 0, 2)),
    ("Clip", {"min": -1.0}, lambda x: np.maximum(x, -1)),
    ("Softmax", {"axis": 0}, lambda x: np.exp(x) / np.exp(x).sum(0, keepdims=True)),
    ("LogSoftmax", {"axis": 1}, lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
]


@pytest.mark.parametrize(
    ("op", "attrs", "formula"), FORMULAS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_are_those_of_the_formula(op: str, attrs: dict[str, Any], formula: Callable[[Any], Any]) -> None:
    x = torch.linspace(-4, 4, 24, dtype=torch.float64).reshape(4, 6)
    np.testing.assert_allclose(computed(op, x, **attrs).numpy(), formula(x.numpy()), rtol=1e-9, atol=1e-9)


def test_every_activation_has_its_formula_here() -> None:
    assert {o.name for o in OPERATORS.values() if o.kind == "activation"} == {op for op, _, _ in FORMULAS} | {"PRelu"}


#: Attributes that the second moments were worked out for, where they are not the defaults.
USUAL = {"Clip": {"min": 0.0, "max": 6.0}}


@pytest.mark.parametrize("op", [o.name for o in OPERATORS.values() if o.gain is not None])
def test_gains_are_second_moments_of_a_gaussian(op: str) -> None:
    x = torch.linspace(-9, 9, 9001, dtype=torch.float64)
    density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    if op in ("Log", "Sqrt"):  # of no negative number
        return
    y = torch.where(x > 0, x, 0.25 * x) if op == "PRelu" else computed(op, x, **USUAL.get(op, {}))
    assert OPERATORS[op].gain == pytest.approx(float((y * y * density).sum()), rel=0.02)


@pytest.mark.parametrize("op", [o.name for o in OPERATORS.values() if o.gate])
def test_gated_activations_are_their_input_times_the_gate(op: str) -> None:
    x = gate = torch.linspace(-4, 4, 17, dtype=torch.float64)
    for inner in reversed(OPERATORS[op].gate):
        gate = computed(inner, gate)
    assert torch.allclose(computed(op, x), x * gate)


@pytest.mark.parametrize(("shape", "slopes"), [((1, 4, 6), 1), ((1, 4, 6), 4), ((1, 4), 4), ((4,), 1)])
def test_learned_slopes_are_one_or_one_a_channel(shape: tuple[int, ...], slopes: int) -> None:
    node = use("PRelu", shape, num_parameters=slopes)
    layer = torch.nn.PReLU(slopes)
    assert node.shape == layer(torch.zeros(shape)).shape
    assert node.params == sum(p.numel() for p in layer.parameters()) == slopes


def test_batches_of_learned_slopes_lead() -> None:
    weight = torch.rand(4)
    prelu = lambda x, plan: torch.nn.functional.prelu(x, weight)  # noqa: E731
    assert batched("PRelu", prelu, [[torch.randn(1, 4), torch.randn(1, 4)]], [0], num_parameters=4) == 0
    assert OPERATORS["PRelu"].batch(use("PRelu", (4, 1)).signature, (1,)).apart


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "message"),
    [
        ("PRelu", (1, 4), {"num_parameters": 3}, "num_parameters should be 1 or the channels of [1, 4], not 3"),
        ("PRelu", (4,), {"num_parameters": 4}, "num_parameters should be 1 or the channels of [4], not 4"),
        ("PRelu", (1, 4), {"num_parameters": 0}, "attribute 'num_parameters' should be at least 1, not 0"),
        ("Softmax", (1, 4), {"axis": 2}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("LogSoftmax", (1, 4), {}, "LogSoftmax lacks its attribute 'axis'"),
        ("LeakyRelu", (1, 4), {"alpha": True}, "attribute 'alpha' should be a finite number, not True"),
        ("LeakyRelu", (1, 4), {"alpha": float("inf")}, "attribute 'alpha' should be a finite number, not inf"),
        ("Clip", (1, 4), {"min": "0"}, "attribute 'min' should be a finite number, not '0'"),
        ("Gelu", (1, 4), {"approximate": "sigmoid"}, "attribute 'approximate' should be one of none, tanh, not 'sigmoid'"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(op: str, shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal(op, shape, **attrs) == message
