"""The scorer inside a search: fitted to results, asked for mean and standard deviation of candidates."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve.errors import SearchError
from cg_evolve.objectives import costs_of
from cg_ir import scoring
from cg_ir.errors import NotFitted
from cg_ir.plugins import Fits, Suggests

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_evolve.history import Evaluation
    from cg_evolve.objectives import Problem
    from cg_ir.graph import Graph

__all__ = ["Surrogate", "make_scorer"]


def make_scorer(scorer: str | Any, exclude: Sequence[str] = ()) -> Any:
    """A scorer by name, or a copy of one that was handed over.

    Args:
        scorer: registered name with options, or an object with ``predict``.
        exclude: families whose labels the scorer must not have learned from.

    Raises:
        PluginError: a scorer that learned from families cannot leave them out.
    """
    if isinstance(scorer, str):
        return scoring.scorer_without(scorer, exclude)
    made = copy.deepcopy(scorer)
    scoring.check_sources(made, exclude)
    return made


class Surrogate:
    """One scorer for each objective that the graph alone does not tell.

    Utilities that failed or infeasible evaluations would have had are taken to be the worst seen.

    Args:
        scorer: registered name, or an object that is copied for each objective.
        exclude: families whose labels the scorer must not have learned from.
        problem: objectives and constraints.
    """

    def __init__(self, scorer: str | Any, exclude: Sequence[str], problem: Problem) -> None:
        self.problem = problem
        self.scorers: dict[int, Any] = {
            k: make_scorer(scorer, exclude) for k, objective in enumerate(problem.objectives) if not objective.known
        }
        self._main = next(iter(self.scorers), None)
        self._results: tuple[list[Graph], NDArray[np.float64]] | None = None
        for made in self.scorers.values():
            if not isinstance(made, Fits):
                raise SearchError(f"the scorer '{getattr(made, 'name', scorer)}' learns nothing from results (no fit)")

    def fit(self, rows: Sequence[Evaluation]) -> bool:
        """Fit to finished evaluations; false where they say too little (fewer than two different values)."""
        good = [row for row in rows if row.good]
        if len({row.utilities for row in good}) < 2:
            return False
        graphs = [row.graph for row in rows]
        worst = np.min([row.utilities for row in good], axis=0)
        utilities = np.array([row.utilities if row.good else worst for row in rows])
        self._results = (graphs, utilities)
        return True

    def fit_values(self, graphs: Sequence[Graph], utilities: NDArray[np.float64]) -> None:
        """Fit to values of the one objective, (n,), in place of results."""
        self._results = (list(graphs), np.asarray(utilities, dtype=float)[:, None])

    def _learn(self, pool: Sequence[Graph] | None) -> None:
        """Fit the scorers to results that they have not seen, in the pool in which they are asked first."""
        if self._results is None:
            return
        (graphs, utilities), self._results = self._results, None
        for k, scorer in self.scorers.items():
            scoring.fit(scorer, graphs, utilities[:, k], pool)

    def predict(
        self, graphs: Sequence[Graph], pool: Sequence[Graph] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of every objective's utility, each (n, objectives), on the scorer's own scale."""
        self._learn(pool)
        means = np.zeros((len(graphs), len(self.problem.objectives)))
        stds = np.zeros_like(means)
        for k, objective in enumerate(self.problem.objectives):
            if objective.known:
                means[:, k] = [objective.utility(cost) for cost in costs_of(objective.metric, graphs)]
                continue
            mean, std = scoring.predict(self.scorers[k], graphs, pool)
            means[:, k] = mean
            if std is not None:
                stds[:, k] = std
        return means, stds

    def prior(self, graphs: Sequence[Graph], pool: Sequence[Graph] | None = None) -> NDArray[np.float64] | None:
        """Mean of the main predicted objective before any result, (n,); none where the scorer needs results first."""
        if self._main is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that it is a guess: a search soon knows better
                return self.predict(graphs, pool)[0][:, self._main]
        except NotFitted:
            return None

    def suggest(self, graphs: Sequence[Graph], k: int) -> list[int] | None:
        """Which graphs to evaluate first so that the results say most about the others; none where the scorer cannot tell."""
        scorer = self.scorers.get(self._main) if self._main is not None else None
        if not isinstance(scorer, Suggests):
            return None
        self._learn(graphs)
        return [int(i) for i in scorer.suggest(graphs, min(k, len({graph.hash for graph in graphs})))]
