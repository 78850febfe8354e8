"""Where a score on the scale of the labelled networks stands in the pool."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["Placement"]

Floats = NDArray[np.float64]
#: Points between which the map is linear.
_GRID = 256


class Placement:
    """Maps scores among the labelled networks to normal scores in the pool; their order stays.

    The ranks of a few labels among themselves say where they stand among each other. If the labelled networks were chosen, not drawn, that is not
    where they stand in the pool. A score m becomes the normal quantile of the share of the pool that is expected below it,

        g(m) = ndtri(mean_j ndtr((m - mean_j) / std_j)).

    Beyond what so many networks can tell, the map goes on in a straight line.

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

    def of(self, mean: NDArray[np.floating[Any]], std: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
        """Normal scores in the pool and their standard deviations, (n,) each: half of what one deviation to either side spans."""
        return self.scores(mean), (self.scores(mean + std) - self.scores(mean - std)) / 2.0
