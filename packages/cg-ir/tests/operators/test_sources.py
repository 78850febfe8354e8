"""Where values come from and go to: stated shapes, parameters, elements of constants, further outputs, what is unknown."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from operator_uses import refusal, use

from cg_ir import GraphBuilder, GraphError
from cg_ir.operators import OPERATORS


@pytest.mark.parametrize("shape", [(), (1,), (1, 5, 8)])
def test_bare_parameters_learn_every_element(shape: tuple[int, ...]) -> None:
    node = use("Parameter", shape=shape)
    assert (node.shape, node.params, node.macs) == (shape, prod(shape), 0)


def test_what_is_outside_the_vocabulary_costs_what_it_states() -> None:
    node = use("Custom", (1, 4), (7,), shape=(3,), name="org.example.Op", params=11)
    assert (node.shape, node.params, node.macs) == ((3,), 11, 0)
    assert use("Custom", shape=(3,), name="noise").params == 0


def text(dtype: str, shape: tuple[int, ...], value: tuple[float, ...]) -> str:
    """PyTorch's text of a constant."""
    return "".join(
        map(str, OPERATORS["Constant"].layer(use("Constant", shape=shape, value=value, dtype=dtype).signature))
    )


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "expected"),
    [
        ("float32", (2, 3), (0.5,), [[0.5] * 3] * 2),
        ("float64", (2, 2), (0.1, 2.0, 3.0, -4.0), [[0.1, 2.0], [3.0, -4.0]]),
        ("int64", (3,), (1.0, 2.0, 3.0), [1, 2, 3]),
        ("uint8", (), (200.0,), 200),
        ("bool", (2,), (0.0, 1.0), [False, True]),
        ("bool", (2,), (0.0,), [False, False]),
        ("float32", (2,), (), [1.0, 1.0]),
        ("bfloat16", (1,), (), [1.0]),
        ("bool", (1,), (), [True]),
        ("int32", (2,), (), [0, 0]),
        ("float32", (2,), (2.0**24 + 1, 0.1), [2.0**24, float(np.float32(0.1))]),  # rounded once
    ],
)
def test_constants_are_made_of_their_elements(dtype: str, shape: tuple[int, ...], value: Any, expected: Any) -> None:
    torch = pytest.importorskip("torch")
    made = eval(text(dtype, shape, value))
    assert made.tolist() == expected
    assert (made.dtype, tuple(made.shape)) == (getattr(torch, dtype), shape)


def test_outputs_and_further_outputs_have_the_shape_of_what_they_read() -> None:
    b = GraphBuilder(canonical=False)
    pool = b.add("MaxPool", b.input((1, 2, 8)), kernel_shape=(2,))
    places = b.add("Select", pool, index=1, shape=(1, 2, 7))
    assert b.shape(b.output(places)) == (1, 2, 7)
    for index, shape, message in (
        (2, (1, 2, 7), "node 4 (Select): output 2 cannot be read, MaxPool has outputs 0 to 1"),
        (1, (1, 2, 8), "node 4 (Select): output 1 of MaxPool has shape [1, 2, 7], not [1, 2, 8]"),
        (0, (1, 2, 7), "node 4 (Select): attribute 'index' should be at least 1, not 0"),
    ):
        with pytest.raises(GraphError) as error:
            b.add("Select", pool, index=index, shape=shape)
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Parameter", [], {}, "this operator needs a stated shape"),
        ("Parameter", [], {"shape": (0,)}, "sizes should lie between 1 and 2^31 - 1, not 0"),
        ("Input", [(1, 4)], {"shape": (1, 4)}, "Input takes 0 inputs, not 1"),
        ("Constant", [], {"shape": (2, 2), "value": (1.0, 2.0)}, "2 elements do not fill shape [2, 2]"),
        ("Constant", [], {"value": (1.0,)}, "this operator needs a stated shape"),
        ("Custom", [(1, 4)], {"shape": (1, 4)}, "Custom lacks its attribute 'name'"),
        ("Custom", [(1, 4)], {"name": "a"}, "this operator needs a stated shape"),
        ("Custom", [(1, 4)], {"name": "a", "params": -1, "shape": (1,)}, "attribute 'params' should be at least 0, not -1"),
        ("Select", [(1, 4)], {"index": 1}, "this operator needs a stated shape"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
