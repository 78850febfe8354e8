"""What a candidate is worth, and which is proposed."""

from __future__ import annotations

import numpy as np
import pytest

from cg_evolve import Search
from cg_evolve.algorithms import BayesianSearch
from cg_evolve.algorithms.acquisition import Acquisition, expected_improvement, level_order
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
