"""What a candidate is worth before it is evaluated, from the predictor's mean and standard deviation of its objectives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms.surroundings import Surroundings
from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cg_evolve.algorithms.base import View
    from cg_evolve.algorithms.belief import Belief

__all__ = ["Acquisition", "expected_improvement", "hypervolume_order", "level_order", "scalarised_order"]


def expected_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], incumbent: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of the expected improvement of normal values over an incumbent, (n,).

    The logarithm keeps the order where the improvement itself underflows (Ament et al., "Unexpected improvements to expected improvement",
    2023). Without deviation it is ordered by the mean.
    """
    gap = mean - incumbent
    std = np.maximum(std, max(1e-9, 1e-6 * float(np.abs(gap).max(initial=0.0))))  # so that no two means look alike
    z = gap / std
    result = np.empty_like(z)
    near = z > -5
    density = np.exp(-0.5 * z[near] ** 2) / math.sqrt(2 * math.pi)
    below = 0.5 * np.array([math.erfc(-value / math.sqrt(2)) for value in z[near].tolist()])
    result[near] = np.log(density + z[near] * below)
    far = z[~near]
    result[~near] = -0.5 * far**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(-far)  # leading term of the tail
    return result + np.log(std)


def _scaled(
    optimistic: NDArray[np.float64], incumbents: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Candidates and incumbents with every objective from 0 to 1."""
    both = np.concatenate([incumbents, optimistic])
    low, high = both.min(axis=0), both.max(axis=0)
    scale = np.where(high > low, high - low, 1.0)
    return (optimistic - low) / scale, (incumbents - low) / scale


def hypervolume_order(
    optimistic: NDArray[np.float64], incumbents: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Candidates by the hypervolume that they would add to the front, best first; the dominated ones by Pareto rank.

    As in Daulton et al., "Differentiable expected hypervolume improvement", 2020, of one draw and without gradients.

    Args:
        optimistic: a draw of each candidate's utilities, (n, objectives).
        incumbents: the front so far, (m, objectives).
        rng: chooses at most 64 of the leading candidates that are weighed.
    """
    points, front = _scaled(optimistic, incumbents)
    reference = [-0.1] * points.shape[1]
    rank = pareto.ranks(points)
    chosen = rng.permutation(np.flatnonzero(rank == 0))[:64]
    volumes = [pareto.hypervolume(np.vstack([front, points[i]]), reference) for i in chosen]
    first = chosen[np.argsort(-np.array(volumes), kind="stable")]
    rest = np.setdiff1d(np.arange(len(points)), first)
    return np.concatenate([first, rest[np.argsort(rank[rest], kind="stable")]])


def scalarised_order(
    optimistic: NDArray[np.float64], incumbents: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Candidates by an augmented Chebyshev scalarisation with random weights (Knowles, "ParEGO", 2006), best first.

    It comes to the ends of the front as often as to its middle.
    """
    points, _ = _scaled(optimistic, incumbents)
    weights = rng.dirichlet(np.ones(points.shape[1]))
    scores = (weights * points).min(axis=1) + 0.05 * (points @ weights)
    return np.argsort(-scores, kind="stable")


def level_order(
    means: NDArray[np.float64],
    stds: NDArray[np.float64],
    incumbents: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Candidates by expected improvement of one objective among those that keep the others at a random level of the front, best first.

    The constraint method of Haimes et al. 1971. The level is that of the member of the front next to a value drawn evenly between the front's ends
    on an axis that is drawn too: on the axis of a cost every stretch of the front has its turn, however little it adds to the hypervolume; on the other
    axis its steep end has. Costs are drawn evenly by their logarithm, for among cheap networks little makes a difference, and down to half of the
    cheapest member's, for the front may grow there. The objective that is free is one that the predictor is not sure of, where there is one.

    Args:
        means: predicted utilities of the candidates, (n, objectives).
        stds: their standard deviations, 0 where the graph tells the value, (n, objectives).
        incumbents: the front so far, (m, objectives).
        rng: source of randomness.

    Returns:
        the candidates at the level, then the others by how far they miss it, (n,).
    """
    objectives = means.shape[1]
    unsure = np.flatnonzero(stds.max(axis=0) > 0)
    free = int(rng.choice(unsure if len(unsure) else np.arange(objectives)))
    others = [k for k in range(objectives) if k != free]
    axis = int(rng.integers(objectives))
    low, high = float(incumbents[:, axis].min()), float(incumbents[:, axis].max())
    known = axis != free and axis not in unsure
    beyond = max(high, float(means[:, axis].max())) if known else high  # the front may grow there
    if known and high < 0.0:
        value = -math.exp(rng.uniform(math.log(-min(beyond, high / 2.0)), math.log(-low)))
    else:
        value = rng.uniform(low, beyond)
    level = incumbents[np.abs(incumbents[:, axis] - value).argmin()].copy()
    if axis != free:
        level[axis] = value
    spread = np.maximum(np.ptp(incumbents, axis=0), 1e-12)
    missing = np.maximum(level[others] - (means + stds)[:, others], 0.0) / spread[others]
    short = missing.sum(axis=1)
    reached = incumbents[(incumbents[:, others] >= level[others]).all(axis=1), free]
    best = float(reached.max()) if len(reached) else float(incumbents[:, free].min())
    gain = expected_improvement(means[:, free], stds[:, free], best)
    return np.lexsort((-gain, short))


#: What a proposal in a listed space comes from.
_KINDS = ("acquisition", "nearby", "neighbour")


class Acquisition:
    """Chooses the candidate that is proposed.

    One objective: the greatest expected improvement over the best predicted mean among the evaluated (Mockus 1978; the plug-in incumbent of Vazquez and Bect
    2010, for noisy values), sharpened or widened by a factor on the deviation that is drawn for each proposal, so that proposals that use the same results
    differ. Several: by turns of chance :func:`hypervolume_order` or :func:`scalarised_order` of an optimistic draw, or :func:`level_order`.

    Where the networks can be listed and there is one objective, most proposals from ``wander`` on stay beside the best results, by turns of chance: the network
    with the greatest predicted mean among those near one of them, for there the predictor is surest, or the nearest free one, whatever is predicted
    (:class:`~cg_evolve.algorithms.surroundings.Surroundings`).

    Args:
        improvement: of one objective, a number for each candidate by mean, deviation and incumbent, the greatest is proposed.
        widths: factors on the deviation among which each proposal draws; at 0 it takes the greatest mean.
        wander: first proposal that may be beside the best results.
        shares: of proposals from ``wander`` on by the improvement, by the greatest mean near the best, and of nearest neighbours.
        surroundings: what is beside the best results.
    """

    def __init__(
        self,
        improvement: Callable[..., NDArray[np.float64]] = expected_improvement,
        widths: tuple[float, ...] = (0.5, 1.0, 2.0),
        wander: int = 16,
        shares: tuple[float, float, float] = (0.2, 0.4, 0.4),
        surroundings: Surroundings | None = None,
    ) -> None:
        self.improvement = improvement
        self.widths = widths
        self.wander = wander
        self.shares = shares
        self.surroundings = surroundings or Surroundings()
        self._orders: tuple[Belief | None, dict[float, list[int]]] = (None, {})

    def propose(self, view: View, belief: Belief) -> Proposal | None:
        """A candidate that may be proposed; none where all have been."""
        rng = view.rng()
        kind = self._kind(view, rng)
        if kind == "neighbour":
            proposal = self.surroundings.neighbour(view, belief)
            if proposal is not None:
                return proposal
        near = self.surroundings.parents(view) if kind == "nearby" else {}
        order = self._order(belief, 0.0 if kind == "nearby" else float(rng.choice(self.widths)), rng)
        if near:
            order = sorted(order, key=lambda i: belief.archs[i] not in near)
        for i in order:
            arch = belief.archs[i]
            if view.domain.fresh(arch, view.history):
                origin = "nearby" if arch in near else "acquisition"
                mean, std = float(belief.means[i, 0]), float(belief.stds[i, 0])
                return Proposal(arch, near.get(arch, belief.parents[i]), origin, mean, std)
        return None

    def _kind(self, view: View, rng: np.random.Generator) -> str:
        listed = view.domain.members is not None and len(view.problem.objectives) == 1
        return str(rng.choice(_KINDS, p=self.shares)) if listed and view.number >= self.wander else _KINDS[0]

    def _order(self, belief: Belief, width: float, rng: np.random.Generator) -> list[int]:
        """Candidates, best first."""
        if belief.means.shape[1] > 1:
            return _front_order(belief, width, rng).tolist()
        if self._orders[0] is not belief:
            self._orders = (belief, {})
        orders = self._orders[1]
        if width not in orders:
            incumbent = float(belief.incumbents[:, 0].max())
            gain = self.improvement(belief.means[:, 0], width * belief.stds[:, 0], incumbent)
            orders[width] = np.argsort(-gain, kind="stable").tolist()
        return orders[width]


def _front_order(belief: Belief, width: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Candidates for several objectives, best first: at a level of the front, by hypervolume, or scalarised."""
    stds = width * belief.stds
    if rng.random() < 1 / 3:
        return level_order(belief.means, stds, belief.incumbents, rng)
    order = hypervolume_order if rng.random() < 0.5 else scalarised_order
    return order(belief.means + stds * np.abs(rng.standard_normal(stds.shape)), belief.incumbents, rng)
