"""Scores of a pool as similar networks agree on them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge

from cg_predict.smoothing import _NOISE, Smoother


def pool(n: int = 200, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    truth = x[:, 0] + np.sin(x[:, 1])
    return x, truth, truth + rng.normal(size=n)


def test_it_is_scikit_learns_kernel_ridge():
    x, _, scores = pool()
    distances = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
    length = np.median(distances[np.triu_indices(len(x), 1)])
    ridge = KernelRidge(alpha=_NOISE * len(x), kernel=Matern(length, nu=2.5)).fit(x, scores - scores.mean())
    expected = ridge.predict(x)
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(Smoother({"x": x}, scores)({"x": x}, scores), expected, atol=1e-3)


def test_errors_of_single_networks_go():
    x, truth, scores = pool()
    smooth = Smoother({"x": x}, scores)({"x": x}, scores)
    assert np.corrcoef(smooth, truth)[0, 1] > np.corrcoef(scores, truth)[0, 1] + 0.05


def test_a_network_unlike_the_pool_keeps_its_score():
    x, _, scores = pool()
    far = np.full((1, 4), 100.0, dtype=np.float32)
    assert Smoother({"x": x}, scores)({"x": far}, np.array([3.0])) == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_pool_of_few_or_equal_networks(n):
    x = np.ones((n, 3), dtype=np.float32)
    assert np.isfinite(Smoother({"x": x}, np.arange(n, dtype=float))({"x": x}, np.arange(n, dtype=float))).all()
