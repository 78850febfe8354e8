"""Predictor-guided evolution: generations, their parents, and the order in which children are evaluated."""

from __future__ import annotations

import numpy as np
import pytest
from toy_plugin import ToyScorer, worth

from cg_evolve import Search
from cg_evolve.algorithms import GuidedEvolution
from cg_evolve.algorithms.guided import _rank_order


class Counted(ToyScorer):
    """Notes how many results it is fitted to."""

    fits: list[int] = []

    def fit(self, graphs, y):
        self.fits.append(len(graphs))
        return super().fit(graphs, y)


@pytest.fixture
def search() -> Search:
    Counted.fits.clear()
    search = Search("toy", GuidedEvolution(Counted(), initial=8, generation=5, parents=3, children=40), seed=1, q=1)
    for _ in range(28):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    return search


def test_it_is_fitted_once_a_generation(search: Search) -> None:
    assert Counted.fits == [8, 13, 18, 23]
    assert {row.candidate.origin for row in search.history[:8]} == {"sample"}
    assert {row.candidate.origin for row in search.history[8:]} <= {"mutation", "crossover"}


def test_children_descend_from_the_best_and_come_in_the_order_of_their_means(search: Search) -> None:
    rows = list(search.history)
    for first in (8, 13, 18, 23):
        generation = rows[first : first + 5]
        means = [row.candidate.mean for row in generation]
        assert means == sorted(means, reverse=True)
        assert all(row.candidate.std > 0 for row in generation)
        best = {row.id for row in sorted(rows[:first], key=lambda row: -row.value)[:3]}
        assert {parent for row in generation for parent in row.candidate.parents} <= best
        for row in generation:
            assert len(row.candidate.parents) == (2 if row.candidate.origin == "crossover" else 1)


def test_it_beats_its_own_random_start(search: Search) -> None:
    values = [row.value for row in search.history]
    assert np.mean(values[8:]) > np.max(values[:8]) - 0.5
    assert np.mean(values[8:]) > np.mean(values[:8]) + 1


def test_where_results_are_equal_it_goes_on_at_random() -> None:
    search = Search("toy", GuidedEvolution(ToyScorer(), initial=4, generation=2), q=1)
    for _ in range(8):
        search.tell(search.ask()[0], 1.0)
    assert {row.candidate.origin for row in search.history} == {"sample"}


def test_several_objectives_are_ordered_by_front_then_by_room() -> None:
    pytest.importorskip("moocore")
    assert _rank_order(np.array([[1.0], [3.0], [2.0]])) == [1, 2, 0]
    points = np.array([[0.0, 0.0], [0.0, 4.0], [2.0, 2.0], [2.1, 1.9], [4.0, 0.0]])
    assert _rank_order(points) == [1, 4, 2, 3, 0]
