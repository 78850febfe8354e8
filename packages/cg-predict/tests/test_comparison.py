"""Probabilities from the joint posterior: against samples of it, and where networks are alike."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir import CgError
from cg_predict import Predictor, probability_better
from cg_predict.comparison import _independent, _of_process, probabilities_better
from cg_predict.gp import AveragedGaussianProcess, Structure


class Sure:
    """Scores and deviations that are given."""

    name = "sure"

    def predict(self, graphs, return_std=False):
        score = np.log([g.params for g in graphs])
        return (score, np.full(len(graphs), 0.5)) if return_std else score


def test_of_other_scorers_errors_are_independent(family):
    graphs, _ = family
    a, b = sorted(graphs[:9], key=lambda g: g.params)[::8]
    assert probability_better(Sure(), b, a) > 0.5 > probability_better(Sure(), a, b)
    assert probability_better(Sure(), a, b) == pytest.approx(1 - probability_better(Sure(), b, a))
    assert probability_better(Sure(), a, a) == 0.5
    with pytest.raises(CgError, match="no standard deviation"):
        probability_better(
            type("Bare", (), {"name": "bare", "predict": lambda self, g, return_std: np.zeros(len(g))})(), a, b
        )


def test_a_process_tells_pairs_by_its_joint_covariance():
    """The share of joint samples, drawn from the textbook's equations, in which the first of a pair is the greater."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    process = AveragedGaussianProcess([Structure(("x",))], rng=rng).fit({"x": x}, y)
    new = np.concatenate([rng.normal(size=(3, 2)), [[0.5, 0.5], [0.52, 0.5]]])
    views, pairs = {"x": new}, np.array([[0, 1], [1, 2], [3, 4]])
    found = _of_process(process, views, np.zeros(len(new)), pairs)
    expected = np.zeros(len(pairs))
    for weight, draw in zip(process.weights_, process.draws_, strict=True):
        everything = np.concatenate([x, new])
        k = process._prior_covariance(draw, {"x": everything}, {"x": everything}, {})
        noise = draw.noise * np.eye(len(x))
        solved = np.linalg.solve(k[:12, :12] + noise, k[:12, 12:])
        mean = solved.T @ y
        joint = k[12:, 12:] - k[12:, :12] @ solved + draw.noise * np.eye(len(new))
        drawn = mean + process.inflation_ * rng.multivariate_normal(np.zeros(len(new)), joint, size=40_000)
        expected += weight * (drawn[:, pairs[:, 0]] > drawn[:, pairs[:, 1]]).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("labels", [0, 20])
def test_pairs_of_a_predictor(family, labels):
    graphs, values = family
    predictor = Predictor(warn=False)
    if labels:
        predictor.fit(graphs[:labels], values[:labels], pool=graphs)
    rest = graphs[labels : labels + 30]
    pairs = np.array([(i, j) for i in range(30) for j in range(i)])
    forth, back = (probabilities_better(predictor, rest, p, pool=graphs) for p in (pairs, pairs[:, ::-1]))
    np.testing.assert_allclose(forth + back, 1, atol=1e-9)
    mean, deviation = predictor.predict(rest, return_std=True, pool=graphs)
    agree = (forth > 0.5) == (mean[pairs[:, 0]] > mean[pairs[:, 1]])
    assert agree.mean() > 0.97
    if labels:  # networks that are alike err alike: what is said of pairs is surer than of two deviations
        assert np.abs(forth - 0.5).mean() > np.abs(_independent(mean, deviation, pairs) - 0.5).mean()
    assert probability_better(predictor, rest[0], rest[1], pool=graphs) == pytest.approx(
        probabilities_better(predictor, rest[:2], np.array([[0, 1]]), pool=graphs)[0]
    )
