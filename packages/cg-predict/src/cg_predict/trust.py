"""What rank correlation to expect of a score without labels, learned from what came of families that were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EVIDENCE", "Trust"]

Floats = NDArray[np.float64]
#: What is seen of a pool: the mean correlation of a ranking with what all have in common, how far the rankings' correlations with the score lie apart (their
#: standard deviation), the distance of known networks of the three nearest families, and the mean correlation of sizes with each other.
EVIDENCE = ("agreement", "dissent", "distance", "accord")
_PENALTY = 5.0
_BOUNDS = (0.05, 0.97)
#: Expected where nothing has been learned.
_UNKNOWN = 0.6


@dataclass(frozen=True)
class Trust:
    """Ridge regression of correlations (their Fisher transforms) on what is seen of a pool without labels.

    Args:
        families: of each row.
        evidence: what was seen, (n, len(EVIDENCE)).
        outcome: correlations that came, (n,).
    """

    families: tuple[str, ...] = ()
    evidence: Floats | None = None
    outcome: Floats | None = None

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]]) -> Trust:
        """From rows of family, outcome and evidence.

        Raises:
            ValueError: rows of another length, as other releases wrote them.
        """
        if not rows:
            return cls()
        table = np.array([list(map(float, row[1:])) for row in rows])
        if table.shape[1] != 1 + len(EVIDENCE):
            raise ValueError(f"what was expected of pools is told by {table.shape[1] - 1} signs, not {len(EVIDENCE)}")
        return cls(tuple(str(row[0]) for row in rows), table[:, 1:], table[:, 0])

    def without(self, families: Sequence[str]) -> Trust:
        """What came of the other families."""
        kept = [i for i, family in enumerate(self.families) if family not in families]
        if self.evidence is None or self.outcome is None or not kept:
            return Trust()
        return Trust(tuple(self.families[i] for i in kept), self.evidence[kept], self.outcome[kept])

    @cached_property
    def _fit(self) -> Mapping[str, Any]:
        assert self.evidence is not None
        assert self.outcome is not None
        count = {family: self.families.count(family) for family in self.families}
        weight = np.array([1.0 / count[family] for family in self.families])  # every family counts once
        centre = np.average(self.evidence, axis=0, weights=weight)
        spread = np.sqrt(np.average((self.evidence - centre) ** 2, axis=0, weights=weight)) + 1e-9
        z = (self.evidence - centre) / spread
        target = np.arctanh(np.clip(self.outcome, -0.95, 0.97))
        mean = float(np.average(target, weights=weight))
        matrix = (z * weight[:, None]).T @ z + _PENALTY * np.eye(z.shape[1])
        return {
            "centre": centre,
            "spread": spread,
            "mean": mean,
            "slope": np.linalg.solve(matrix, (z * weight[:, None]).T @ (target - mean)),
        }

    def expected(self, evidence: Floats | None) -> float:
        """The correlation to expect of a pool with this evidence; where nothing is seen of it, a cautious guess."""
        if self.evidence is None or evidence is None:
            return _UNKNOWN
        fit = self._fit
        z = np.clip((evidence - fit["centre"]) / fit["spread"], -2.5, 2.5)
        return float(np.clip(np.tanh(fit["mean"] + z @ fit["slope"]), *_BOUNDS))
