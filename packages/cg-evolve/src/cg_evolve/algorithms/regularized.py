"""Regularised evolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View

__all__ = ["RegularizedEvolution"]


class RegularizedEvolution:
    """Ageing evolution: mutate the best of a random sample of the youngest ``population`` networks.

    Real et al., "Regularized evolution for image classifier architecture search", AAAI 2019; population and sample as in NASLib.
    """

    name = "regularized"

    def __init__(self, population: int = 30, sample: int = 10) -> None:
        self.population = population
        self.sample = sample

    def propose(self, view: View) -> Proposal:
        rng = view.rng()
        if view.number >= self.population and view.good:
            alive = view.good[-self.population :]
            chosen = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
            contest = [alive[i] for i in chosen.tolist()]
            parent = contest[int(np.argmax(fitness(contest)))]
            child = view.domain.mutation(parent.arch, view.history, rng)
            if child is not None:
                return Proposal(child, (parent.id,), "mutation")
        return Proposal(view.domain.any(view.history, rng), origin="sample")
