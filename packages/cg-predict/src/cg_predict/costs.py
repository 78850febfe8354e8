"""Scorers that need neither labels nor torch: parameters, multiply-accumulates, depth. Stronger baselines than they look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.graph import Graph


class Cost:
    """A cost of the operators that reach the output.

    Args:
        kind: ``params`` or ``macs``, whose logarithm is the score, or ``depth``, operators on the longest path.
    """

    def __init__(self, kind: str) -> None:
        self.name = kind

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.floating[Any]]:
        """Scores, (n,); they know no standard deviation."""
        costs = np.array([float(getattr(graph, self.name)) for graph in graphs])
        return costs if self.name == "depth" else np.log1p(costs)
