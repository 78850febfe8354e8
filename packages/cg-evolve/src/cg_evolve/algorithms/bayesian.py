"""Bayesian search with a prior from other families."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms.acquisition import expected_improvement, hypervolume_order, level_order, scalarised_order
from cg_evolve.algorithms.base import fitness
from cg_evolve.algorithms.offspring import good_parents, leading, offspring
from cg_evolve.history import Proposal
from cg_evolve.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation
    from cg_ir.graph import Graph

__all__ = ["BayesianSearch"]

#: Most networks among which the scorer ranks; more cost time at every refit and hardly change the scale.
_REFERENCE = 1024
#: Samples of a space that is too large to list, among which the first networks are chosen and the scorer ranks.
_SAMPLES = 600
#: What a proposal in a listed space comes from, see ``kinds``.
_KINDS = ("acquisition", "nearby", "neighbour")


@dataclass(frozen=True)
class _State:
    """What is computed once for all proposals that use the same results: candidates with mean and deviation, the front so far."""

    used: int
    archs: list[str]
    parents: list[tuple[int, ...]]
    means: NDArray[np.float64]
    stds: NDArray[np.float64]
    incumbents: NDArray[np.float64]
    orders: dict[float, list[int]] = field(default_factory=dict, repr=False)
    """Candidates by expected improvement, for each factor on the deviation."""

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each candidate."""
        return {arch: i for i, arch in enumerate(self.archs)}


