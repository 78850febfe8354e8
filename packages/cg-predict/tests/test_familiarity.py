"""How well a network is known."""

from __future__ import annotations

import pytest

from cg_predict.familiarity import Familiarity
from cg_predict.settings import Settings


@pytest.mark.parametrize(("distance", "known"), [(0.0, True), (1.0, True), (1.0001, False), (float("inf"), False)])
def test_known_up_to_the_distance_at_which_experts_are_asked(distance: float, known: bool) -> None:
    assert Settings().nearness_limit == 1.0
    assert Familiarity("nb201", distance).known == known
    assert Familiarity("nb201", 3.0, limit=3.0).known
