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
    """A Gaussian process, averaged over kernels of all columns, of their half-whitened principal components, and of both.

    Args:
        around: readouts that set the scale, (n, width).
        seed: of the hyper-parameters.
    """

    _STRUCTURES = (Structure(("columns",)), Structure(("components",)), Structure(("columns", "components")))

    def __init__(self, around: NDArray[np.float32], seed: int) -> None:
        self._scale = PoolScale(around)
        z = self._scale.standardise(around)
        self._whitening = Whitening().fit(z)
        self._process = AveragedGaussianProcess(self._STRUCTURES, rng=np.random.default_rng([seed, 0]), draws=50)
        self._process.prepare(self._views(around))

    def _views(self, readout: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        z = self._scale.standardise(readout)
        return {"columns": z, "components": self._whitening.transform(z).astype(np.float32)}

    def fit(self, readout: NDArray[np.float32], targets: NDArray[np.float64]) -> ReadoutProcess:
        """Learn normal scores, (n,), of readouts (n, width)."""
        self._process.fit(self._views(readout), targets)
        return self

    def predict(self, readout: NDArray[np.float32]) -> NDArray[np.float64]:
        """Means, (n,)."""
        return np.asarray(self._process.predict(self._views(readout)), dtype=np.float64)
