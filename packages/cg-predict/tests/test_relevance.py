"""Which features mattered: the likelihood against scipy's, its slopes, and what is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.gaussian_process.kernels import Matern

from cg_predict.relevance import likelihood_gradient, relevance

RNG = np.random.default_rng(0)
Z, Y = RNG.normal(size=(15, 4)), RNG.normal(size=15)
WEIGHTS, HYPER = 0.3 * RNG.normal(size=4), np.array([0.2, -0.1, -1.0])


def test_the_likelihood_is_that_of_a_matern_process_with_an_unknown_offset() -> None:
    kernel = np.exp(HYPER[1]) * Matern(2.0 * np.exp(HYPER[0]), nu=2.5)(Z * np.exp(WEIGHTS))
    covariance = kernel + 0.25 + (np.exp(HYPER[2]) + 1e-6) * np.eye(15)
    expected = -multivariate_normal(np.zeros(15), covariance).logpdf(Y) / 15 - 0.5 * np.log(2 * np.pi)
    assert likelihood_gradient(Z, Y, WEIGHTS, HYPER, 2.0)[0] == pytest.approx(expected)


def test_the_gradient_is_the_slope() -> None:
    def value(parameters: np.ndarray) -> float:
        return likelihood_gradient(Z, Y, parameters[:4], parameters[4:], 2.0)[0]

    def gradient(parameters: np.ndarray) -> np.ndarray:
        return np.concatenate(likelihood_gradient(Z, Y, parameters[:4], parameters[4:], 2.0)[1:])

    assert check_grad(value, gradient, np.concatenate([WEIGHTS, HYPER])) < 1e-6


def test_the_feature_that_matters_is_found() -> None:
    z = RNG.normal(size=(150, 12)).astype(np.float32)
    z[:, 5] = 0.0
    weights = relevance(z, np.sin(2 * z[:, 3]), seed=0)
    assert weights.dtype == np.float32
    assert weights.argmax() == 3
    assert weights[3] > 2 * np.median(weights)
    assert weights[5] == pytest.approx(1.0, abs=1e-3)  # of what is constant nothing is learned
    np.testing.assert_array_equal(relevance(z, np.exp(np.sin(2 * z[:, 3])), seed=0), weights)  # only the order counts
    assert not np.array_equal(relevance(z, np.sin(2 * z[:, 3]), seed=1), weights)
