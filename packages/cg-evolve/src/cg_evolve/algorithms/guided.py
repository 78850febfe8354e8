"""Predictor-guided evolution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve.algorithms.base import fitness
from cg_evolve.history import Proposal
from cg_evolve.surrogate import Surrogate

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View

__all__ = ["GuidedEvolution"]


class GuidedEvolution:
    """Generations of mutations and crossovers, ranked by the predictor's mean; the top is evaluated and the predictor refitted.

    The search of Han et al., "A general-purpose transferable predictor for neural architecture search", SDM 2023: random networks first;
    then, each generation, a large pool of children of the best, of which the ``generation`` best-ranked are evaluated.

    Args:
        scorer: the predictor.
        exclude: families whose labels the predictor must not have learned from.
        initial: random evaluations before the first fit.
        generation: evaluations between two fits.
        parents: how many of the best have children.
        children: children in a generation's pool.
    """

    name = "guided"

    def __init__(
        self,
        scorer: str | Any,
        exclude: tuple[str, ...] = (),
        initial: int = 20,
        generation: int = 10,
        parents: int = 20,
        children: int = 400,
    ) -> None:
        self.scorer = scorer
        self.exclude = exclude
        self.initial = initial
        self.generation = generation
        self.parents = parents
        self.children = children
        self._ranked: tuple[int, list[Proposal]] = (-1, [])

    def propose(self, view: View) -> Proposal:
        if view.number >= self.initial and len(view.results) >= 2:
            known = len(view.results)
            first = min(self.initial, known)
            used = first + (known - first) // self.generation * self.generation
            if self._ranked[0] != used:
                self._ranked = (used, self._rank(view, used))
            for proposal in self._ranked[1]:
                if view.domain.fresh(proposal.arch, view.history):
                    return proposal
        return Proposal(view.domain.any(view.history, view.rng()), origin="sample")

    def _rank(self, view: View, used: int) -> list[Proposal]:
        """Children of the best of the first ``used`` results, best first."""
        rows = view.results[:used]
        rng = view.rng(2, used)
        surrogate = Surrogate(self.scorer, self.exclude, view.problem)
        if not surrogate.fit(rows):
            return []
        domain = view.domain
        good = [row for row in rows if row.good]
        scores = fitness(good)
        parents = [good[i] for i in np.argsort(-scores, kind="stable")[: self.parents].tolist()]
        children: dict[str, Proposal] = {}
        ids: tuple[int, ...]
        for _ in range(2 * self.children):
            a = parents[int(rng.integers(len(parents)))]
            b = parents[int(rng.integers(len(parents)))]
            if a is not b and rng.random() < 0.5:
                arch, origin, ids = domain.space.crossover(a.arch, b.arch, rng), "crossover", (a.id, b.id)
                if rng.random() < 0.5:
                    arch = domain.space.mutate(arch, rng)
            else:
                arch, origin, ids = domain.space.mutate(a.arch, rng), "mutation", (a.id,)
            if domain.pool is not None:
                arch = domain.near(arch, rng)
            if arch not in children:
                children[arch] = Proposal(arch, ids, origin)
            if len(children) >= self.children:
                break
        fresh = [child for arch, child in children.items() if domain.fresh(arch, history=view.history)]
        if not fresh:
            return []
        graphs = [domain.graph(child.arch) for child in fresh]
        means, stds = surrogate.predict(graphs, pool=graphs)
        return [replace(fresh[i], mean=float(means[i, 0]), std=float(stds[i, 0])) for i in _rank_order(means)]


def _rank_order(means: np.ndarray) -> list[int]:
    """Best first: by the mean of one objective; of several by Pareto rank, the most crowded last within a rank."""
    if means.shape[1] == 1:
        return np.argsort(-means[:, 0], kind="stable").tolist()
    from cg_evolve import pareto

    rank = pareto.ranks(means)
    spread = np.zeros(len(means))
    for r in np.unique(rank):
        members = np.flatnonzero(rank == r)
        spread[members] = pareto.crowding(means[members])
    return np.lexsort((-spread, rank)).tolist()
