"""Steady-state NSGA-II: who survives, and who becomes a parent."""

from __future__ import annotations

import numpy as np
import pytest
from toy_plugin import worth

from cg_evolve import Search
from cg_evolve.algorithms import NSGA2
from cg_evolve.algorithms.base import View

pytest.importorskip("moocore")


def searched(algorithm: NSGA2, budget: int) -> Search:
    search = Search("toy", algorithm, seed=1, q=1, objectives=("worth", "macs:min"))
    for _ in range(budget):
        (candidate,) = search.ask()
        search.tell(candidate, {"worth": worth(candidate.arch)})
    return search


def dominators(points: np.ndarray, i: int) -> int:
    return int(((points >= points[i]).all(axis=1) & (points > points[i]).any(axis=1)).sum())


def test_parents_survive_by_their_front() -> None:
    """Nobody is a parent who is dominated by as many as survive."""
    search = searched(NSGA2(population=8), 60)
    rows = list(search.history)
    for row in rows[8:]:
        before = np.array([r.utilities for r in rows[: row.id]])
        assert row.candidate.parents
        assert all(dominators(before, parent) < 8 for parent in row.candidate.parents)
    assert {len(row.candidate.parents) for row in rows[8:]} == {1, 2}


def view_of(search: Search, number: int) -> View:
    return View(number, 0, search.domain, search.problem, search.history, list(search.history))


def test_a_tournament_of_two_prefers_the_fitter_three_times_in_four() -> None:
    search = searched(NSGA2(population=12), 12)
    best = max(range(12), key=lambda i: (-dominators(np.array([r.utilities for r in search.history]), i), -i))
    view = view_of(search, 12)
    pair = [
        view.results[best],
        next(r for r in view.results if not set(r.utilities) & set(view.results[best].utilities)),
    ]
    view = View(12, 0, search.domain, search.problem, search.history, pair)
    chosen = [
        NSGA2(population=2, crossover=0.0).propose(View(n, 0, view.domain, view.problem, view.history, pair)).parents
        for n in range(2, 202)
    ]
    wins = max(chosen.count((row.id,)) for row in pair)
    assert 130 <= wins <= 170  # 150 are expected, the deviation is 6


@pytest.mark.parametrize(("share", "origins"), [(0.0, {"mutation"}), (1.0, {"crossover", "mutation"})])
def test_crossover_needs_two_parents(share: float, origins: set[str]) -> None:
    rows = list(searched(NSGA2(population=6, crossover=share), 40).history)
    assert {row.candidate.origin for row in rows[:6]} == {"sample"}
    assert {row.candidate.origin for row in rows[6:]} == origins
    for row in rows[6:]:
        assert len(set(row.candidate.parents)) == (2 if row.candidate.origin == "crossover" else 1)


def test_a_child_has_every_letter_of_a_parent_or_one_mutation() -> None:
    rows = list(searched(NSGA2(population=6, crossover=1.0), 50).history)
    for row in rows:
        if row.candidate.origin == "crossover":
            a, b = (rows[i].arch for i in row.candidate.parents)
            assert sum(letter not in pair for letter, *pair in zip(row.arch, a, b, strict=True)) <= 1
