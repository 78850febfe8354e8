"""The rankings that are compared, each from graphs and a few labels to a score for every graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cg_ir import get_scorer, scoring
from cg_ir.graph import Graph
from cg_ir.plugins import Fits
from cg_predict.features import descriptors
from cg_predict.pool import PoolScale
from cg_predict.predictor import Predictor
from cg_predict.tables import relatives_of
from cg_predict.targets import normal_scores

__all__ = [
    "Baseline", "Chosen", "Fitted", "Forest", "Method", "Outcome", "Registered",
]  # fmt: skip

Floats = NDArray[np.float64]
Labels = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Outcome:
    """One ranking.

    Args:
        labelled: indices of the networks whose labels were used.
        score: of every network, (n,).
        std: standard deviations on the scale of normal scores, (n,), where the method has them.
    """

    labelled: NDArray[np.intp]
    score: Floats
    std: Floats | None = None


class Method(Protocol):
    """A way to rank.

    ``counts`` are the numbers of labels that it is run with; None stands for all.
    """

    name: str
    counts: tuple[int, ...] | None

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """Rank ``graphs`` from ``count`` of their labels; ``draw`` seeds every choice."""
        ...


def random_labels(total: int, count: int, draw: int) -> NDArray[np.intp]:
    """The networks that are labelled in one draw, the same for all methods; more labels include fewer."""
    return np.random.default_rng([2023, draw]).permutation(total)[:count]


@dataclass
class Fitted:
    """A `Predictor` on random labels.

    Args:
        name: as in the tables.
        predictor: made without the target's family.
        counts: see `Method`.
    """

    name: str
    predictor: Predictor
    counts: tuple[int, ...] | None = None

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`."""
        return self._ranked(graphs, labels, random_labels(len(graphs), count, draw), draw)

    def _ranked(self, graphs: Sequence[Graph], labels: Labels, chosen: NDArray[np.intp], draw: int) -> Outcome:
        self.predictor.set_params(seed=draw)
        if len(chosen):
            self.predictor.fit([graphs[i] for i in chosen], labels[chosen], pool=graphs)
        else:
            self.predictor.reset()
        score, std = self.predictor.predict(graphs, return_std=True, pool=graphs)
        return Outcome(chosen, score, std)


@dataclass
class Chosen(Fitted):
    """A `Predictor` on the labels that its `suggest` asks for."""

    counts: tuple[int, ...] | None = (10, 20, 50, 100)
    _order: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`."""
        key = (id(graphs), draw)
        if len(self._order.get(key, ())) < count:  # a greedy choice of many begins with the choice of few
            fresh = Predictor(**{**self.predictor.get_params(), "seed": draw})
            self._order[key] = fresh.suggest(graphs, min(max(count, max(self.counts or ())), len(graphs)))
        return self._ranked(graphs, labels, np.array(self._order[key][:count], dtype=np.intp), draw)


@dataclass
class Forest:
    """A random forest on descriptors standardised over the pool."""

    name: str = "random forest"
    counts: tuple[int, ...] | None = None
    trees: int = 100

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`."""
        from sklearn.ensemble import RandomForestRegressor

        x = descriptors().encode(graphs)
        z = PoolScale(x).standardise(x)
        chosen = random_labels(len(graphs), count, draw)
        if not count:
            return Outcome(chosen, np.zeros(len(graphs)))
        model = RandomForestRegressor(self.trees, max_features=0.33, random_state=draw)
        return Outcome(chosen, model.fit(z[chosen], normal_scores(labels[chosen])).predict(z))


@dataclass
class Baseline:
    """A registered scorer that needs no labels.

    Args:
        name: of the scorer.
        size: how many networks are scored, a sample where there are more (proxies are slow); None for all.
    """

    name: str
    size: int | None = None
    counts: tuple[int, ...] | None = (0,)

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`. Networks outside the sample have no score (NaN)."""
        score = np.full(len(graphs), np.nan)
        sample = np.arange(len(graphs))
        if self.size is not None and self.size < len(graphs):
            sample = np.sort(np.random.default_rng(7).choice(len(graphs), size=self.size, replace=False))
        score[sample] = get_scorer(self.name).predict([graphs[i] for i in sample.tolist()])
        return Outcome(np.zeros(0, dtype=np.intp), score)


@dataclass
class Registered:
    """A registered scorer, by a third party perhaps: fitted to the labels where it learns from any.

    Args:
        name: as in the tables.
        scorer: its name.
        exclude: families that are left out of its sources with their relatives, where it has any.
        counts: see `Method`.
    """

    name: str
    scorer: str
    exclude: tuple[str, ...] = ()
    counts: tuple[int, ...] | None = None

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`."""
        scorer = scoring.scorer_without(self.scorer, relatives_of(self.exclude))
        chosen = random_labels(len(graphs), count, draw)
        if count and isinstance(scorer, Fits):
            scoring.fit(scorer, [graphs[i] for i in chosen], labels[chosen], graphs)
        return Outcome(chosen, *scoring.predict(scorer, graphs, graphs))
