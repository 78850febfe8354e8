"""Support vector regression as plain arrays: written from a fitted scikit-learn model, evaluated with numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.kernels import squared_distances

__all__ = ["SupportVectors"]

Floats = NDArray[np.float64]
_TUBE = 0.06  # errors below it cost nothing, in standard deviations of the labels
_CLIP = 3.0


@dataclass(frozen=True)
class SupportVectors:
    """A smooth function of those features that vary, standardised (epsilon-SVR, Drucker et al. 1997).

    Args:
        columns: of the features that it reads, (c,).
        centre: of each, (c,).
        spread: likewise.
        points: networks that hold the function up, standardised, (m, c).
        coefficients: of each, (m,).
        offset: added to the sum.
        rate: of the squared-exponential kernel, times the squared distance.
    """

    columns: NDArray[np.int16]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    points: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    offset: float
    rate: float

    @classmethod
    def fitted(cls, x: NDArray[np.floating[Any]], y: Floats, rate: float, penalty: float) -> SupportVectors:
        """Learn from features, (n, d), and targets of about unit variance, (n,).

        Args:
            x: the features.
            y: the targets.
            rate: of the kernel, times the mean over features of the squared differences.
            penalty: of errors, against smoothness.
        """
        from sklearn.svm import SVR

        columns = np.flatnonzero(x.std(axis=0, dtype=np.float64) > 1e-6)
        chosen = x[:, columns].astype(np.float64)
        centre, spread = chosen.mean(axis=0), chosen.std(axis=0)
        z = np.clip((chosen - centre) / spread, -_CLIP, _CLIP)
        model = SVR(gamma=rate / max(len(columns), 1), C=penalty, epsilon=_TUBE).fit(z, y)
        return cls(
            columns.astype(np.int16), centre.astype(np.float32), spread.astype(np.float32), z[model.support_].astype(np.float32),
            model.dual_coef_[0].astype(np.float32), float(model.intercept_[0]), float(model.gamma),
        )  # fmt: skip

    def predict(self, x: NDArray[np.floating[Any]]) -> Floats:
        """The function of features ``x``, (n, d), as (n,)."""
        z = x[:, self.columns].astype(np.float64)
        z -= self.centre
        z /= self.spread
        np.clip(z, -_CLIP, _CLIP, out=z)
        near = squared_distances(z, self._points)
        near *= -self.rate
        value = np.exp(near, out=near) @ self.coefficients.astype(np.float64)
        # Sums of products differ in their last bits with a network's place among others; equal networks are equal.
        return np.round(value + self.offset, 9)

    @cached_property
    def _points(self) -> Floats:
        return self.points.astype(np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Compact arrays; the inverse of `from_arrays`."""
        return {
            "columns": self.columns, "centre": self.centre, "spread": self.spread, "points": self.points.astype(np.float16),
            "coefficients": self.coefficients, "numbers": np.array([self.offset, self.rate], dtype=np.float32),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SupportVectors:
        """What `to_arrays` gave.

        Raises:
            KeyError: something is missing.
        """
        offset, rate = arrays["numbers"].tolist()
        return cls(
            arrays["columns"], arrays["centre"], arrays["spread"], arrays["points"].astype(np.float32), arrays["coefficients"], offset, rate,
        )  # fmt: skip
