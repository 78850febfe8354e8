"""Scorers that need neither labels nor torch: parameters, multiply-accumulates, depth. Stronger baselines than they look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.graph import Graph

__all__ = ["Depth", "Macs", "Params"]


class Params:
    """Logarithm of the number of parameters of the operators that reach the output."""

    name = "params"

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.floating[Any]]:
        """Scores, (n,); they know no standard deviation."""
        return np.log1p([float(g.params) for g in graphs])


class Macs:
    """Logarithm of the multiply-accumulates of one forward pass."""

    name = "macs"

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.floating[Any]]:
        """Scores, (n,); they know no standard deviation."""
        return np.log1p([float(g.macs) for g in graphs])


class Depth:
    """Operators on the longest path."""

    name = "depth"

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.floating[Any]]:
        """Scores, (n,); they know no standard deviation."""
        return np.array([float(g.depth) for g in graphs])
