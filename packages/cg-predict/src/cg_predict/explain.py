"""Why a network gets its score, and what would raise it.

The score is shared out among regions by Shapley values (Shapley 1953): the contribution of a region is how much the score falls when an identity
takes its place, averaged over the orders in which regions can be taken out. Every value is the score of a real network, so contributions and what is
left without any of the regions add up to the score, exactly. Up to eight regions all subsets are scored; beyond, orders are drawn, each with its
reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from cg_ir.bypass import bypass, bypasses
from cg_ir.errors import CgError
from cg_ir.graph import Graph

__all__ = ["Explanation", "explain", "probability_better"]

Floats = NDArray[np.float64]
_EXACT = 8
#: Orders that are drawn, half of them the reverse of the others.
_ORDERS = 24


@dataclass(frozen=True)
class Explanation:
    """A score, shared out.

    Attributes:
        score: of the network.
        rest: score of what is left without any of the regions.
        regions: dotted paths.
        contributions: of each region, (n,); with ``rest`` they add up to ``score``.
        errors: standard errors of the contributions, (n,); zero where all orders were taken.
    """

    score: float
    rest: float
    regions: tuple[str, ...]
    contributions: Floats
    errors: Floats


def explain(scorer: Any, graph: Graph, *, pool: Sequence[Graph] | None = None, seed: int = 0) -> Explanation:
    """Share a network's score out among the regions that can be left out of it.

    Args:
        scorer: a :class:`cg_predict.Predictor` or any other scorer.
        graph: the network.
        pool: the networks among which one ranks, for scorers that take one.
        seed: of the orders.

    Raises:
        CgError: no region can be left out.
    """
    parts = bypasses(graph)
    if not parts:
        raise CgError(
            "no region of the network can be left out without changing shapes, so there is nothing to share its score among; "
            "regions are modules, stages or cells with three operators or more"
        )
    scores = _Scores(scorer, graph, parts, pool)
    if len(parts) <= _EXACT:
        contributions, errors = _all_subsets(scores, len(parts))
    else:
        contributions, errors = _orders(scores, len(parts), seed)
    return Explanation(
        scores(())[0], scores(range(len(parts)))[0], tuple(p.region for p in parts), contributions, errors
    )


class _Scores:
    """Scores of the network without some of its regions, many at once, each once."""

    def __init__(self, scorer: Any, graph: Graph, parts: Sequence[Any], pool: Sequence[Graph] | None) -> None:
        self._scorer, self._graph, self._parts = scorer, graph, parts
        self._options: dict[str, Any] = {} if pool is None else {"pool": pool}
        self._known: dict[int, float] = {}

    def of(self, masks: Sequence[int]) -> Floats:
        """Scores by masks of regions left out, (n,)."""
        fresh = [mask for mask in dict.fromkeys(masks) if mask not in self._known]
        if fresh:
            graphs = [bypass(self._graph, [p for i, p in enumerate(self._parts) if mask >> i & 1]) for mask in fresh]
            values = np.asarray(self._scorer.predict(graphs, **self._options), dtype=float)
            self._known.update(zip(fresh, values.tolist(), strict=True))
        return np.array([self._known[mask] for mask in masks])

    def __call__(self, left_out: Any) -> Floats:
        return self.of([sum(1 << i for i in left_out)])


def _all_subsets(scores: _Scores, n: int) -> tuple[Floats, Floats]:
    masks = np.arange(1 << n)
    values = scores.of(masks.tolist())
    sizes = np.array([int(mask).bit_count() for mask in masks])
    result = np.zeros(n)
    for i in range(n):
        without = masks[(masks >> i & 1) == 0]
        weights = np.array([factorial(int(s)) * factorial(n - 1 - int(s)) / factorial(n) for s in sizes[without]])
        result[i] = (weights * (values[without] - values[without | 1 << i])).sum()
    return result, np.zeros(n)


def _orders(scores: _Scores, n: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(n) for _ in range(_ORDERS // 2)]
    pairs = [[order, order[::-1]] for order in drawn]
    chains = [
        np.concatenate([[0], np.cumsum([1 << int(i) for i in order])]).astype(object)
        for pair in pairs
        for order in pair
    ]
    scores.of([int(mask) for chain in chains for mask in chain])
    falls = np.zeros((len(pairs), n))
    for k, pair in enumerate(pairs):
        for order, chain in zip(pair, chains[2 * k : 2 * k + 2], strict=True):
            values = scores.of([int(mask) for mask in chain])
            falls[k, order] += (values[:-1] - values[1:]) / 2
    return falls.mean(axis=0), falls.std(axis=0, ddof=1) / np.sqrt(len(pairs))


def probability_better(scorer: Any, a: Graph, b: Graph, pool: Sequence[Graph] | None = None) -> float:
    """The probability that the first network is the better one, by the scorer's means and standard deviations.

    Errors count as independent. Those of networks that are alike are not: the truth then lies further from one half.

    Raises:
        CgError: the scorer knows no standard deviation.
    """
    options: dict[str, Any] = {} if pool is None else {"pool": pool}
    found = scorer.predict([a, b], return_std=True, **options)
    if not isinstance(found, tuple):
        raise CgError(f"the scorer '{scorer.name}' knows no standard deviation")
    mean, deviation = (np.asarray(values, dtype=float) for values in found)
    return float(norm.cdf((mean[0] - mean[1]) / max(float(np.hypot(*deviation)), 1e-12)))
