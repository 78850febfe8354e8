"""What lies beside the best results of a search in a listed space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.algorithms.belief import Belief
    from cg_evolve.history import Evaluation

__all__ = ["Surroundings"]


class Surroundings:
    """The networks near the best results, by the distance of a listed space (:mod:`cg_evolve.pool`).

    Args:
        best: how many of the best results are looked around.
        neighbours: how many nearest neighbours each has.
        near: how many networks are near it.
    """

    def __init__(self, best: int = 4, neighbours: int = 16, near: int = 100) -> None:
        self.best = best
        self.neighbours = neighbours
        self.near = near
        self._around: dict[str, list[str]] = {}

    def _of_the_best(self, view: View) -> list[tuple[Evaluation, list[str]]]:
        """The best results, each with the networks near it, nearest first."""
        good = view.good
        rows = [good[i] for i in np.argsort(-fitness(good), kind="stable")[: self.best].tolist()]
        for row in rows:
            if row.arch not in self._around:
                self._around[row.arch] = view.domain.around(row.arch, self.near)
        return [(row, self._around[row.arch]) for row in rows]

    def parents(self, view: View) -> dict[str, tuple[int, ...]]:
        """The networks near one of the best results, with the first proposal that they are near to."""
        found: dict[str, tuple[int, ...]] = {}
        for row, near in self._of_the_best(view):
            found |= {arch: (row.id,) for arch in near if arch not in found}
        return found

    def neighbour(self, view: View, belief: Belief) -> Proposal | None:
        """The free network nearest to the best results, whatever is predicted: by the sum of their rank and the rank of its distance.

        The nearest to the best comes first, then its second nearest and the nearest to the second best, and so on, which is how a search comes by a
        network that the predictor is wrong about.
        """
        places = [
            (rank + place, rank, arch, row.id)
            for rank, (row, near) in enumerate(self._of_the_best(view))
            for place, arch in enumerate(near[: self.neighbours])
        ]
        for _, _, arch, parent in sorted(places, key=lambda entry: entry[:2]):
            if view.domain.fresh(arch, view.history):
                return Proposal(arch, (parent,), "neighbour", *belief.of(arch))
        return None
