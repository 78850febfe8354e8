"""Support vectors as arrays, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVR

from cg_predict.support_vectors import SupportVectors


def features(count: int = 120) -> np.ndarray:
    """Of very different scales; the last one is constant."""
    return np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32) * [1, 10, 0.1, 1, 0] + [0, 5, 0, 0, 7]


def targets(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(x[:, 0]) + 0.1 * x[:, 1])


@pytest.mark.parametrize(("rate", "penalty"), [(0.4, 2.0), (0.05, 0.5)])
def test_support_vectors_predict_as_scikit_learn_does(rate: float, penalty: float) -> None:
    x = features()
    ours = SupportVectors.fitted(x, targets(x), rate, penalty)
    assert ours.columns.tolist() == [0, 1, 2, 3]
    centre, spread = x[:, :4].mean(0), x[:, :4].std(0)
    model = SVR(gamma=rate / 4, C=penalty, epsilon=0.06).fit(np.clip((x[:, :4] - centre) / spread, -3, 3), targets(x))
    new = features(200)[150:]
    expected = model.predict(np.clip((new[:, :4] - centre) / spread, -3, 3))
    np.testing.assert_allclose(ours.predict(new), expected, atol=1e-4)
    assert len(ours.points) == len(ours.coefficients) == len(model.support_)


def test_beyond_three_deviations_a_network_is_as_far_as_three() -> None:
    x = features()
    ours = SupportVectors.fitted(x, targets(x), 0.4, 2.0)
    edge = np.append(ours.centre + 3 * ours.spread, 0.0)[None].astype(np.float64)
    np.testing.assert_allclose(ours.predict(np.full((1, 5), 1e6)), ours.predict(edge), atol=1e-4)


def test_equal_networks_are_equal_whatever_stands_beside_them() -> None:
    x = features()
    ours = SupportVectors.fitted(x, targets(x), 0.4, 2.0)
    assert ours.predict(x[:1])[0] == ours.predict(x)[0] == ours.predict(np.repeat(x[:1], 77, axis=0))[-1]


def test_stored_vectors_predict_the_same_but_for_half_precision() -> None:
    x = features()
    ours = SupportVectors.fitted(x, targets(x), 0.4, 2.0)
    arrays = ours.to_arrays()
    np.testing.assert_allclose(SupportVectors.from_arrays(arrays).predict(x), ours.predict(x), atol=0.01)
    assert arrays["points"].dtype == np.float16
    with pytest.raises(KeyError, match="numbers"):
        SupportVectors.from_arrays({name: value for name, value in arrays.items() if name != "numbers"})
