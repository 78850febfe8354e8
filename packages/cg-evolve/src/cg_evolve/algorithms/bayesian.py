"""Bayesian search with a prior from other families."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms.base import fitness
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


class BayesianSearch:
    """Coverage first, then expected improvement over all candidates, refitted as results come in.

    1. The first ``initial`` networks are chosen without results: half are those whose labels say most about the others (the scorer's own
       ``suggest``), half those that the zero-shot prior ranks highest.
    2. Then the scorer, fitted to all results (inside it the prior from other families fades as they grow), gives mean and standard
       deviation of every candidate. A proposal maximises expected improvement over the best predicted mean among the evaluated
       (Mockus 1978; the plug-in incumbent of Vazquez and Bect 2010, for noisy values), sharpened or widened by a factor on the deviation that is drawn for
       each proposal, so that proposals that use the same results differ. With several objectives a proposal maximises the hypervolume that an optimistic draw
       of its objectives would add (as in Daulton et al., "Differentiable expected hypervolume improvement", 2020, without gradients), or a
       randomly weighted scalarisation of it.
    3. Candidates are all architectures of the pool or of a space that is small enough to list; otherwise mutations and crossovers of the best and samples.

    Refits come at every result at first and ever more rarely then: their number grows with the logarithm of that of the results.

    Args:
        scorer: the predictor.
        exclude: families whose labels the predictor must not have learned from.
        initial: proposals before the first fit.
        candidates: how many are made at a refit where the space is too large to list.
        eager: results up to which every single one leads to a refit.
        growth: share by which the results grow between two refits beyond; past ``remembered``, where the scorer sees no more of them, thrice that.
        remembered: most results that the scorer is fitted to: the best half and the latest half.
        shortlist: how many of a listed space's networks are scored at most refits: the most promising by the last refit that scored all, of which there
            is one whenever the results have doubled.
        widths: factors on the deviation among which each proposal draws; at 0 it takes the greatest mean.
        design: whether the first networks are chosen; otherwise they are random.
    """

    name = "bayesian"

    def __init__(
        self,
        scorer: str | Any,
        exclude: tuple[str, ...] = (),
        initial: int = 8,
        candidates: int = 1000,
        eager: int = 18,
        growth: float = 1 / 5,
        remembered: int = 128,
        shortlist: int = 600,
        widths: tuple[float, ...] = (0.5, 1.0, 2.0),
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
        self.design = design
        self._surrogate: Surrogate | None = None
        self._design: list[Proposal] | None = None
        self._state: _State | None = None
        self._short: tuple[int, list[str]] = (-1, [])
        self._pool: list[Graph] | None = None

    def propose(self, view: View) -> Proposal:
        known = len(view.results)
        if view.number >= self.initial and known >= 2:
            *_, used = self._fit_points(known)
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

    def _fit_points(self, known: int) -> Iterator[int]:
        """The numbers of results at which the scorer is fitted, up to ``known``."""
        point = 2
        while point <= known:
            yield point
            growth = 0.0 if point < self.eager else self.growth if point < self.remembered else 3 * self.growth
            point += max(1, math.ceil(point * growth))

    # --- without results ----------------------------------------------------------------------------------------------

    def _first(self, view: View) -> list[Proposal]:
        """The design for the first proposals, interleaved: coverage, prior, coverage, ..."""
        archs, _ = self._candidates(view, [])
        rng = view.rng(1)
        subset = rng.permutation(len(archs))[:2000].tolist()
        graphs = [view.domain.graph(archs[i]) for i in subset]
        surrogate = Surrogate(self.scorer, self.exclude, view.problem)
        prior = surrogate.prior(graphs, pool=graphs)
        chosen = surrogate.suggest(graphs, min(self.initial, len(graphs)))
        best = [] if prior is None else np.argsort(-prior, kind="stable")[: self.initial].tolist()
        result: list[Proposal] = []
        for k in range(self.initial):
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
        rng = view.rng(2, len(rows))
        space = view.domain.space
        made: dict[str, tuple[int, ...]] = {}
        good = [row for row in rows if row.good]
        order: list[int] = np.argsort(-fitness(good), kind="stable").tolist() if good else []
        best = [good[i] for i in order[: max(10, len(good) // 5)]]
        wanted = self.candidates
        arch: str
        parents: tuple[int, ...]
        for _ in range(4 * wanted):
            if best and rng.random() < 0.8:
                a = best[int(len(best) * rng.random() ** 2)]
                b = best[int(len(best) * rng.random() ** 2)]
                if a is not b and rng.random() < 0.4:
                    arch, parents = space.crossover(a.arch, b.arch, rng), (a.id, b.id)
                else:
                    arch, parents = space.mutate(a.arch, rng), (a.id,)
                while rng.random() < 0.3:
                    arch = space.mutate(arch, rng)
            else:
                arch, parents = space.sample(rng), ()
            if arch not in made and view.problem.admits(view.domain.graph(arch)):
                made[arch] = parents
                if len(made) >= wanted:
                    break
        if not made:
            made[view.domain.any(view.history, rng)] = ()
        return list(made), list(made.values())

    def _rows(self, view: View, used: int) -> list[Evaluation]:
        rows = list(view.results[:used])
        if len(rows) <= self.remembered:
            return rows
        half = self.remembered // 2
        best = set(np.argsort(-fitness(rows), kind="stable")[:half].tolist())
        latest = [i for i in range(len(rows)) if i not in best][-(self.remembered - half) :]
        return [rows[i] for i in sorted(best | set(latest))]

    def _reference(self, view: View) -> list[Graph]:
        """The unlabelled networks among which the scorer ranks: evenly many of those of a listed space in the order of their hashes, or samples."""
        if self._pool is None:
            archs, _ = self._candidates(view, [])
            graphs = sorted((view.domain.graph(arch) for arch in archs), key=lambda graph: graph.hash)
            self._pool = [graphs[i] for i in np.linspace(0, len(graphs) - 1, min(len(graphs), _REFERENCE)).astype(int)]
        return self._pool

    def _shortlist(self, view: View, used: int) -> list[str] | None:
        """The most promising of all networks of a listed space by the last fit that scored them all; none where this fit is to do so."""
        anchor = 2
        for point in self._fit_points(used):
            if point >= 2 * anchor:
                anchor = point
        if anchor == used or len(view.domain.members or ()) <= self.shortlist:
            return None
        if self._short[0] != anchor:
            state = self._fit(view, anchor)
            if state is None:
                return None
            self._keep(anchor, state)
        return self._short[1]

    def _keep(self, anchor: int, state: _State) -> None:
        scores = (state.means + 2 * state.stds).T
        best = {int(i) for row in scores for i in np.argsort(-row, kind="stable")[: self.shortlist // len(scores)]}
        self._short = (anchor, [state.archs[i] for i in sorted(best)])

    def _fit(self, view: View, used: int) -> _State | None:
        listed = view.domain.members is not None
        shortlist = self._shortlist(view, used) if listed else None
        rows = self._rows(view, used)
        if self._surrogate is None:
            self._surrogate = Surrogate(self.scorer, self.exclude, view.problem)
        surrogate = self._surrogate
        if not surrogate.fit(rows):
            return None
        if shortlist is None:
            archs, parents = self._candidates(view, list(view.results[:used]))
        else:
            archs, parents = shortlist, [()] * len(shortlist)
        graphs: list[Graph] = [view.domain.graph(arch) for arch in archs]
        pool = self._reference(view)
        known = [row.graph for row in rows if row.good]
        means, stds = surrogate.predict([*graphs, *known], pool=pool)
        means, incumbents, stds = means[: len(graphs)], means[len(graphs) :], stds[: len(graphs)]
        if incumbents.shape[1] > 1:
            incumbents = incumbents[pareto.front(incumbents)]
        state = _State(used, archs, parents, means, stds, incumbents)
        if listed and shortlist is None:
            self._keep(used, state)
        return state

    def _acquire(self, view: View, state: _State) -> Proposal | None:
        rng = view.rng()
        width = float(rng.choice(self.widths))
        if state.means.shape[1] > 1:
            order = self._by_front(state, width, rng).tolist()
        elif width in state.orders:
            order = state.orders[width]
        else:
            scores = expected_improvement(
                state.means[:, 0], width * state.stds[:, 0], float(state.incumbents[:, 0].max())
            )
            order = state.orders[width] = np.argsort(-scores, kind="stable").tolist()
        for i in order:
            arch = state.archs[i]
            if view.domain.fresh(arch, view.history):
                return Proposal(
                    arch, state.parents[i], "acquisition", float(state.means[i, 0]), float(state.stds[i, 0])
                )
        return None

    def _by_front(self, state: _State, width: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Candidates for several objectives, by optimistic values of each, best first.

        By the hypervolume that they would add to the front, the rest by Pareto rank; or, every other time, by an augmented Chebyshev scalarisation
        with random weights (Knowles, "ParEGO", 2006), which comes to the ends of the front as often as to its middle.
        """
        optimistic = state.means + width * state.stds * np.abs(rng.standard_normal(state.stds.shape))
        both = np.concatenate([state.incumbents, optimistic])
        low, high = both.min(axis=0), both.max(axis=0)
        scale = np.where(high > low, high - low, 1.0)
        front = (state.incumbents - low) / scale
        points = (optimistic - low) / scale
        reference = [-0.1] * points.shape[1]
        if rng.random() < 0.5:
            weights = rng.dirichlet(np.ones(points.shape[1]))
            scores = (weights * points).min(axis=1) + 0.05 * (points @ weights)
            return np.argsort(-scores, kind="stable")
        rank = pareto.ranks(points)
        leading = np.flatnonzero(rank == 0)
        chosen = rng.permutation(leading)[:64]
        base = pareto.hypervolume(front, reference)
        gains = [pareto.hypervolume(np.vstack([front, points[i]]), reference) - base for i in chosen]
        first = chosen[np.argsort(-np.array(gains), kind="stable")]
        rest = np.setdiff1d(np.arange(len(points)), first)
        return np.concatenate([first, rest[np.argsort(rank[rest], kind="stable")]])


def expected_improvement(mean: NDArray[np.float64], std: NDArray[np.float64], incumbent: float) -> NDArray[np.float64]:
    """Logarithm of the expected improvement of normal values over an incumbent, (n,).

    The logarithm keeps the order where the improvement itself underflows (Ament et al., "Unexpected improvements to expected improvement",
    2023). Without deviation it is ordered by the mean.
    """
    std = np.maximum(std, 1e-9)
    z = np.clip((mean - incumbent) / std, -1e6, 1e6)
    result = np.empty_like(z)
    near = z > -5
    density = np.exp(-0.5 * z[near] ** 2) / math.sqrt(2 * math.pi)
    below = 0.5 * np.array([math.erfc(-value / math.sqrt(2)) for value in z[near].tolist()])
    result[near] = np.log(density + z[near] * below)
    far = z[~near]
    result[~near] = -0.5 * far**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(-far)  # leading term of the tail
    return result + np.log(std)
