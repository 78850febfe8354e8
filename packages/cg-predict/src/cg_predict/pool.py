"""Where a network stands among others: descriptors on the scale of a pool of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Standardised descriptors are clipped here, so that one odd network cannot dominate distances.
CLIP = 4.0
#: Ranks are rounded to this grid: midpoints between grid values are exact in half precision.
GRID = 1024
_LARGEST = 4096


class Levels:
    """The distinct values of each descriptor and which of them every network has, found once for however many pools ranks are taken among.

    Args:
        x: descriptors, (n, d).

    Attributes:
        x: the same, float32.
    """

    def __init__(self, x: NDArray[np.floating[Any]]) -> None:
        self.x = np.asarray(x, dtype=np.float32)
        self._found: dict[int, tuple[NDArray[np.float32], NDArray[np.int32]]] = {}

    def __getitem__(self, column: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Distinct values of a column, and the number of each network's among them, (n,)."""
        if column not in self._found:
            values, inverse = np.unique(self.x[:, column], return_inverse=True)
            self._found[column] = values, inverse.astype(np.int32)
        return self._found[column]


class PoolScale:
    """Mean, spread and quantiles of the descriptors of a pool.

    Families differ in the scale of everything (a network of 8 million parameters is small in one and large in another); what a
    network is relative to its pool carries over. A column that is constant in the pool says nothing and becomes 0.

    Args:
        x: descriptors of the pool, (n, d).
    """

    def __init__(self, x: NDArray[np.floating[Any]]) -> None:
        x = np.asarray(x, dtype=np.float64)
        if len(x) > _LARGEST:  # evenly spaced: no randomness, and hardly less exact
            x = x[np.linspace(0, len(x) - 1, _LARGEST).astype(int)]
        self.mean = x.mean(axis=0)
        deviation = x.std(axis=0)
        self.varies = deviation > 1e-6 * (1.0 + np.abs(self.mean))
        self.deviation = np.where(self.varies, deviation, 1.0)
        self._sorted = np.asfortranarray(np.sort(x[:, self.varies].astype(np.float32), axis=0))

    def standardise(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The varying columns in standard deviations from the pool's mean, clipped, float32 (n, varying)."""
        z = x[:, self.varies].astype(np.float64)
        z -= self.mean[self.varies]
        z /= self.deviation[self.varies]
        return np.clip(z, -CLIP, CLIP, out=z).astype(np.float32)

    def standardise_all(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """As `standardise`, with zeros in the columns that do not vary, float32 (n, d)."""
        result = np.zeros(np.shape(x), dtype=np.float32)
        result[:, self.varies] = self.standardise(x)
        return result

    def ranks(self, x: NDArray[np.floating[Any]] | Levels) -> NDArray[np.float32]:
        """Position of each value among the pool's, from -1/2 to 1/2 on a grid of 1/GRID, float32 (n, d); 0 in constant columns."""
        levels = x if isinstance(x, Levels) else Levels(x)
        result = np.zeros(levels.x.shape, dtype=np.float32)
        twice = 2 * len(self._sorted)
        grid = np.asarray(np.round((np.arange(twice + 1) / float(twice) - 0.5) * GRID) / GRID, dtype=np.float32)
        for position, column in enumerate(np.flatnonzero(self.varies).tolist()):
            reference = self._sorted[:, position]
            values, place = levels[column]
            below = reference.searchsorted(values, "left") + reference.searchsorted(values, "right")
            result[:, column] = grid[below][place]
        return result
