"""What an evaluator returns, checked."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cg_evolve import SearchError
from cg_evolve.metrics import checked_metrics


def test_numbers_of_all_kinds_become_floats_in_their_order() -> None:
    found = checked_metrics(MappingProxyType({"b": 1, "a": np.float32(0.5), 3: np.array(2.0), "c": True}))
    assert list(found.items()) == [("b", 1.0), ("a", 0.5), ("3", 2.0), ("c", 1.0)]
    assert {type(value) for value in found.values()} == {float}
    assert checked_metrics({}) == {}


def test_what_is_no_number_yet_a_float_is_left_to_the_search() -> None:
    found = checked_metrics({"loss": float("nan"), "best": float("inf")})
    assert np.isnan(found["loss"])
    assert found["best"] == float("inf")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "the evaluator should return metrics by name, not None"),
        (0.9, "the evaluator should return metrics by name, not 0.9"),
        ([("acc", 1)], "the evaluator should return metrics by name, not [('acc', 1)]"),
        ({"acc": "0.9"}, "the metric 'acc' is no number but '0.9'"),
        ({"acc": None}, "the metric 'acc' is no number but None"),
        ({"acc": 1j}, "the metric 'acc' is no number but 1j"),
        ({"acc": 10**400}, "the metric 'acc' is no number but "),
        ({"x" * 99: {}}, f"the metric '{'x' * 60}' is no number but {{}}"),
    ],
)
def test_anything_else_is_named_in_short(result: Any, message: str) -> None:
    with pytest.raises(SearchError, match="^" + re.escape(message)) as told:
        checked_metrics(result)
    assert len(str(told.value)) < 150
