"""Scores of networks among those of a pool, from what other families taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.effects import common_effects
from cg_predict.pool import PoolScale
from cg_predict.trees import Forest

if TYPE_CHECKING:
    from cg_predict.prior import Prior

__all__ = ["PooledPrior"]

Floats = NDArray[np.float64]
#: Descriptors whose ranks make up the size: the larger network is the better one in every family so far.
SIZE = ("plain/log_params", "paths/flow/log_weight")
#: Difference in similarity that divides a family's weight by e.
SIMILARITY = 0.15
#: The same for linear effects: what is to hold for all families needs many.
AGREEMENT = 0.3
#: Difference in distance (see `Prior.distances`) that does so for trees on raw descriptors.
NEARNESS = 0.2
#: Weight of each rank of the size beside the other parts, where nothing is similar and the two say the same.
GENERAL = 3.0
#: Where they contradict each other, networks of the pool differ in more than size: the weight falls by this power of their correlation,
ACCORD = 6
#: but not below this share.
DISCORD = 0.2
#: Families of less weight are not asked.
_LEAST = 0.02


def _shares(values: Sequence[float], scale: float) -> Floats:
    """Weights that add up to 1, falling by e with every ``scale`` below the greatest value."""
    weights = np.exp((np.array(values) - max(values)) / scale)
    weights[weights < _LEAST * weights.sum()] = 0.0
    return np.asarray(weights / weights.sum(), dtype=np.float64)


class _Standard:
    """Values relative to those of a pool; zeros where those are all the same."""

    def __init__(self, pool: NDArray[np.floating[Any]]) -> None:
        pool = pool.astype(np.float64)
        self.mean, self.deviation = float(pool.mean()), float(pool.std())

    def __call__(self, values: NDArray[np.floating[Any]]) -> Floats:
        if self.deviation < 1e-9:
            return np.zeros(len(values))
        return np.asarray((values.astype(np.float64) - self.mean) / self.deviation, dtype=np.float64)


class _Average:
    """Standardised mean of what forests say, weighted."""

    def __init__(self, forests: Mapping[str, Forest], shares: Floats, pool: NDArray[np.float32]) -> None:
        self._members = [
            (share, forest, _Standard(forest.predict(pool)))
            for share, forest in zip(shares, forests.values(), strict=True)
            if share > 0
        ]
        self._standard = _Standard(self._mean(pool))

    def _mean(self, x: NDArray[np.float32]) -> Floats:
        return np.asarray(
            np.sum([share * standard(forest.predict(x)) for share, forest, standard in self._members], axis=0)
        )

    def __call__(self, x: NDArray[np.float32]) -> Floats:
        return self._standard(self._mean(x))


class PooledPrior:
    """Scores of networks among those of a pool; what the pool alone decides is computed once.

    Args:
        prior: what was learned from other families.
        pool: descriptors of (a sample of) the pool, (m, d).
        scale: scale of the pool.
    """

    def __init__(self, prior: Prior, pool: NDArray[np.floating[Any]], scale: PoolScale) -> None:
        self._known = bool(prior.sources)
        if not self._known:
            return
        pool = np.asarray(pool, dtype=np.float32)
        self._scale = scale
        ranks = scale.ranks(pool)
        similarity = list(prior.similarities(pool, ranks).values())
        near = np.median(prior.distances(pool)[0], axis=0)
        self._ranked = _Average(prior.ranked, _shares(similarity, SIMILARITY), ranks)
        self._raw = _Average(prior.raw, _shares((-near).tolist(), NEARNESS), pool)
        shares = _shares(similarity, AGREEMENT)
        self._coefficients = common_effects(list(prior.effects.values()), shares)
        self._linear = _Standard(self._effects(pool))
        columns = [prior.names.index(name) for name in SIZE if name in prior.names]
        self._sizes = [(column, _Standard(ranks[:, column])) for column in columns]
        accord = float(np.prod([standard(ranks[:, column]) for column, standard in self._sizes], axis=0).mean())
        self._general = GENERAL * (1.0 - max(similarity)) * max(max(accord, 0.0) ** ACCORD, DISCORD)
        self._means = dict.fromkeys(("ranked", "raw", "size", "effects"), 0.0)
        parts = self._parts(pool, ranks)
        self._means = {name: float(values.mean()) for name, values in parts.items()}
        self._deviation = max(float(np.sum(list(parts.values()), axis=0).std()), 1e-12)

    def parts(self, x: NDArray[np.floating[Any]]) -> dict[str, Floats]:
        """The parts of the score, (n,) each, of about unit variance over the pool; with the weight that `score` gives them."""
        x = np.asarray(x, dtype=np.float32)
        return self._parts(x, self._scale.ranks(x))

    def _parts(self, x: NDArray[np.float32], ranks: NDArray[np.float32]) -> dict[str, Floats]:
        size = np.sum([standard(ranks[:, column]) for column, standard in self._sizes], axis=0)
        parts = {
            "ranked": self._ranked(ranks), "raw": self._raw(x), "size": self._general * size, "effects": self._linear(self._effects(x)),
        }  # fmt: skip
        return {name: values - self._means[name] for name, values in parts.items()}

    def _effects(self, x: NDArray[np.floating[Any]]) -> Floats:
        return np.asarray(self._scale.standardise_all(x) @ self._coefficients, dtype=np.float64)

    def score(self, x: NDArray[np.floating[Any]]) -> Floats:
        """The score, (n,), higher is better; about standard normal over the pool."""
        if not self._known:
            return np.zeros(len(x))
        return np.asarray(np.sum(list(self.parts(x).values()), axis=0) / self._deviation, dtype=np.float64)
