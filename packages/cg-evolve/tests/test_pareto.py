from __future__ import annotations

import numpy as np
import pytest

from cg_evolve import pareto


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a >= b).all() and (a > b).any())


def test_one_objective_needs_no_library() -> None:
    assert pareto.ranks([[1.0], [3.0], [3.0], [2.0]]).tolist() == [2, 0, 0, 1]
    assert pareto.front([[1.0], [3.0], [2.0]]).tolist() == [1]
    assert pareto.hypervolume([[1.0], [3.0]], [0.5]) == 2.5
    assert len(pareto.front(np.zeros((0, 2)))) == 0


def test_ranks_and_front_against_the_definition() -> None:
    pytest.importorskip("moocore")
    points = np.random.default_rng(0).integers(0, 8, size=(60, 3)).astype(float)
    rank = pareto.ranks(points)
    left = set(range(60))
    level = 0
    while left:
        current = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        assert {i for i in range(60) if rank[i] == level} == current
        left -= current
        level += 1
    front = set(pareto.front(points).tolist())
    assert {tuple(points[i]) for i in front} == {tuple(points[i]) for i in np.flatnonzero(rank == 0)}
    assert len(front) == len({tuple(points[i]) for i in front})


def test_hypervolume_of_two_boxes() -> None:
    pytest.importorskip("moocore")
    assert pareto.hypervolume([[2.0, 1.0], [1.0, 2.0], [-1.0, 5.0]], [0.0, 0.0]) == pytest.approx(3.0)
    assert pareto.hypervolume([[-1.0, -1.0]], [0.0, 0.0]) == 0.0


def test_crowding_prefers_the_ends_and_the_gaps() -> None:
    distance = pareto.crowding([[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]])
    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1] > 0
