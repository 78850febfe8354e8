"""Local search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation

__all__ = ["LocalSearch"]


class LocalSearch:
    """Climbs by single changes and starts again at a local optimum.

    From the best network of the climb all neighbours are tried in random order, and the climb moves as soon as one is better; where none
    is left a new climb starts from a random network (White et al., "Exploring the loss landscape in neural architecture
    search", UAI 2021, the variant that moves at the first improvement). A climb is what was proposed since the last proposal without parents.
    """

    name = "local"

    def __init__(self) -> None:
        self._neighbors: dict[str, list[str]] = {}

    def propose(self, view: View) -> Proposal:
        starts = [row for row in view.history if not row.candidate.parents]
        if starts:
            climb = [row for row in view.results if row.id >= starts[-1].id]
            # while the start of this climb is still being evaluated its neighbours are tried
            best = climb[int(np.argmax(fitness(climb)))] if climb else starts[-1]
            arch = self._neighbor(best, view)
            if arch is not None:
                return Proposal(arch, (best.id,), f"climb {len(starts) - 1}")
        return Proposal(view.domain.any(view.history, view.rng()), origin=f"climb {len(starts)}")

    def _neighbor(self, centre: Evaluation, view: View) -> str | None:
        """A neighbour that was not proposed yet, in an order that belongs to the centre."""
        if centre.arch not in self._neighbors:
            neighbors = list(view.domain.neighbors(centre.arch))
            order = view.rng(1, centre.id).permutation(len(neighbors))
            self._neighbors = {centre.arch: [neighbors[i] for i in order.tolist()]}
        neighbors, pool = self._neighbors[centre.arch], view.domain.pool
        tried = sum(centre.id in row.candidate.parents for row in view.history)
        if tried >= len(neighbors):  # with a pool every neighbour has a nearest member, however far
            return None
        for neighbor in neighbors:
            member = None if pool is None else pool.member(neighbor)
            arch = neighbor if pool is None or member is None else pool.archs[member]
            if (pool is None or member is not None) and view.domain.fresh(arch, view.history):
                return arch
        return None if pool is None else view.domain.admit(neighbors[tried], view.history, view.rng())
