"""The columns of the ranking tables against scipy, and against what they say in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cg_bench.ranking.metrics import METRICS, Judged

MEASURES = {metric.name: metric.measure for metric in METRICS}


@pytest.fixture
def judged() -> Judged:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=200).round(1)  # with ties
    score = labels + rng.normal(size=200)
    return Judged(score, labels, stats.zscore(labels), np.full(200, 1.0))


def test_correlations_are_those_of_scipy(judged: Judged) -> None:
    assert MEASURES["spearman"](judged) == pytest.approx(stats.spearmanr(judged.score, judged.labels).statistic)
    assert MEASURES["kendall"](judged) == pytest.approx(stats.kendalltau(judged.score, judged.labels).statistic)
    best = judged.labels >= np.sort(judged.labels)[-20]
    assert MEASURES["spearman_top_10"](judged) == pytest.approx(
        stats.spearmanr(judged.score[best], judged.labels[best]).statistic, abs=0.05
    )


def test_what_is_said_of_the_best() -> None:
    labels = np.arange(40.0)
    score = np.zeros(40)
    score[[39, 20]] = 1.0, 2.0  # the predicted best is the 20th from below
    judged = Judged(score, labels, labels)
    assert MEASURES["regret"](judged) == 19.0
    assert MEASURES["precision_top_5"](judged) == 0.5
    assert MEASURES["rank_of_best"](judged) == pytest.approx(20 / 40)


def test_intervals_count_what_lies_inside_and_nothing_where_there_are_none() -> None:
    normal = np.array([0.0, 1.0, 2.0, 3.0])
    judged = Judged(np.zeros(4), normal, normal, np.ones(4))
    assert MEASURES["coverage_90"](judged) == 0.5  # within 1.64 deviations
    assert np.isnan(MEASURES["coverage_90"](Judged(np.zeros(4), normal, normal)))
