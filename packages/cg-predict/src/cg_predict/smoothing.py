"""Scores of a pool told from those of similar networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from cg_predict.kernels import matern52, squared_distances

__all__ = ["Smoother"]

Floats = NDArray[np.float64]
Views = Mapping[str, NDArray[np.floating[Any]]]

#: Variance of the noise for each network of the pool: the more there are, the more of what they differ in is taken for error.
_NOISE = 0.005


class Smoother:
    """Kernel ridge regression of scores on what networks look like.

    Trees learned elsewhere jump where this pool has no reason to, and networks that are alike differ in their errors. What neighbours agree on is kept,

        s(x) = k(x)' (K + n nu I)^-1 s,

    with K the mean of Matern 5/2 covariances of the views over the n networks, each with the median distance as its length scale, and nu the noise for
    each network; then standardised over them.

    Args:
        views: features of networks of the pool, (n, d) each, by name.
        scores: theirs, (n,).
    """

    def __init__(self, views: Views, scores: NDArray[np.floating[Any]]) -> None:
        self._views = {name: np.asarray(x, dtype=np.float32) for name, x in views.items()}
        self._lengths = {}
        for name, x in self._views.items():
            squared = squared_distances(x, x)
            median = float(np.median(squared[np.triu_indices(len(x), 1)])) if len(x) > 1 else 0.0
            self._lengths[name] = float(np.sqrt(median)) or 1.0
        covariance = self._covariance(self._views).astype(np.float64)
        noisy = covariance + _NOISE * len(covariance) * np.eye(len(covariance))
        self._solution = cho_solve(cho_factor(noisy, lower=True), scores - scores.mean())
        smooth = covariance @ self._solution
        self._mean, self._deviation = float(smooth.mean()), float(smooth.std()) or 1.0

    def _covariance(self, views: Views) -> NDArray[np.floating[Any]]:
        parts = [
            matern52(squared_distances(np.asarray(views[name], dtype=np.float32), x), self._lengths[name])
            for name, x in self._views.items()
        ]
        return np.asarray(np.mean(parts, axis=0))

    def __call__(self, views: Views, scores: NDArray[np.floating[Any]]) -> Floats:
        """Smooth scores of networks, (m,), about standard in the pool; the less a network has its like there, the more its own score counts.

        Args:
            views: their features, (m, d) each, by name.
            scores: their own, (m,).
        """
        covariance = self._covariance(views)
        smooth = (covariance @ self._solution - self._mean) / self._deviation
        alike = covariance.max(axis=1)
        return np.asarray(alike * smooth + (1.0 - alike) * scores, dtype=np.float64)
