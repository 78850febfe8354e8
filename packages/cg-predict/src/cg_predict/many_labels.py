"""Thousands of labels: a Gaussian process on some of them, boosted trees on what it leaves unexplained in the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.gp import AveragedGaussianProcess

__all__ = ["ManyLabels"]

Floats = NDArray[np.float64]
Views = Mapping[str, NDArray[np.floating[Any]]]


class ManyLabels:
    """Past a thousand labels an exact Gaussian process grows with the cube of their number; this grows with the number.

    Args:
        process: fitted to a sample of the labels.
        exact: size of the sample.
        rng: source of randomness.
    """

    def __init__(self, process: AveragedGaussianProcess, exact: int, rng: np.random.Generator) -> None:
        self.process = process
        self.exact = exact
        self.rng = rng

    def fit(self, views: Views, y: NDArray[np.floating[Any]], mean: NDArray[np.floating[Any]]) -> ManyLabels:
        """Condition on labels, see `AveragedGaussianProcess.fit`. Residuals are taken where the process has seen no label."""
        from sklearn.ensemble import HistGradientBoostingRegressor  # takes longer to import than all else here

        order = self.rng.permutation(len(y))
        seen, rest = np.sort(order[: self.exact]), np.sort(order[self.exact :])
        self.process.fit({k: v[seen] for k, v in views.items()}, y[seen], mean[seen])
        part = {k: v[rest] for k, v in views.items()}
        predicted = self.process.predict(part, mean[rest])
        features = self._features(part, mean[rest], predicted)
        residual = y[rest] - predicted
        held = self.rng.random(len(rest)) < 0.2
        seed = int(self.rng.integers(2**31))
        self.trees = HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.06, max_leaf_nodes=31, l2_regularization=1.0, early_stopping=True,
            validation_fraction=0.15, random_state=seed,
        ).fit(features[~held], residual[~held])  # fmt: skip
        left = residual[held] - self.trees.predict(features[held])
        self.deviation = float(np.sqrt(np.mean(left**2)))
        return self

    def _features(self, views: Views, mean: NDArray[Any], predicted: Any) -> NDArray[np.float32]:
        parts = [views["descriptors"], np.asarray(mean)[:, None], np.asarray(predicted)[:, None]]
        if "embedding" in views:
            parts.append(views["embedding"])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def predict(self, views: Views, mean: NDArray[np.floating[Any]], return_std: bool = False) -> Any:
        """See `AveragedGaussianProcess.predict`; the standard deviation is that of held-out labels, the same everywhere."""
        predicted = self.process.predict(views, mean)
        result = predicted + self.trees.predict(self._features(views, mean, predicted))
        return (result, np.full(len(result), self.deviation)) if return_std else result
