"""Latency on one machine: a roofline whose coefficients were fitted to measurements, and trees on what it leaves over.

Time is a sum of the columns of `cg_predict.roofline` with non-negative coefficients (`cg_predict.time_sum`). Extremely randomised trees (Geurts, Ernst and
Wehenkel 2006) then learn the logarithm of measured over computed time from the shares of time that the columns take; they count as far as they help with
measurements left out. So a network beyond all that were measured still costs what its work and its traffic cost, and a kind of operator that none of them
has costs what the kind most like it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.roofline import COLUMNS, sums
from cg_predict.time_sum import fit_coefficients
from cg_predict.trees import Forest

Floats = NDArray[np.float64]

#: Trees, and the least number of networks in a leaf.
_TREES, _LEAF = 60, 2
#: Logarithms of measured over computed time are cut here before trees learn them: beyond, something else was measured.
_LARGEST = 0.5
#: How far trees may count, and in how many parts measurements are left out to see it.
_COUNTS, _PARTS = (0.0, 0.5, 1.0), 3
#: Columns by whose range extrapolation is told.
_EXTENT = ("macs/", "moved/", "weights/", "launches/")
#: No machine is known better than this, in logarithms.
_LEAST_SPREAD = 0.01
#: Growth of the interval, in logarithms, for every e-fold beyond what was measured.
_PER_EFOLD = 0.3
#: The kind that is most like each, in what a machine does for it.
_LIKE = {
    "conv1": "convk", "convk": "conv1", "grouped": "convk", "depthwise": "grouped", "gemm": "conv1", "product": "gemm", "attention": "product",
    "recurrent": "gemm", "batchnorm": "pointwise", "norm": "batchnorm", "pointwise": "batchnorm", "softmax": "pointwise", "pool": "pointwise",
    "reduce": "pointwise", "move": "pointwise", "permute": "move",
}  # fmt: skip


@dataclass(frozen=True)
class DeviceModel:
    """What was learned of one machine.

    Args:
        coefficients: milliseconds a unit of each column of `cg_predict.roofline.COLUMNS`, (d,).
        forest: learned logarithm of measured over computed time.
        low, high: of the logarithms of MACs, elements moved, weights and launches, where measured networks lie, (4,) each.
        spread: half the width of the interval that held nine of ten networks left out, in logarithms.
    """

    coefficients: Floats
    forest: Forest
    low: Floats
    high: Floats
    spread: float

    @classmethod
    def fit(cls, columns: Floats, ms: Floats, spread: float = 0.0, seed: int = 0) -> DeviceModel:
        """Learn from measurements.

        Args:
            columns: of `roofline`, (n, d).
            ms: milliseconds, (n,).
            spread: see the class; measured by leaving networks out.
            seed: of the trees.
        """
        coefficients = _with_unseen(columns, fit_coefficients(columns, ms))
        computed = np.maximum(columns @ coefficients, 1e-12)
        features, rest = _features(columns, coefficients), np.log(ms / computed)
        count = _trees_count(features, rest, seed)
        trees = [t.tree_ for t in _trees(features, rest, seed).estimators_][: None if count else 1]
        forest = Forest.from_trees(trees, [count / _TREES] * len(trees))
        extent = _extent(columns)
        return cls(coefficients, forest, extent.min(axis=0), extent.max(axis=0), spread)

    def computed(self, columns: Floats) -> Floats:
        """Milliseconds by the roofline alone, (n,)."""
        return np.asarray(np.maximum(columns @ self.coefficients, 1e-12))

    def predict(self, columns: Floats) -> Floats:
        """Milliseconds, (n,)."""
        return self.computed(columns) * np.exp(self.forest.predict(_features(columns, self.coefficients)))

    def beyond(self, columns: Floats) -> Floats:
        """How far networks lie outside what was measured, (n,), in e-folds; 0 inside."""
        extent = _extent(columns)
        return np.asarray((np.maximum(self.low - extent, 0) + np.maximum(extent - self.high, 0)).sum(axis=1))

    def half_width(self, columns: Floats) -> Floats:
        """Half the width of the interval, (n,), in logarithms: it grows with the distance to what was measured."""
        return max(self.spread, _LEAST_SPREAD) + _PER_EFOLD * self.beyond(columns)

    # --- files --------------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for a checkpoint."""
        forest = {f"forest/{name}": value for name, value in self.forest.to_arrays().items()}
        range_ = {"low": self.low.astype(np.float32), "high": self.high.astype(np.float32)}
        return {"coefficients": self.coefficients, "spread": np.array([self.spread]), **range_, **forest}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> DeviceModel:
        """The inverse of `to_arrays`."""
        forest = Forest.from_arrays(
            {k.removeprefix("forest/"): v for k, v in arrays.items() if k.startswith("forest/")}
        )
        return cls(
            arrays["coefficients"].astype(np.float64), forest, arrays["low"].astype(np.float64), arrays["high"].astype(np.float64),
            float(arrays["spread"][0]),
        )  # fmt: skip


def _with_unseen(columns: Floats, coefficients: Floats) -> Floats:
    """Coefficients where kinds of operators that no row of the columns has cost what the kind most like them does."""
    seen = {kind for kind in _LIKE if columns[:, COLUMNS.index(f"launches/{kind}")].any()}
    result = coefficients.copy()
    for kind in _LIKE.keys() - seen:
        like, passed = _LIKE[kind], {kind}
        while like not in seen and like not in passed:
            passed.add(like)
            like = _LIKE[like]
        for i, name in enumerate(COLUMNS):
            what, _, of = name.partition("/")
            if of == kind and like in seen:
                result[i] = coefficients[COLUMNS.index(f"{what}/{like}")] if f"{what}/{like}" in COLUMNS else 0.0
    return result


def _trees(features: NDArray[np.float32], rest: Floats, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, max_features=1 / 3, random_state=seed)
    return trees.fit(features, np.clip(rest, -_LARGEST, _LARGEST))


def _trees_count(features: NDArray[np.float32], rest: Floats, seed: int) -> float:
    """The share of what trees say by which the median error of measurements left out is least."""
    if len(rest) < 2 * _PARTS:
        return _COUNTS[-1]
    part, told = np.random.default_rng(seed).permutation(len(rest)) % _PARTS, np.zeros(len(rest))
    for k in range(_PARTS):
        told[part == k] = _trees(features[part != k], rest[part != k], seed).predict(features[part == k])
    return min(_COUNTS, key=lambda count: float(np.median(np.abs(rest - count * told))))


def _features(columns: Floats, coefficients: Floats) -> NDArray[np.float32]:
    """What trees look at: shares of time of the columns that cost any, and logarithms of all columns."""
    parts = columns * coefficients
    shares = parts[:, coefficients > 0] / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12)
    return np.concatenate([shares, np.log1p(columns)], axis=1).astype(np.float32)


def _extent(columns: Floats) -> Floats:
    """Logarithms of MACs, elements moved, weights and launches, (n, 4)."""
    return np.log1p(sums(columns, _EXTENT))
