"""Bayesian search with a prior from other families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cg_evolve.algorithms.acquisition import Acquisition
from cg_evolve.algorithms.belief import Belief, Model
from cg_evolve.algorithms.candidates import CandidateSource, Listed, Made
from cg_evolve.algorithms.design import InitialDesign
from cg_evolve.history import Proposal
from cg_evolve.surrogate import Surrogate

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View

__all__ = ["BayesianSearch"]


class BayesianSearch:
    """Coverage first, then expected improvement over all candidates, refitted as results come in.

    1. The first networks are chosen without results (:class:`~cg_evolve.algorithms.design.InitialDesign`).
    2. Then the scorer is fitted to the results (inside it the prior from other families fades as they grow) and gives mean and standard deviation of every
       candidate: all architectures of the pool or of a space that is small enough to list (:class:`~cg_evolve.algorithms.candidates.Listed`); otherwise
       mutations and crossovers of the best, and samples (:class:`~cg_evolve.algorithms.candidates.Made`).
    3. Fits come at every result at first and ever more rarely then (:class:`~cg_evolve.algorithms.refits.RefitSchedule`).
    4. A proposal is what :class:`~cg_evolve.algorithms.acquisition.Acquisition` chooses among the candidates.

    Args:
        scorer: the predictor.
        exclude: families whose labels the predictor must not have learned from.
        design: of the first networks.
        listed: candidates of a space that can be listed.
        made: candidates of any other.
        acquisition: which candidate is proposed.
        remembered: most results for each objective that the scorer is fitted to: the best half and the latest half.
    """

    name = "bayesian"

    def __init__(
        self,
        scorer: str | Any,
        exclude: tuple[str, ...] = (),
        *,
        design: InitialDesign | None = None,
        listed: Listed | None = None,
        made: Made | None = None,
        acquisition: Acquisition | None = None,
        remembered: int = 128,
    ) -> None:
        self.scorer = scorer
        self.exclude = exclude
        self.design = design or InitialDesign()
        self.listed = listed or Listed()
        self.made = made or Made()
        self.acquisition = acquisition or Acquisition()
        self.remembered = remembered
        self.belief: Belief | None = None
        self._model: Model | None = None

    def propose(self, view: View) -> Proposal:
        if view.number >= self.design.size(view):
            belief = self.believes(view)
            proposal = None if belief is None else self.acquisition.propose(view, belief)
            if proposal is not None:
                return proposal
        first = self.design.next(view, self.model(view).surrogate, self.source(view))
        return first or Proposal(view.domain.any(view.history, view.rng()), origin="sample")

    def believes(self, view: View) -> Belief | None:
        """What the last fit says; none where the results say too little."""
        if len(view.results) < 2:
            return None
        model = self.model(view)
        used = self.source(view).refits(model.remembered).last(len(view.results))
        if self.belief is None or self.belief.used != used:
            self.belief = self.source(view).believe(view, used, model) or self.belief
        return self.belief if self.belief is not None and self.belief.used == used else None

    def source(self, view: View) -> CandidateSource:
        """Where candidates come from."""
        return self.made if view.domain.members is None else self.listed

    def model(self, view: View) -> Model:
        """The predictor of the search."""
        if self._model is None:
            surrogate = Surrogate(self.scorer, self.exclude, view.problem)
            self._model = Model(surrogate, self.remembered * len(view.problem.objectives), self.source(view).first)
        return self._model
