"""Scores as normal scores in a pool: by their definition, and that no order changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from cg_predict.calibration import NINE_OF_TEN, QuantileMap, expectation


def test_nine_of_ten_normal_variables_lie_within() -> None:
    assert norm.cdf(NINE_OF_TEN) - norm.cdf(-NINE_OF_TEN) == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.3, 1.0])
def test_expectation_is_regression_to_the_mean(correlation: float) -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=50_000)
    label = correlation * score + np.sqrt(1 - correlation**2) * rng.normal(size=len(score))
    mean, std = expectation(score, correlation)
    assert std.shape == mean.shape == score.shape
    assert (label - mean).std() == pytest.approx(std[0], abs=0.01)
    assert np.cov(mean, label - mean)[0, 1] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_score_is_the_quantile_of_the_share_that_is_expected_below(share: float) -> None:
    rng = np.random.default_rng(1)
    mean, std = rng.normal(2.0, 3.0, 80), rng.uniform(0.3, 1.0, 80)
    score = brentq(lambda m: norm.cdf(m, mean, std).mean() - share, -30, 30)
    assert QuantileMap(mean, std).scores(np.array([score]))[0] == pytest.approx(norm.ppf(share), abs=0.01)


def test_normal_scores_of_a_normal_pool_stay_and_shifts_are_undone() -> None:
    pool = np.random.default_rng(0).normal(size=4000)
    same = QuantileMap(0.8 * pool, np.full(len(pool), 0.6))  # variances add up to 1
    mean, std = same(np.array([-1.0, 0.0, 2.0]), np.array([0.1, 0.2, 0.1]))
    np.testing.assert_allclose(mean, [-1.0, 0.0, 2.0], atol=0.06)
    np.testing.assert_allclose(std, [0.1, 0.2, 0.1], atol=0.01)
    shifted = QuantileMap(0.8 * pool - 1.0, np.full(len(pool), 0.6))
    np.testing.assert_allclose(shifted.scores(np.array([-1.0, 0.0])), [0.0, 1.0], atol=0.06)


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(1e-3, 10)), min_size=1, max_size=30),
    st.lists(st.integers(-200, 200), min_size=2, max_size=20, unique=True),
)
def test_no_order_changes_however_far_out(pool: list[tuple[float, float]], asked: list[int]) -> None:
    placement = QuantileMap(*np.array(pool).T)
    scores = placement.scores(np.sort(np.array(asked, dtype=float)))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()


def test_beyond_the_pool_scores_go_on_in_a_straight_line() -> None:
    placement = QuantileMap(np.array([0.0, 1.0, 2.0]), np.ones(3))
    steps = np.diff(placement.scores(np.array([50.0, 51.0, 52.0, 1000.0])))
    assert steps[0] == pytest.approx(steps[1])
    assert steps[2] == pytest.approx(948 * steps[0])
    assert steps[0] > 0
