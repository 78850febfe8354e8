"""Distances, covariances and components, against scipy, scikit-learn and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.gaussian_process.kernels import Matern

from cg_predict.kernels import Whitening, matern52, squared_distances


def test_squared_distances_are_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 3)), rng.normal(size=(4, 3)) + 5.0
    np.testing.assert_allclose(squared_distances(a, b), cdist(a, b, "sqeuclidean"), atol=1e-12)
    single = squared_distances(a.astype(np.float32), b.astype(np.float32))
    assert single.dtype == np.float32
    far = 1e4 + rng.normal(size=(50, 3)).astype(np.float32)  # where rounding would make some of them negative
    assert (squared_distances(far, far) >= 0.0).all()


@pytest.mark.parametrize("length", [0.3, 1.0, 4.2])
def test_covariance_by_length_scale(length: float) -> None:
    r = np.linspace(0.0, 6.0, 30)[:, None]
    np.testing.assert_allclose(matern52(r**2, length), Matern(length, nu=2.5)(r, np.zeros((1, 1))), atol=1e-12)
    assert matern52(np.zeros(1), length) == 1.0


@pytest.mark.parametrize("shape", [(40, 5), (6, 30)])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_components_by_power(shape: tuple[int, int], power: float) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape) * np.linspace(0.5, 3.0, shape[1]) + 7.0
    whitening = Whitening(power, 4).fit(x)
    found = whitening.transform(x)
    theirs = PCA(4).fit_transform(x)
    expected = theirs / theirs.std(axis=0) ** power
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-9)
    largest = np.abs(whitening.directions_).argmax(axis=0)
    assert (whitening.directions_[largest, np.arange(4)] > 0).all()
    if power == 1.0:
        np.testing.assert_allclose(found.std(axis=0), 1.0)


def test_directions_without_variance_are_left_out() -> None:
    rng = np.random.default_rng(2)
    line = rng.normal(size=(30, 1)) @ np.array([[1.0, 2.0, 0.0]])
    assert Whitening(0.5, 48).fit(line).transform(line).shape == (30, 1)
    constant = np.ones((5, 3))
    assert Whitening(0.5, 48).fit(constant).transform(constant).shape == (5, 0)
    single = rng.normal(size=(20, 6)).astype(np.float32)
    assert Whitening(0.5, 3).fit(single).transform(single).dtype == np.float32
    assert Whitening().fit(rng.normal(size=(200, 60))).directions_.shape == (60, 48)


RNG = np.random.default_rng(0)


def test_matern_is_scikit_learns():
    a, b = RNG.normal(size=(7, 4)), RNG.normal(size=(5, 4))
    np.testing.assert_allclose(matern52(squared_distances(a, b), 1.7), Matern(1.7, nu=2.5)(a, b), atol=1e-12)


@pytest.mark.parametrize("shape", [(60, 6), (8, 30)])
def test_whitening_is_pca_up_to_scale(shape):
    x = RNG.normal(size=shape) @ RNG.normal(size=(shape[1], shape[1]))
    ours = Whitening(0.5, 5).fit(x).transform(x)
    pca = PCA(5).fit(x)
    theirs = pca.transform(x)
    deviation = theirs.std(axis=0)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs / np.sqrt(deviation)), rtol=1e-6, atol=1e-8)
