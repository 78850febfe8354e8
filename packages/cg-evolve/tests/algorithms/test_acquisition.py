"""What a candidate is worth, and which is proposed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cg_evolve import Search
from cg_evolve.algorithms import BayesianSearch
from cg_evolve.algorithms.acquisition import (
    Acquisition,
    expected_improvement,
    hypervolume_order,
    level_order,
    scalarised_order,
)
from cg_evolve.algorithms.design import InitialDesign


def test_at_a_level_the_best_within_it_comes_first() -> None:
    """Utilities (score, minus cost): whatever level is drawn, no candidate that costs more than it comes before one that does not."""
    rng = np.random.default_rng(0)
    cost = rng.uniform(0, 1, 200)
    means = np.stack([cost + 0.1 * rng.standard_normal(200), -cost], axis=1)
    stds = np.stack([np.full(200, 0.1), np.zeros(200)], axis=1)
    incumbents = np.array([[0.05, -0.1], [0.1, -0.2], [0.9, -0.95]])
    firsts = []
    for seed in range(60):
        order = level_order(means, stds, incumbents, np.random.default_rng(seed))
        assert sorted(order.tolist()) == list(range(200))
        firsts.append(cost[order[0]])
    # The cheap fifth, that between the members, and the dear end: every stretch has its turn.
    counts = np.histogram(firsts, bins=[0.0, 0.2, 0.5, 0.8, 1.0])[0]
    assert counts.min() >= 5, counts


def test_cheap_levels_have_their_turn_as_often_as_dear_ones() -> None:
    """Of a front from 10 to 1,000 operations, about as many levels lie below 100 as above."""
    cost = np.geomspace(5, 1500, 400)
    means = np.stack([cost, -cost], axis=1)
    stds = np.stack([np.full(400, 0.1), np.zeros(400)], axis=1)
    incumbents = np.array([[9.0, -10.0], [99.0, -100.0], [999.0, -1000.0]])
    levels = [cost[level_order(means, stds, incumbents, np.random.default_rng(seed))[0]] for seed in range(200)]
    assert 0.4 < np.mean(np.array(levels) < 100) < 0.6


def test_improvement_over_an_incumbent_is_ordered_by_mean_and_deviation() -> None:
    values = expected_improvement(np.array([0.0, 1.0, 0.0]), np.array([0.1, 0.1, 1.0]), 0.5)
    assert values.argsort().tolist() == [0, 2, 1]


def means_proposed(acquisition: Acquisition, pool: list[str]) -> list[tuple[float, float]]:
    """Of each proposal that improves: its predicted mean, and the greatest among all candidates then."""
    algorithm = BayesianSearch("toy-gp", design=InitialDesign(6), acquisition=acquisition)
    search = Search("toy", algorithm, q=1, pool=pool)
    found = []
    for _ in range(16):
        (candidate,) = search.ask()
        if candidate.origin == "acquisition":
            assert algorithm.belief is not None
            found.append((candidate.mean, float(algorithm.belief.means[:, 0].max())))
        search.tell(candidate, float(candidate.graph.params))
    assert found
    return found


def test_another_acquisition_function_is_one_function(toy_pool: list[str]) -> None:
    most = means_proposed(Acquisition(lambda mean, std, incumbent: mean), toy_pool)
    assert all(mean == greatest for mean, greatest in most)
    least = means_proposed(Acquisition(lambda mean, std, incumbent: -mean), toy_pool)
    assert all(mean < greatest for mean, greatest in least)


def test_improvement_keeps_its_order_where_it_underflows() -> None:
    values = expected_improvement(np.array([-60.0, -50.0, -40.0]), np.ones(3), 0.0)
    assert np.isfinite(values).all()
    assert values.argsort().tolist() == [0, 1, 2]


def test_improvement_without_deviation_is_ordered_by_the_mean() -> None:
    means = np.array([0.9, 0.0, 0.5, 1.2, 0.999])
    assert expected_improvement(means, np.zeros(5), 1.0).argsort().tolist() == means.argsort().tolist()
    assert expected_improvement(means, np.zeros(5), 5.0).argsort().tolist() == means.argsort().tolist()


def test_improvement_is_that_of_the_normal_distribution() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.8, 400_000)
    (value,) = np.exp(expected_improvement(np.array([0.3]), np.array([0.8]), 0.5))
    assert value == pytest.approx(np.maximum(draws - 0.5, 0.0).mean(), rel=0.01)


def test_by_hypervolume_the_greatest_gain_comes_first_and_the_dominated_last() -> None:
    pytest.importorskip("moocore")
    rng = np.random.default_rng(0)
    front = np.array([[0.2, 0.9], [0.6, 0.5], [0.9, 0.1]])
    points = rng.uniform(0, 1.2, (25, 2))
    order = hypervolume_order(points, front, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(25))
    both = np.concatenate([front, points])
    low, high = both.min(axis=0), both.max(axis=0)

    def area(chosen: np.ndarray) -> float:
        """Of the union of boxes above the reference point, on a grid."""
        axis = (np.arange(600) + 0.5) / 600 * 1.1 - 0.1
        scaled = (chosen - low) / (high - low)
        inside = (scaled[:, 0, None, None] > axis[:, None]) & (scaled[:, 1, None, None] > axis[None, :])
        return float(inside.any(axis=0).mean())

    leading = [i for i in range(25) if not any((q >= points[i]).all() and (q > points[i]).any() for q in points)]
    gains = [area(np.vstack([front, points[i]])) for i in order[: len(leading)]]
    assert set(order[: len(leading)].tolist()) == set(leading)
    assert all(a >= b - 2e-3 for a, b in itertools.pairwise(gains))


def test_a_scalarisation_is_the_augmented_chebyshev_one() -> None:
    """With the weights that the generator gives; the best is on the front."""
    points, front = np.random.default_rng(0).uniform(size=(30, 3)), np.array([[0.5, 0.5, 0.5]])
    weights = np.random.default_rng(7).dirichlet(np.ones(3))
    low, high = np.minimum(points.min(axis=0), 0.5), np.maximum(points.max(axis=0), 0.5)
    z = (points - low) / (high - low)
    value = [min(w * x for w, x in zip(weights, row, strict=True)) + 0.05 * float(weights @ row) for row in z]
    order = scalarised_order(points, front, np.random.default_rng(7))
    assert order.tolist() == sorted(range(30), key=lambda i: -value[i])
    assert not (points >= points[order[0]]).all(axis=1)[np.arange(30) != order[0]].any()
