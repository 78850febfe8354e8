"""A Gaussian process on what a network has made of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.kernels import Whitening
from cg_predict.pool import PoolScale


class ReadoutProcess:
    """A Gaussian process on half-whitened principal components of readouts: averaged over those of message passing and those of all columns.

    Networks of one family differ by much in few directions of a readout, mostly their size, and by little in many: whitening lets these speak. Attention
    over all operators misleads in most families and helps in some (docs/results/embedding/recipe.md), so the labels decide how much it is heard.

    Args:
        around: readouts that set the scale, (n, width).
        messages: how many of the columns, the first ones, come from message passing.
        seed: of the hyper-parameters.
    """

    def __init__(self, around: NDArray[np.float32], messages: int, seed: int) -> None:
        self._columns = {"messages": messages} | ({"whole": around.shape[1]} if messages < around.shape[1] else {})
        self._scales = {name: PoolScale(around[:, :end]) for name, end in self._columns.items()}
        self._whitenings = {
            name: Whitening().fit(scale.standardise(around[:, : self._columns[name]]))
            for name, scale in self._scales.items()
        }
        structures = [Structure((name,)) for name in self._columns]
        rng = np.random.default_rng([seed, 0])
        self._process = AveragedGaussianProcess(structures, rng=rng, draws=150 // len(structures))
        self._process.prepare(self._views(around))

    def _views(self, readout: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        return {
            name: whitening.transform(self._scales[name].standardise(readout[:, : self._columns[name]]))
            for name, whitening in self._whitenings.items()
        }

    def fit(self, readout: NDArray[np.float32], targets: NDArray[np.float64]) -> ReadoutProcess:
        """Learn normal scores, (n,), of readouts (n, width)."""
        self._process.fit(self._views(readout), targets)
        return self

    def predict(self, readout: NDArray[np.float32]) -> NDArray[np.float64]:
        """Means, (n,)."""
        return np.asarray(self._process.predict(self._views(readout)), dtype=np.float64)
