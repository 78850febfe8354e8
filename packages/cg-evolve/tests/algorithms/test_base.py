"""What an algorithm sees, and the number by which evaluations are selected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import DONE, FAILED, Candidate, Evaluation


def rows_of(points: list[tuple[float, ...]]) -> list[Evaluation]:
    return [Evaluation(Candidate(i, f"a{i}", f"h{i}", 0), DONE, utilities=point) for i, point in enumerate(points)]


def fronts(points: list[tuple[float, ...]]) -> list[int]:
    """Rank of each point by the definition: fronts are taken away one by one (Deb et al. 2002)."""
    left, rank = set(range(len(points))), {}

    def dominates(a: int, b: int) -> bool:
        return points[a] != points[b] and all(x >= y for x, y in zip(points[a], points[b], strict=True))

    while left:
        front = {i for i in left if not any(dominates(j, i) for j in left)}
        rank |= dict.fromkeys(front, len(set(rank.values())))
        left -= front
    return [rank[i] for i in range(len(points))]


def crowding(points: list[tuple[float, ...]]) -> list[float]:
    """Crowding distance as in the paper's pseudo-code, for points that differ in every objective."""
    distance = [0.0] * len(points)
    for k in range(len(points[0])):
        order = sorted(range(len(points)), key=lambda i: points[i][k])
        distance[order[0]] = distance[order[-1]] = np.inf
        span = points[order[-1]][k] - points[order[0]][k]
        for before, i, after in zip(order, order[1:], order[2:], strict=False):
            distance[i] += (points[after][k] - points[before][k]) / span
    return distance


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=9))
def test_of_one_objective_it_is_the_utility(values: list[float]) -> None:
    assert fitness(rows_of([(v,) for v in values])).tolist() == values


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9))
def test_a_better_front_comes_first_whatever_the_crowding(points: list[tuple[int, int]]) -> None:
    pytest.importorskip("moocore")
    found, rank = fitness(rows_of(points)), fronts(points)  # type: ignore[arg-type]
    for i in range(len(points)):
        assert -rank[i] <= found[i] < 1 - rank[i]


@given(st.permutations(range(8)))
def test_within_a_front_the_less_crowded_come_first(heights: list[int]) -> None:
    pytest.importorskip("moocore")
    points = [(float(x), -(float(x) ** 2) - 0.1 * y) for x, y in enumerate(sorted(heights))]
    points[3:5] = [(3.2, points[3][1]), (3.5, points[4][1])]
    front = [i for i, r in enumerate(fronts(points)) if r == 0]
    found, distance = fitness(rows_of(points)), crowding([points[i] for i in front])
    by_distance = sorted(distance)
    for a, i in enumerate(front):
        for b, j in enumerate(front):
            if distance[a] > distance[b]:
                assert found[i] > found[j], by_distance


def test_failed_and_infeasible_evaluations_come_last() -> None:
    rows = rows_of([(-1e9,), (0.0,), (5.0,)])
    rows[1].status, rows[2].feasible = FAILED, False
    assert fitness(rows).tolist() == [-1e9, -np.inf, -np.inf]
    assert fitness(rows[1:]).tolist() == [-np.inf, -np.inf]
    assert fitness([]).tolist() == []
