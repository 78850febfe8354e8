"""Search algorithms: each is a class with ``name`` and ``propose(view) -> Proposal``, see :mod:`cg_evolve.algorithms.base`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from cg_evolve.algorithms.base import Algorithm, View, fitness
from cg_evolve.algorithms.bayesian import BayesianSearch
from cg_evolve.algorithms.guided import GuidedEvolution
from cg_evolve.algorithms.local import LocalSearch
from cg_evolve.algorithms.nsga2 import NSGA2
from cg_evolve.algorithms.random import RandomSearch
from cg_evolve.algorithms.regularized import RegularizedEvolution
from cg_evolve.errors import SearchError
from cg_ir import registry

if TYPE_CHECKING:
    from cg_evolve.objectives import Problem

__all__ = [
    "ALGORITHMS",
    "NSGA2",
    "Algorithm",
    "BayesianSearch",
    "GuidedEvolution",
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "View",
    "fitness",
    "make_algorithm",
]

ALGORITHMS: dict[str, Any] = {
    cls.name: cls for cls in (RandomSearch, LocalSearch, RegularizedEvolution, NSGA2, GuidedEvolution, BayesianSearch)
}
_GUIDED = (GuidedEvolution, BayesianSearch)


def make_algorithm(name: str, scorer: str | Any, exclude: tuple[str, ...], problem: Problem) -> Algorithm:
    """An algorithm by name.

    Args:
        name: one of ``ALGORITHMS``, or ``auto``: ``bayesian`` where the scorer is there; otherwise ``nsga2`` for several objectives and
            ``regularized`` for one.
        scorer: for the algorithms that a predictor guides.
        exclude: families whose labels the predictor must not have learned from.
        problem: objectives and constraints.

    Raises:
        SearchError: no algorithm has this name.
    """
    if name == "auto":
        there = not isinstance(scorer, str) or scorer.partition("?")[0] in registry().entries("scorer")
        predicted = any(not objective.known for objective in problem.objectives)
        plain = "nsga2" if len(problem.objectives) > 1 else "regularized"
        name = "bayesian" if there and predicted else plain
    if name not in ALGORITHMS:
        near = difflib.get_close_matches(name, ALGORITHMS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: auto, {', '.join(ALGORITHMS)}"
        raise SearchError(f"no algorithm is called '{name}'; {hint}")
    cls = ALGORITHMS[name]
    made: Algorithm = cls(scorer=scorer, exclude=exclude) if cls in _GUIDED else cls()
    return made
