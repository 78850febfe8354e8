"""A Gaussian process on what a network has made of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.kernels import Whitening
from cg_predict.pool import PoolScale

__all__ = ["ReadoutProcess"]


class ReadoutProcess:
    """A Gaussian process on half-whitened principal components of readouts, averaged over hyper-parameters.

    Networks of one family differ by much in few directions of a readout, mostly their size, and by little in many: whitening lets these speak.

    Args:
        around: readouts that set the scale, (n, width).
        seed: of the hyper-parameters.
    """

    def __init__(self, around: NDArray[np.float32], seed: int) -> None:
        self._scale = PoolScale(around)
        self._whitening = Whitening().fit(self._scale.standardise(around))
        self._process = AveragedGaussianProcess(
            (Structure(("components",)),), rng=np.random.default_rng([seed, 0]), draws=150
        )
        self._process.prepare(self._views(around))

    def _views(self, readout: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        return {"components": self._whitening.transform(self._scale.standardise(readout)).astype(np.float32)}

    def fit(self, readout: NDArray[np.float32], targets: NDArray[np.float64]) -> ReadoutProcess:
        """Learn normal scores, (n,), of readouts (n, width)."""
        self._process.fit(self._views(readout), targets)
        return self

    def predict(self, readout: NDArray[np.float32]) -> NDArray[np.float64]:
        """Means, (n,)."""
        return np.asarray(self._process.predict(self._views(readout)), dtype=np.float64)
