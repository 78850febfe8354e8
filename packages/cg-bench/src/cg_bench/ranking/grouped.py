"""A `Predictor` on a family that is ranked group by group, each from labels of the other groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.ranking.methods import Floats, Labels, Outcome, random_labels
from cg_ir.graph import Graph
from cg_predict.experts import Expert, Source, train_expert
from cg_predict.features import descriptors, path_vectors
from cg_predict.predictor import Predictor
from cg_predict.prior import Prior
from cg_predict.tables import LabelledFamily
from cg_predict.targets import normal_scores

__all__ = ["FOLDS", "Grouped"]

FOLDS = 5


@dataclass
class Grouped:
    """The shipped prior, with the family's own expert learned anew without the groups that are ranked.

    Args:
        name: as in the tables.
        family: that is ranked.
        taught: labelled networks that the expert may learn from, with their groups.
        groups: group of each ranked network.
        counts: see `Method`.
    """

    name: str
    family: str
    taught: LabelledFamily
    groups: Sequence[str]
    counts: tuple[int, ...] | None = None
    _experts: list[Expert] = field(default_factory=list)

    def folds(self) -> NDArray[np.intp]:
        """Fold of each ranked network: groups of one fold together, the largest groups dealt first to the fold that holds least."""
        names, counts = np.unique(self.groups, return_counts=True)
        load, fold = np.zeros(FOLDS), {}
        for i in np.lexsort((names, -counts)):
            fold[names[i]] = int(load.argmin())
            load[fold[names[i]]] += counts[i]
        return np.array([fold[g] for g in self.groups])

    def run(self, graphs: Sequence[Graph], labels: Labels, count: int, draw: int) -> Outcome:
        """See `Method`."""
        folds, chosen = self.folds(), random_labels(len(graphs), count, draw)
        score, std = np.zeros(len(graphs)), np.zeros(len(graphs))
        for fold in range(FOLDS):
            predictor = _WithExpert(self._expert(fold, folds), self.family, draw)
            if count:
                predictor.fit([graphs[i] for i in chosen], labels[chosen], pool=graphs)
            mean, deviation = predictor.predict(graphs, return_std=True, pool=graphs)
            score[folds == fold], std[folds == fold] = mean[folds == fold], deviation[folds == fold]
        return Outcome(chosen, score, std)

    def _expert(self, fold: int, folds: NDArray[np.intp]) -> Expert:
        while len(self._experts) <= fold:
            out = {g for g, f in zip(self.groups, folds, strict=True) if f == len(self._experts)}
            part = self.taught.some([i for i, group in enumerate(self.taught.groups) if group not in out])
            networks = part.graphs()
            scores: Floats = normal_scores(part.labels)
            encoder: Any = descriptors().encoder
            vectors, paths = descriptors().encode(networks), path_vectors().encode(networks)
            source = Source(self.family, self.family, vectors, scores, paths, zoo=part.labels)
            self._experts.append(train_expert(source, encoder.groups, 0))
        return self._experts[fold]


class _WithExpert(Predictor):
    """The shipped predictor with another expert of one family."""

    def __init__(self, expert: Expert, family: str, seed: int) -> None:
        super().__init__(warn=False, seed=seed)
        self._own = (family, expert)

    @property
    def knowledge(self) -> Prior:
        """The prior, with that expert in the family's place."""
        prior = super().knowledge
        family, expert = self._own
        return replace(prior, experts={**prior.experts, family: expert}, trust=prior.trust.without((family,)))
