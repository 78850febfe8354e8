"""NSGA-II."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation

__all__ = ["NSGA2"]


class NSGA2:
    """Steady-state NSGA-II: parents by binary tournament on rank and crowding among the best ``population`` of all results so far.

    Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002; the steady-state form is that of
    Durillo et al., "On the effect of the steady-state selection scheme in multi-objective genetic algorithms", EMO 2009.
    """

    name = "nsga2"

    def __init__(self, population: int = 30, crossover: float = 0.7) -> None:
        self.population = population
        self.crossover = crossover

    def propose(self, view: View) -> Proposal:
        rng = view.rng()
        good = view.good
        if view.number >= self.population and len(good) >= 2:
            scores = fitness(good)
            alive = np.argsort(-scores, kind="stable")[: self.population]

            def parent() -> Evaluation:
                a, b = rng.integers(len(alive), size=2).tolist()
                return good[int(alive[min(a, b)])]  # sorted: the smaller index is the fitter

            mother, father = parent(), parent()
            if mother is not father and rng.random() < self.crossover:
                child = view.domain.first_fresh(
                    lambda: (
                        view.domain.space.mutate(view.domain.space.crossover(mother.arch, father.arch, rng), rng)
                        if rng.random() < 0.5
                        else view.domain.space.crossover(mother.arch, father.arch, rng)
                    ),
                    view.history,
                    rng,
                    tries=10,
                )
                if child is not None:
                    return Proposal(child, (mother.id, father.id), "crossover")
            child = view.domain.mutation(mother.arch, view.history, rng)
            if child is not None:
                return Proposal(child, (mother.id,), "mutation")
        return Proposal(view.domain.any(view.history, rng), origin="sample")
