"""What a candidate is worth before it is evaluated, from the predictor's mean and standard deviation of its objectives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve import pareto

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["expected_improvement", "hypervolume_order", "level_order", "scalarised_order"]


def expected_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], incumbent: float | NDArray[np.float64]
) -> NDArray[np.float64]:
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
    base = pareto.hypervolume(front, reference)
    gains = [pareto.hypervolume(np.vstack([front, points[i]]), reference) - base for i in chosen]
    first = chosen[np.argsort(-np.array(gains), kind="stable")]
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
