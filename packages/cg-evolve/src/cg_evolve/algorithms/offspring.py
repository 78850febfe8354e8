"""Candidates of a space that is too large to list: children of good networks, and samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms.base import fitness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation

__all__ = ["Parent", "good_parents", "leading", "offspring"]

#: An architecture and the evaluations that it descends from.
Parent = tuple[str, tuple[int, ...]]
_LEADING = 60


def good_parents(rows: Sequence[Evaluation]) -> list[Parent]:
    """The best of finished evaluations, best first; of several objectives the whole front where it has ten members."""
    good = [row for row in rows if row.good]
    if not good:
        return []
    order: list[int] = np.argsort(-fitness(good), kind="stable").tolist()
    chosen = order[: max(10, len(good) // 5)]
    if len(good[0].utilities) > 1:
        front: list[int] = pareto.front([row.utilities for row in good]).tolist()
        chosen = front if len(front) >= 10 else chosen
    return [(good[i].arch, (good[i].id,)) for i in chosen]


def leading(optimistic: NDArray[np.float64]) -> list[int]:
    """The candidates that may be the best: the greatest of one objective, of several the front, thinned evenly along it.

    Args:
        optimistic: utilities at the upper end of what is believed, (n, objectives).
    """
    if optimistic.shape[1] == 1:
        return np.argsort(-optimistic[:, 0], kind="stable")[:_LEADING].tolist()
    front = pareto.front(optimistic)
    front = front[np.argsort(optimistic[front, 0], kind="stable")]
    return front[np.unique(np.linspace(0, len(front) - 1, _LEADING).astype(int))].tolist()


def offspring(
    view: View, parents: Sequence[Parent], count: int, rng: np.random.Generator, *, skew: float, sampled: float
) -> dict[str, tuple[int, ...]]:
    """Children of parents by crossover and mutation, and samples, all within the constraints.

    Args:
        view: names the space and the constraints.
        parents: from whom; without any all are samples.
        count: how many at most.
        rng: source of randomness.
        skew: power of a uniform number that chooses among the parents in their order; 1 treats all alike.
        sampled: share of samples.

    Returns:
        the evaluations that each architecture descends from.
    """
    space = view.domain.space
    made: dict[str, tuple[int, ...]] = {}
    ids: tuple[int, ...]
    for _ in range(4 * count):
        if parents and rng.random() >= sampled:
            a, own = parents[int(len(parents) * rng.random() ** skew)]
            b, other = parents[int(len(parents) * rng.random() ** skew)]
            if a != b and rng.random() < 0.4:
                arch, ids = space.crossover(a, b, rng), tuple(dict.fromkeys((*own, *other)))
            else:
                arch, ids = space.mutate(a, rng), own
            while rng.random() < 0.3:
                arch = space.mutate(arch, rng)
        else:
            arch, ids = space.sample(rng), ()
        if arch not in made and view.problem.admits(view.domain.graph(arch)):
            made[arch] = ids
            if len(made) >= count:
                break
    return made
