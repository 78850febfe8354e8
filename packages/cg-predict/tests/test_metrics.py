"""Measures of rankings, against scipy, scikit-learn and brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, rankdata

from cg_predict.metrics import (
    calibration_error,
    coverage,
    kendall,
    precision_at_top,
    rank_of_best,
    regret,
    spearman,
    spearman_in_top,
)

PAIRS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=25)


@given(PAIRS)
def test_spearman_is_the_correlation_of_ranks(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=float).T
    expected = pearsonr(rankdata(a), rankdata(b)).statistic if np.ptp(a) and np.ptp(b) else 0.0
    assert spearman(a, b) == pytest.approx(expected, abs=1e-9)


@given(PAIRS)
def test_kendall_counts_pairs_in_order_and_allows_for_ties(pairs: list[tuple[int, int]]) -> None:
    signs = [(np.sign(a[0] - b[0]), np.sign(a[1] - b[1])) for a, b in combinations(pairs, 2)]
    told = np.sqrt(float(sum(x != 0 for x, _ in signs)) * sum(y != 0 for _, y in signs))
    expected = sum(x * y for x, y in signs) / told if told else 0.0
    score, truth = np.array(pairs, dtype=float).T
    assert kendall(score, truth) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", [spearman, kendall])
def test_what_is_constant_or_not_a_number_ranks_nothing(measure) -> None:
    for score in (np.ones(5), np.full(5, np.nan), np.array([1.0, 2.0, np.nan, 3.0, 4.0])):
        assert measure(score, np.arange(5.0)) == 0.0
        assert measure(np.arange(5.0), score) == 0.0


def ranked(*swaps: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of forty networks whose truth is 0 .. 39, with some of them exchanged."""
    score = np.arange(40.0)
    for a, b in swaps:
        score[[a, b]] = score[[b, a]]
    return score, np.arange(40.0)


@pytest.mark.parametrize(
    ("swaps", "share", "precision", "lost", "rank"),
    [
        ([], 0.05, 1.0, 0.0, 1 / 40),
        ([(39, 38)], 0.05, 1.0, 1.0, 2 / 40),
        ([(39, 30)], 0.05, 0.5, 9.0, 10 / 40),
        ([(39, 0), (38, 1)], 0.05, 0.0, 39.0, 1.0),
        ([(39, 38)], 0.001, 0.0, 1.0, 2 / 40),  # at least one network is the top
        ([(39, 0)], 0.25, 0.9, 39.0, 1.0),
    ],
)
def test_the_top_by_hand(swaps, share: float, precision: float, lost: float, rank: float) -> None:
    score, truth = ranked(*swaps)
    assert precision_at_top(score, truth, share) == precision
    assert regret(score, truth) == lost
    assert rank_of_best(score, truth) == rank


def test_among_equals_the_best_is_of_rank_one() -> None:
    assert rank_of_best(np.array([3.0, 2.0, 1.0]), np.array([1.0, 1.0, 0.0])) == 1 / 3


def test_the_correlation_in_the_top_is_that_of_the_truly_best() -> None:
    score, truth = ranked((0, 20), (39, 36))
    assert spearman_in_top(score, truth, 0.1) == spearman(score[36:], truth[36:])
    assert spearman_in_top(score, truth, 0.001) == pytest.approx(-1.0)  # two at least


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_intervals_hold_the_share_that_they_promise(level: float) -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20_000), rng.uniform(0.1, 2.0, 20_000)
    truth = mean + std * rng.normal(size=len(mean))
    assert coverage(mean, std, truth, level) == pytest.approx(level, abs=0.01)
    assert coverage(mean, 2 * std, truth, level) > coverage(mean, std, truth, level)


def test_coverage_is_nine_of_ten_by_default() -> None:
    assert coverage(np.zeros(4), np.ones(4), np.array([1.6, -1.6, 1.7, -1.7])) == 0.5


def test_calibration_errors_are_gaps_between_probability_and_share() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=20_000)
    true = rng.uniform(size=20_000) < probability
    assert calibration_error(probability, true) < 0.02
    assert calibration_error(np.full(100, 0.9), np.arange(100) < 60) == pytest.approx(0.3)
    assert calibration_error(np.ones(10), np.ones(10, dtype=bool)) == 0
    halves = np.array([0.2] * 30 + [0.8] * 10), np.array([True] * 15 + [False] * 15 + [True] * 10)
    assert calibration_error(*halves) == pytest.approx((30 * 0.3 + 10 * 0.2) / 40)
    assert calibration_error(*halves, bins=1) == pytest.approx(abs(np.mean(halves[0]) - np.mean(halves[1])))
