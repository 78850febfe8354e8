"""Attributes: which values each kind takes, the one form in which they are kept, and what is said of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cg_ir import GraphError
from cg_ir.operators.attribute import DILATIONS, DTYPES, KERNEL, PADS, REQUIRED, STRIDES, Attribute


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("int", 3, 3),
        ("int", -3.0, -3),
        ("int", 2**53, 2**53),
        ("float", 3, 3.0),
        ("float", -0.0, 0.0),
        ("string", "same", "same"),
        ("bool", True, True),
        ("bool", 0, False),
        ("ints", [1, 2.0], (1, 2)),
        ("ints", range(2), (0, 1)),
        ("ints", (), ()),
        ("floats", np.array([0.5, 1.0]), (0.5, 1.0)),
    ],
)
def test_equal_values_are_kept_in_one_form(kind: str, value: Any, kept: Any) -> None:
    found = Attribute(kind).read(value, "a", 0)
    assert (found, type(found)) == (kept, type(kept))
    if isinstance(found, tuple):
        assert [type(x) for x in found] == [type(x) for x in kept] or kind == "floats"
    if kept == 0.0:
        assert math.copysign(1, found) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("int", True, "an integer, not True"),
        ("int", 0.5, "an integer, not 0.5"),
        ("int", "3", "an integer, not '3'"),
        ("int", 2**53 + 1, f"an integer, not {2**53 + 1}"),
        ("int", -(2**53) - 1, f"an integer, not {-(2**53) - 1}"),
        ("int", float(2**53), f"an integer, not {float(2**53)}"),
        ("int", math.inf, "an integer, not inf"),
        ("int", None, "an integer, not None"),
        ("float", True, "a finite number, not True"),
        ("float", math.nan, "a finite number, not nan"),
        ("float", 10**400, "a finite number, not 1" + "0" * 59),
        ("string", b"same", "a string, not b'same'"),
        ("bool", 2, "true or false, not 2"),
        ("bool", "true", "true or false, not 'true'"),
        ("ints", 3, "a list of integers, not 3"),
        ("ints", "12", "a list of integers, not '12'"),
        ("ints", {1: 2}, "a list of integers, not {1: 2}"),
        ("ints", [1, True], "a list of integers, not [1, True]"),
        ("floats", b"12", "a list of finite numbers, not b'12'"),
        ("floats", [0.0, math.inf], "a list of finite numbers, not [0.0, inf]"),
    ],
)
def test_other_values_are_refused(kind: str, value: Any, message: str) -> None:
    with pytest.raises(GraphError) as error:
        Attribute(kind).read(value, "a", 0)
    assert str(error.value) == f"attribute 'a' should be {message}"


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        (STRIDES, (1,), "attribute 'a' should have 2 numbers, not 1"),
        (PADS, (0, 0), "attribute 'a' should have 4 numbers, not 2"),
        (KERNEL, (3, 0), "attribute 'a' should be at least 1, not (3, 0)"),
        (PADS, (0, 0, 0, -1), "attribute 'a' should be at least 0, not (0, 0, 0, -1)"),
        (Attribute("int", minimum=2), 1, "attribute 'a' should be at least 2, not 1"),
        (Attribute("string", choices=("up", "down")), "left", "attribute 'a' should be one of up, down, not 'left'"),
    ],
)
def test_lengths_bounds_and_choices_hold(attribute: Attribute, value: Any, message: str) -> None:
    with pytest.raises(GraphError) as error:
        attribute.read(value, "a", 2)
    assert str(error.value) == message


def test_a_bound_itself_is_within() -> None:
    assert Attribute("int", minimum=2).read(2, "a", 0) == 2
    assert PADS.read([0] * 6, "a", 3) == (0,) * 6


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_defaults_fill_every_spatial_axis(axes: int) -> None:
    assert STRIDES.default_for(axes) == DILATIONS.default_for(axes) == (1,) * axes
    assert PADS.default_for(axes) == (0,) * (2 * axes)
    assert KERNEL.default_for(axes) is REQUIRED
    assert Attribute("float", None).default_for(axes) is None


def test_element_types_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    assert all(isinstance(getattr(torch, name), torch.dtype) for name in DTYPES)
    assert len(set(DTYPES)) == len(DTYPES) == 17
