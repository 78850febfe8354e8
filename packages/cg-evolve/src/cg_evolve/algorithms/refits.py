"""When a predictor is fitted anew in the course of a search."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["RefitSchedule"]


@dataclass(frozen=True)
class RefitSchedule:
    """Fits at every result at first and ever more rarely then: their number grows with the logarithm of that of the results.

    Args:
        eager: results up to which every single one leads to a fit, from the second on.
        growth: share by which the results grow between two fits beyond.
        slower: results from which they grow four times as much between two fits.
    """

    eager: int
    growth: float
    slower: float = math.inf

    def points(self, known: int) -> Iterator[int]:
        """The numbers of results at which there is a fit, up to ``known``."""
        point = 2
        while point <= known:
            yield point
            share = 0.0 if point < self.eager else self.growth if point < self.slower else 4 * self.growth
            point += max(1, math.ceil(point * share))

    def last(self, known: int) -> int:
        """The last of the points; ``known`` is at least 2."""
        *_, point = self.points(known)
        return point

    def doubled(self, known: int) -> int:
        """The last of the points at which the results had doubled since the one before that had this property, from 2 on."""
        found = 2
        for point in self.points(known):
            if point >= 2 * found:
                found = point
        return found
