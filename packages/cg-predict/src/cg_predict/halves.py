"""The mean of trees and a smooth function: each goes astray where the other does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.support_vectors import SupportVectors
from cg_predict.trees import Forest

__all__ = ["Halves"]


@dataclass(frozen=True)
class Halves:
    """A function of features, half trees and half support vectors.

    Trees tell sizes apart by steps and say the same beyond the last of them; a smooth function follows a trend, and goes astray by features that mean nothing.

    Args:
        trees: one half.
        smooth: the other.
    """

    trees: Forest
    smooth: SupportVectors

    def predict(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The function of features ``x``, (n, d), as (n,)."""
        return (self.trees.predict(x) + self.smooth.predict(x)) / 2

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Compact arrays; the inverse of `from_arrays`."""
        halves = {"trees": self.trees.to_arrays(), "smooth": self.smooth.to_arrays()}
        return {f"{half}/{key}": value for half, arrays in halves.items() for key, value in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Halves:
        """What `to_arrays` gave.

        Raises:
            KeyError: something is missing.
        """
        trees, smooth = (
            {key.removeprefix(half): value for key, value in arrays.items() if key.startswith(half)}
            for half in ("trees/", "smooth/")
        )
        return cls(Forest.from_arrays(trees), SupportVectors.from_arrays(smooth))
