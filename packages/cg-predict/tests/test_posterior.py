"""What is believed of labels: without any, with few, with many, each by its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cg_predict.calibration import QuantileMap
from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.posterior import Calibrated, FewLabels, ManyLabels, NoLabels

RNG = np.random.default_rng(0)


def test_without_labels_a_score_is_shrunk_to_what_is_expected_of_it() -> None:
    mean, std = NoLabels(0.6, 0.5).predict({}, np.array([0.5, 1.5, -0.5]))
    np.testing.assert_allclose(mean, [0.0, 0.6, -0.6])
    np.testing.assert_allclose(std, 0.8)
    assert NoLabels(0.6).predict({}, np.array([1.0]))[0] == pytest.approx([0.6])


class Told:
    """In place of a process: what it predicts, and the share that it leaves to another prediction."""

    def __init__(self, share: float) -> None:
        self.share, self.asked = share, []  # type: ignore[var-annotated]

    def predict(self, views: Any, scores: Any, return_std: bool = False) -> Any:
        return (np.array([1.0, -1.0]), np.array([0.5, 0.25])) if return_std else np.array([1.0, -1.0])

    def share_against(self, mean: Any, variance: Any, share: float) -> float:
        self.asked.append((mean.tolist(), variance.tolist(), share))
        return self.share


def test_few_labels_mix_process_and_score() -> None:
    told: Any = Told(0.25)
    mixture = FewLabels.of(told, np.array([1.0, 3.0]), 0.8, 4.0)
    ((mean, variance, share),) = told.asked
    assert (mixture.share, mixture.unlabelled) == (0.25, NoLabels(0.8, 2.0))
    np.testing.assert_allclose(mean, [-0.8, 0.8])
    np.testing.assert_allclose(variance, 0.36)
    assert share == pytest.approx(np.exp(-0.5))
    mean, std = mixture.predict({}, np.array([2.0, 3.0]))
    expected = np.array([0.75 * 1.0, 0.75 * -1.0 + 0.25 * 0.8])
    np.testing.assert_allclose(mean, expected)
    second = 0.75 * np.array([0.5**2 + 1.0, 0.25**2 + 1.0]) + 0.25 * (0.36 + np.array([0.0, 0.64]))
    np.testing.assert_allclose(std, np.sqrt(second - expected**2))


def test_the_score_is_not_heard_beside_many_labels() -> None:
    told: Any = Told(0.25)
    scores = np.zeros(10)
    assert FewLabels.of(told, scores, 0.8, 2.0).share == 0.0  # exp(-5) is below a hundredth
    assert not told.asked
    assert FewLabels.of(told, scores, 0.8, 2.5).share == 0.25  # exp(-4) is not
    mean, std = FewLabels(told, NoLabels(0.0), 0.0).predict({}, np.zeros(2))
    assert (mean.tolist(), std.tolist()) == ([1.0, -1.0], [0.5, 0.25])


def labelled(count: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    x = RNG.normal(size=(count, 3)).astype(np.float32)
    y = np.sign(x[:, 0]) + 0.1 * RNG.normal(size=count)
    return {"descriptors": x}, y / y.std(), np.asarray(x[:, 1], dtype=np.float64)


def process() -> AveragedGaussianProcess:
    return AveragedGaussianProcess([Structure(("descriptors",))], rng=np.random.default_rng(1), draws=6, refinements=1)


def test_beyond_the_labels_of_the_process_trees_learn_what_it_leaves() -> None:
    views, y, scores = labelled(900)
    many = ManyLabels(process(), views, y, scores, 60, np.random.default_rng(2))
    assert many.trees is not None
    new, truth, new_scores = labelled(400)
    mean, std = many.predict(new, new_scores)
    alone = np.asarray(many.process.predict(new, new_scores))
    error, before = np.mean((mean - truth) ** 2), np.mean((alone - truth) ** 2)
    assert error < 0.7 * before
    assert (std == many.deviation).all()
    assert many.deviation == pytest.approx(np.sqrt(error), rel=0.5)
    again = ManyLabels(process(), views, y, scores, 60, np.random.default_rng(2))
    np.testing.assert_array_equal(again.predict(new, new_scores)[0], mean)


def test_a_few_labels_beyond_it_only_say_how_far_it_errs() -> None:
    views, y, scores = labelled(120)
    many = ManyLabels(process(), views, y, scores, 60, np.random.default_rng(2))
    assert many.trees is None
    order = np.random.default_rng(2).permutation(120)
    rest = np.sort(order[60:])
    left = y[rest] - np.asarray(many.process.predict({"descriptors": views["descriptors"][rest]}, scores[rest]))
    assert many.deviation == pytest.approx(np.sqrt(np.mean(left**2)))
    assert many.process._n == 60
    np.testing.assert_array_equal(many.predict(views, scores)[0], np.asarray(many.process.predict(views, scores)))


def test_the_encoders_vectors_are_features_of_the_trees() -> None:
    views, y, scores = labelled(400)
    views["embedding"] = np.asarray(y[:, None], dtype=np.float32)
    many = ManyLabels(process(), views, y, scores, 50, np.random.default_rng(3))
    mean, _ = many.predict(views, scores)
    assert np.corrcoef(mean, y)[0, 1] > 0.98


def test_calibrated_predictions_are_places_in_the_pool() -> None:
    quantiles = QuantileMap(RNG.normal(size=500) - 1.0, np.full(500, 0.5))
    posterior = Calibrated(NoLabels(0.6), quantiles)
    inner = NoLabels(0.6).predict({}, np.array([0.0, 1.0]))
    for found, expected in zip(posterior.predict({}, np.array([0.0, 1.0])), quantiles(*inner), strict=True):
        np.testing.assert_array_equal(found, expected)
