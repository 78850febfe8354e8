"""Pareto ranks, fronts and hypervolume, computed by moocore (extra ``pareto``); one objective needs no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["crowding", "front", "hypervolume", "ranks", "require"]


def require() -> None:
    """Make sure that several objectives can be compared.

    Raises:
        MissingExtra: the library is not installed.
    """
    _moocore()


def _moocore() -> Any:
    try:
        import moocore
    except ImportError:
        raise MissingExtra("cg-evolve", "pareto", "more than one objective") from None
    return moocore


def ranks(utilities: ArrayLike) -> NDArray[np.int64]:
    """Non-domination rank of each point, 0 for the front; higher utilities are better.

    Args:
        utilities: (n, objectives).
    """
    points = np.asarray(utilities, dtype=float)
    if points.shape[1] == 1:
        return np.unique(-points[:, 0], return_inverse=True)[1].astype(np.int64)
    return np.asarray(_moocore().pareto_rank(points, maximise=True), dtype=np.int64)


def front(utilities: ArrayLike) -> NDArray[np.int64]:
    """Indices of the non-dominated points; of equal points the first."""
    points = np.asarray(utilities, dtype=float)
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    if points.shape[1] == 1:
        return np.array([int(np.argmax(points[:, 0]))])
    return np.flatnonzero(_moocore().is_nondominated(points, maximise=True))


def hypervolume(utilities: ArrayLike, reference: Sequence[float]) -> float:
    """Volume dominated by the points above a reference point that is worse than all that count.

    Args:
        utilities: (n, objectives), higher is better.
        reference: (objectives,).
    """
    points = np.asarray(utilities, dtype=float)
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(max(0.0, points.max() - reference[0]))
    points = points[(points > np.asarray(reference)).all(axis=1)]
    return float(_moocore().hypervolume(points, ref=list(reference), maximise=True)) if len(points) else 0.0


def crowding(utilities: ArrayLike) -> NDArray[np.float64]:
    """Crowding distance of the points of one rank (Deb et al., "A fast and elitist multiobjective genetic algorithm", 2002)."""
    points = np.asarray(utilities, dtype=float)
    n, objectives = points.shape
    result = np.zeros(n)
    for k in range(objectives):
        order = np.argsort(points[:, k], kind="stable")
        values = points[order, k]
        span = values[-1] - values[0]
        result[order[[0, -1]]] = np.inf
        if n > 2 and span > 0:
            result[order[1:-1]] += (values[2:] - values[:-2]) / span
    return result
