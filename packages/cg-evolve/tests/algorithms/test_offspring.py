"""Candidates that are made."""

from __future__ import annotations

import numpy as np
import pytest

from cg_evolve.algorithms.offspring import leading


def test_leading_of_one_objective_are_the_greatest_of_several_the_front() -> None:
    values = np.arange(100.0)[:, None]
    assert leading(values) == list(range(99, 39, -1))
    pytest.importorskip("moocore")
    points = np.array([[0.0, 3.0], [1.0, 2.0], [0.5, 1.0], [3.0, 0.0]])
    assert leading(points) == [0, 1, 3]
