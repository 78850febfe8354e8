"""The mean of trees and a smooth function."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.svm import SVR

from cg_predict.halves import Halves
from cg_predict.support_vectors import SupportVectors
from cg_predict.trees import Forest


def test_halves_are_the_mean_of_trees_and_a_smooth_function() -> None:
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    y = x[:, 0] * x[:, 1]
    boosted = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(x, y)
    trees = Forest.from_trees([s[0].tree_ for s in boosted.estimators_], [0.1] * 20, float(y.mean()))
    halves = Halves(trees, SupportVectors.fitted(x, y, 0.3, 3.0))
    z = np.clip((x - x.mean(0)) / x.std(0), -3, 3)
    smooth = SVR(gamma=0.1, C=3.0, epsilon=0.06).fit(z, y)
    np.testing.assert_allclose(halves.predict(x), (boosted.predict(x) + smooth.predict(z)) / 2, atol=2e-3)
    arrays = halves.to_arrays()
    assert {name.partition("/")[0] for name in arrays} == {"trees", "smooth"}
    np.testing.assert_allclose(Halves.from_arrays(arrays).predict(x), halves.predict(x), atol=0.02)
    del arrays["trees/step"]
    with pytest.raises(KeyError, match="step"):
        Halves.from_arrays(arrays)
