"""What a Bayesian search chooses among: every network of a space that can be listed, or networks that are made for the purpose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cg_evolve.algorithms.offspring import good_parents, leading, offspring
from cg_evolve.algorithms.refits import RefitSchedule

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.algorithms.belief import Belief, Model

__all__ = ["CandidateSource", "Listed", "Made"]

#: Samples of a space that is too large to list, among which the first networks are chosen and the scorer ranks.
_SAMPLES = 600


class CandidateSource(Protocol):
    """Where candidates come from."""

    def refits(self, remembered: int) -> RefitSchedule:
        """When candidates are scored anew, by a scorer that is fitted to at most ``remembered`` results."""
        ...

    def first(self, view: View) -> list[str]:
        """Architectures to choose among before there are results."""
        ...

    def believe(self, view: View, used: int, model: Model) -> Belief | None:
        """Candidates as the model sees them after the first ``used`` results; none where these say too little."""
        ...


class Listed:
    """Every network of a listed space that has not been evaluated; most fits score a shortlist of them.

    The shortlist are the most promising by the last fit that scored all, of which there is one whenever the results have doubled, or half of
    the list is used up. Fits come four times as seldom once the scorer sees no more of the results.

    Args:
        shortlist: how many networks it has.
        eager: results up to which every single one leads to a fit.
        growth: share by which the results grow between two fits beyond.
    """

    def __init__(self, shortlist: int = 300, eager: int = 32, growth: float = 1 / 9) -> None:
        self.shortlist = shortlist
        self.eager = eager
        self.growth = growth
        self._refits = RefitSchedule(eager, growth)
        self._short: tuple[int, list[str]] = (-1, [])

    def refits(self, remembered: int) -> RefitSchedule:
        self._refits = RefitSchedule(self.eager, self.growth, remembered)
        return self._refits

    def first(self, view: View) -> list[str]:
        return view.domain.members or []

    def believe(self, view: View, used: int, model: Model) -> Belief | None:
        short = self._promising(view, used, model)
        if not model.fit(view, used):
            return None
        archs = short or self._left(view, used, self.first(view))
        if not archs:
            return None
        belief = model.believe(view, used, archs, [()] * len(archs))
        if short is None:
            self._keep(belief)
        return belief

    def _promising(self, view: View, used: int, model: Model) -> list[str] | None:
        """The shortlist without those evaluated since; none where this fit is to score all."""
        anchor = self._refits.doubled(used)
        if anchor == used or len(self.first(view)) <= self.shortlist:
            return None
        if self._short[0] != anchor and self.believe(view, anchor, model) is None:
            return None
        left = self._left(view, used, self._short[1])
        return left if 2 * len(left) >= len(self._short[1]) else None

    @staticmethod
    def _left(view: View, used: int, archs: list[str]) -> list[str]:
        """The architectures whose networks are not among the first ``used`` results."""
        done = {row.hash for row in view.results[:used]}
        return [arch for arch in archs if view.domain.graph(arch).hash not in done]

    def _keep(self, belief: Belief) -> None:
        scores = (belief.means + 2 * belief.stds).T
        best = {int(i) for row in scores for i in np.argsort(-row, kind="stable")[: self.shortlist // len(scores)]}
        self._short = (belief.used, [belief.archs[i] for i in sorted(best)])


class Made:
    """Mutations and crossovers of the best (of several objectives, of the front) and samples, and a second generation from those that may be the best.

    Args:
        count: how many are made at a fit, in each generation.
        eager: results up to which every single one leads to a fit.
        growth: share by which the results grow between two fits beyond; only a fit makes new candidates, so it stays the same.
    """

    def __init__(self, count: int = 300, eager: int = 18, growth: float = 1 / 5) -> None:
        self.count = count
        self.eager = eager
        self.growth = growth

    def refits(self, remembered: int) -> RefitSchedule:
        return RefitSchedule(self.eager, self.growth, math.inf)

    def first(self, view: View) -> list[str]:
        return list(self._children(view, 0, max(self.count, _SAMPLES)))

    def believe(self, view: View, used: int, model: Model) -> Belief | None:
        if not model.fit(view, used):
            return None
        made = self._children(view, used, self.count)
        belief = model.believe(view, used, list(made), list(made.values()))
        parents = [(belief.archs[i], belief.parents[i]) for i in leading(belief.means + belief.stds)]
        made = offspring(view, parents, self.count, view.rng(5, used), skew=self._skew(view), sampled=0.0)
        made = {arch: ids for arch, ids in made.items() if arch not in belief.archs}
        return model.add(view, belief, made) if made else belief

    @staticmethod
    def _skew(view: View) -> float:
        """The ends of a front have as many children as its middle; of one objective the best have more."""
        return 1 if len(view.problem.objectives) > 1 else 2

    def _children(self, view: View, used: int, count: int) -> dict[str, tuple[int, ...]]:
        """Children of the best of the first ``used`` results, with the proposals that they descend from."""
        parents = good_parents(view.rows(used))
        made = offspring(view, parents, count, view.rng(2, used), skew=self._skew(view), sampled=0.2)
        return made or {view.domain.any(view.history, view.rng(2, used)): ()}
