"""Scores as normal scores in the pool, and what is believed of labels before there are any."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
#: Standard deviations on either side of the mean that hold nine of ten normal variables.
NINE_OF_TEN = 1.6449
#: Scores at which the distribution of the pool is evaluated.
_GRID = 401


def expectation(scores: NDArray[np.floating[Any]], correlation: float) -> tuple[Floats, Floats]:
    """Mean and standard deviation of labels, (n,) each, both standard normal, given scores that correlate with them."""
    mean = np.asarray(correlation * np.asarray(scores), dtype=np.float64)
    return mean, np.full(len(mean), float(np.sqrt(1.0 - correlation**2)))


class QuantileMap:
    """Scores as normal quantiles of the share of a pool that is expected below them: a monotone map that changes no order.

    Labelled networks need be no fair sample of the pool, so their ranks among themselves do not say where they stand in it. With predictions
    ``m_j +- std_j`` of the pool's networks a score m has the quantile ``F(m) = mean_j Phi((m - m_j) / std_j)`` and the normal score
    ``Phi^-1(F(m))``. Beyond what so many networks can tell, the map goes on in a straight line.

    Args:
        mean: predicted scores of the pool, (m,).
        std: their standard deviations, (m,).
    """

    def __init__(self, mean: NDArray[np.floating[Any]], std: NDArray[np.floating[Any]]) -> None:
        grid = np.linspace(float((mean - 4 * std).min()), float((mean + 4 * std).max()), _GRID)
        below = ndtr((grid[:, None] - mean[None, :]) / std[None, :]).mean(axis=1)
        edge = 0.25 / len(mean)
        told = (below > edge) & (below < 1.0 - edge)
        self._from, self._to = grid[told], np.asarray(ndtri(below[told]))
        self._slope = float((self._to[-1] - self._to[0]) / (self._from[-1] - self._from[0]))

    def scores(self, mean: NDArray[np.floating[Any]]) -> Floats:
        """Normal scores in the pool, (n,)."""
        inside = np.clip(mean, self._from[0], self._from[-1])
        return np.asarray(np.interp(inside, self._from, self._to) + self._slope * (mean - inside), dtype=np.float64)

    def __call__(self, mean: NDArray[np.floating[Any]], std: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
        """Normal scores in the pool and their standard deviations, (n,) each: half of what one deviation to either side spans."""
        return self.scores(mean), (self.scores(mean + std) - self.scores(mean - std)) / 2.0