class BayesianSearch:
    """Coverage first, then expected improvement over all candidates, refitted as results come in.

    1. The first ``initial`` networks are chosen without results: half are those whose labels say most about the others (the scorer's own
       ``suggest``), half those that the zero-shot prior ranks highest.
    2. Then the scorer, fitted to all results (inside it the prior from other families fades as they grow), gives mean and standard
       deviation of every candidate. A proposal maximises expected improvement over the best predicted mean among the evaluated
       (Mockus 1978; the plug-in incumbent of Vazquez and Bect 2010, for noisy values), sharpened or widened by a factor on the deviation that is drawn for
       each proposal, so that proposals that use the same results differ. With several objectives a proposal maximises, by turns of chance, the hypervolume
       that an optimistic draw of its objectives would add, a randomly weighted scalarisation of it, or the expected improvement of one objective at a
       random level of the others (:mod:`cg_evolve.algorithms.acquisition`).
    3. Where the networks can be listed and there is one objective, most proposals from ``wander`` on stay beside the best results, by turns of chance.
       Some are the network with the greatest predicted mean among those near one of them: the predictor is surest there. Some are the free networks
       nearest to them, whatever is predicted: the nearest to the best first, then its second nearest and the nearest to the second best, and so on, which is
       how a search comes by a network that the predictor is wrong about.
    4. Candidates are all architectures of the pool or of a space that is small enough to list; otherwise mutations and crossovers of the best (of several
       objectives, of the front) and samples, and a second generation from those of them that may be the best by mean and deviation.

    Refits come at every result at first and ever more rarely then: their number grows with the logarithm of that of the results.

    Args:
        scorer: the predictor.
        exclude: families whose labels the predictor must not have learned from.
        initial: proposals before the first fit; half as many with several objectives, for the design looks for the best of one.
        candidates: how many are made at a refit, in each of two generations, where the space is too large to list.
        eager: results up to which every single one leads to a refit, in a listed space and where candidates are made, which takes longer.
        growth: share by which the results grow between two refits beyond, likewise; in a listed space four times that past ``remembered``, where the
            scorer sees no more of them.
        remembered: most results for each objective that the scorer is fitted to: the best half and the latest half.
        shortlist: how many of a listed space's networks are scored at most refits: the most promising by the last refit that scored all, of which there
            is one whenever the results have doubled.
        widths: factors on the deviation among which each proposal draws; at 0 it takes the greatest mean.
        wander: first proposal that may be a neighbour of the best results.
        around: how many of the best results are looked around, how many nearest neighbours each has, and how many networks are near it.
        kinds: shares of proposals from ``wander`` on by expected improvement, by the greatest mean near the best, and of nearest neighbours.
        design: whether the first networks are chosen; otherwise they are random.
    """

    name = "bayesian"

    def __init__(
        self,
        scorer: str | Any,
        exclude: tuple[str, ...] = (),
        initial: int = 16,
        candidates: int = 300,
        eager: tuple[int, int] = (32, 18),
        growth: tuple[float, float] = (1 / 9, 1 / 5),
        remembered: int = 128,
        shortlist: int = 300,
        widths: tuple[float, ...] = (0.5, 1.0, 2.0),
        wander: int = 16,
        around: tuple[int, int, int] = (4, 16, 100),
        kinds: tuple[float, float, float] = (0.2, 0.4, 0.4),
        design: bool = True,
    ) -> None:
        self.scorer = scorer
        self.exclude = exclude
        self.initial = initial
        self.candidates = candidates
        self.eager = eager
        self.growth = growth
        self.remembered = remembered
        self.shortlist = shortlist
        self.widths = widths
        self.wander = wander
        self.around = around
        self.kinds = kinds
        self.design = design
        self._surrogate: Surrogate | None = None
        self._design: list[Proposal] | None = None
        self._state: _State | None = None
        self._short: tuple[int, list[str]] = (-1, [])
        self._around: dict[str, list[str]] = {}
        self._pool: list[Graph] | None = None

    def propose(self, view: View) -> Proposal:
        known = len(view.results)
        if view.number >= self._designed(view) and known >= 2:
            *_, used = self._fit_points(view, known)
            if self._state is None or self._state.used != used:
                self._state = self._fit(view, used) or self._state
            if self._state is not None and self._state.used == used:
                proposal = self._acquire(view, self._state)
                if proposal is not None:
                    return proposal
        if self._design is None:
            self._design = self._first(view) if self.design else []
        for proposal in self._design:
            if view.domain.fresh(proposal.arch, view.history):
                return proposal
        return Proposal(view.domain.any(view.history, view.rng()), origin="sample")

    def _fit_points(self, view: View, known: int) -> Iterator[int]:
        """The numbers of results at which the scorer is fitted, up to ``known``."""
        listed = view.domain.members is not None
        eager, growth = ((a if listed else b) for a, b in (self.eager, self.growth))
        slower = self._remembers(view) if listed else math.inf  # where candidates are made, only a refit makes new ones
        point = 2
        while point <= known:
            yield point
            share = 0.0 if point < eager else growth if point < slower else 4 * growth
            point += max(1, math.ceil(point * share))

    # --- without results ----------------------------------------------------------------------------------------------

    def _designed(self, view: View) -> int:
        """Proposals that no result decides."""
        return self.initial if len(view.problem.objectives) == 1 else self.initial // 2

    def _first(self, view: View) -> list[Proposal]:
        """The design for the first proposals, interleaved: coverage, prior, coverage, ..."""
        archs, _ = self._candidates(view, [])
        count = self._designed(view)
        rng = view.rng(1)
        subset = rng.permutation(len(archs))[:2000].tolist()
        graphs = [view.domain.graph(archs[i]) for i in subset]
        surrogate = self._scorers(view)
        prior = surrogate.prior(graphs, pool=graphs)
        chosen = surrogate.suggest(graphs, min(count, len(graphs)))
        best = [] if prior is None else np.argsort(-prior, kind="stable")[:count].tolist()
        result: list[Proposal] = []
        for k in range(count):
            for source, origin in ((chosen or [], "coverage"), (best, "prior")):
                if k < len(source):
                    i = source[k]
                    result.append(
                        Proposal(archs[subset[i]], (), origin, None if prior is None else float(prior[i]), None)
                    )
        return result

    # --- with results -------------------------------------------------------------------------------------------------

    def _candidates(self, view: View, rows: list[Evaluation]) -> tuple[list[str], list[tuple[int, ...]]]:
        """Architectures to choose among, with the proposals that they descend from."""
        members = view.domain.members
        if members is not None:
            return members, [()] * len(members)
        several = len(view.problem.objectives) > 1  # the ends of a front have as many children as its middle
        count = self.candidates if rows else max(self.candidates, _SAMPLES)
        made = offspring(view, good_parents(rows), count, view.rng(2, len(rows)), skew=1 if several else 2, sampled=0.2)
        if not made:
            made[view.domain.any(view.history, view.rng(2, len(rows)))] = ()
        return list(made), list(made.values())

    def _scorers(self, view: View) -> Surrogate:
        if self._surrogate is None:
            self._surrogate = Surrogate(self.scorer, self.exclude, view.problem)
        return self._surrogate

    def _remembers(self, view: View) -> int:
        """Most results that the scorer is fitted to."""
        return self.remembered * len(view.problem.objectives)

    def _rows(self, view: View, used: int) -> list[Evaluation]:
        rows = list(view.results[:used])
        remembered = self._remembers(view)
        if len(rows) <= remembered:
            return rows
        half = remembered // 2
        best = set(np.argsort(-fitness(rows), kind="stable")[:half].tolist())
        latest = [i for i in range(len(rows)) if i not in best][-(remembered - half) :]
        return [rows[i] for i in sorted(best | set(latest))]

    def _reference(self, view: View) -> list[Graph]:
        """The unlabelled networks among which the scorer ranks: evenly many of those of a listed space in the order of their hashes, or samples."""
        if self._pool is None:
            archs, _ = self._candidates(view, [])
            graphs = sorted((view.domain.graph(arch) for arch in archs), key=lambda graph: graph.hash)
            self._pool = [graphs[i] for i in np.linspace(0, len(graphs) - 1, min(len(graphs), _REFERENCE)).astype(int)]
        return self._pool

    def _shortlist(self, view: View, used: int) -> list[str] | None:
        """The most promising of all networks of a listed space by the last fit that scored them all, without those evaluated since.

        None where this fit is to score them all: the results have doubled, or half of the list is used up.
        """
        anchor = 2
        for point in self._fit_points(view, used):
            if point >= 2 * anchor:
                anchor = point
        if anchor == used or len(view.domain.members or ()) <= self.shortlist:
            return None
        if self._short[0] != anchor:
            state = self._fit(view, anchor)
            if state is None:
                return None
            self._keep(anchor, state)
        left = self._left(view, used, self._short[1])
        return left if 2 * len(left) >= len(self._short[1]) else None

    def _left(self, view: View, used: int, archs: list[str]) -> list[str]:
        """The architectures whose networks are not among the first ``used`` results."""
        done = {row.hash for row in view.results[:used]}
        return [arch for arch in archs if view.domain.graph(arch).hash not in done]

    def _keep(self, anchor: int, state: _State) -> None:
        scores = (state.means + 2 * state.stds).T
        best = {int(i) for row in scores for i in np.argsort(-row, kind="stable")[: self.shortlist // len(scores)]}
        self._short = (anchor, [state.archs[i] for i in sorted(best)])

    def _fit(self, view: View, used: int) -> _State | None:
        listed = view.domain.members is not None
        shortlist = self._shortlist(view, used) if listed else None
        rows = self._rows(view, used)
        surrogate = self._scorers(view)
        if not surrogate.fit(rows):
            return None
        if listed:
            archs = shortlist or self._left(view, used, view.domain.members or [])
            parents: list[tuple[int, ...]] = [()] * len(archs)
            if not archs:
                return None
        else:
            archs, parents = self._candidates(view, list(view.results[:used]))
        graphs: list[Graph] = [view.domain.graph(arch) for arch in archs]
        pool = self._reference(view)
        known = [row.graph for row in rows if row.good]
        means, stds = surrogate.predict([*graphs, *known], pool=pool)
        means, incumbents, stds = means[: len(graphs)], means[len(graphs) :], stds[: len(graphs)]
        if incumbents.shape[1] > 1:
            incumbents = incumbents[pareto.front(incumbents)]
        if not listed:  # a second generation: children of those that may be the best
            parents_of = [(archs[i], parents[i]) for i in leading(means + stds)]
            skew = 1 if incumbents.shape[1] > 1 else 2
            made = offspring(view, parents_of, self.candidates, view.rng(5, used), skew=skew, sampled=0.0)
            for arch in archs:
                made.pop(arch, None)
            if made:
                values, deviations = surrogate.predict([view.domain.graph(arch) for arch in made], pool=pool)
                archs, parents = [*archs, *made], [*parents, *made.values()]
                means, stds = np.concatenate([means, values]), np.concatenate([stds, deviations])
        state = _State(used, archs, parents, means, stds, incumbents)
        if listed and shortlist is None:
            self._keep(used, state)
        return state

    def _looked_around(self, view: View) -> list[tuple[Evaluation, list[str]]]:
        """The best results, each with the networks near it, nearest first."""
        good = view.good
        count, _, near = self.around
        best = [good[i] for i in np.argsort(-fitness(good), kind="stable")[:count].tolist()]
        for row in best:
            if row.arch not in self._around:
                self._around[row.arch] = view.domain.around(row.arch, near)
        return [(row, self._around[row.arch]) for row in best]

    def _neighbour(self, view: View, state: _State) -> Proposal | None:
        """The free network nearest to the best results, by the sum of their rank and the rank of its distance."""
        places = [
            (rank + place, rank, arch, row.id)
            for rank, (row, near) in enumerate(self._looked_around(view))
            for place, arch in enumerate(near[: self.around[1]])
        ]
        for _, _, arch, parent in sorted(places, key=lambda entry: entry[:2]):
            if view.domain.fresh(arch, view.history):
                known = state.index.get(arch)
                mean, std = (
                    (None, None) if known is None else (float(state.means[known, 0]), float(state.stds[known, 0]))
                )
                return Proposal(arch, (parent,), "neighbour", mean, std)
        return None

    def _acquire(self, view: View, state: _State) -> Proposal | None:
        rng = view.rng()
        listed = view.domain.members is not None and len(view.problem.objectives) == 1
        kind = str(rng.choice(_KINDS, p=self.kinds)) if listed and view.number >= self.wander else "acquisition"
        if kind == "neighbour":
            proposal = self._neighbour(view, state)
            if proposal is not None:
                return proposal
        parents: dict[str, tuple[int, ...]] = {}
        if kind == "nearby":
            for row, near in self._looked_around(view):
                parents |= {arch: (row.id,) for arch in near if arch not in parents}
            width = 0.0
        else:
            width = float(rng.choice(self.widths))
        order = self._order(state, width, rng)
        if parents:
            order = sorted(order, key=lambda i: state.archs[i] not in parents)
        for i in order:
            arch = state.archs[i]
            if view.domain.fresh(arch, view.history):
                origin = "nearby" if arch in parents else "acquisition"
                mean, std = float(state.means[i, 0]), float(state.stds[i, 0])
                return Proposal(arch, parents.get(arch, state.parents[i]), origin, mean, std)
        return None

    def _order(self, state: _State, width: float, rng: np.random.Generator) -> list[int]:
        """Candidates, best first."""
        if state.means.shape[1] > 1:
            return self._by_front(state, width, rng).tolist()
        if width not in state.orders:
            improvement = expected_improvement(
                state.means[:, 0], width * state.stds[:, 0], float(state.incumbents[:, 0].max())
            )
            state.orders[width] = np.argsort(-improvement, kind="stable").tolist()
        return state.orders[width]

    def _by_front(self, state: _State, width: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Candidates for several objectives, best first: at a level of the front, by hypervolume, or scalarised."""
        stds = width * state.stds
        if rng.random() < 1 / 3:
            return level_order(state.means, stds, state.incumbents, rng)
        order = hypervolume_order if rng.random() < 0.5 else scalarised_order
        return order(state.means + stds * np.abs(rng.standard_normal(stds.shape)), state.incumbents, rng)
