"""What is believed of labels: without any, with few, with many, behind one signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cg_predict.calibration import QuantileMap, expectation
from cg_predict.gp import AveragedGaussianProcess

__all__ = ["Calibrated", "FewLabels", "ManyLabels", "NoLabels", "Posterior"]

Floats = NDArray[np.float64]
Views = Mapping[str, NDArray[np.floating[Any]]]
#: Labels beyond those of the process from which on trees can learn.
_FEWEST = 100


class Posterior(Protocol):
    """Means and standard deviations of normal scores, (n,) each, of networks with these views and scores without labels."""

    def predict(self, views: Views, scores: Floats) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class NoLabels:
    """The score without labels, shrunk to what is expected of it.

    Args:
        correlation: with labels.
        centre: its mean over the networks among which labels stand.
    """

    correlation: float
    centre: float = 0.0

    def predict(self, views: Views, scores: Floats) -> tuple[Floats, Floats]:
        """See `Posterior`."""
        return expectation(np.asarray(scores) - self.centre, self.correlation)


@dataclass(frozen=True)
class FewLabels:
    """A Gaussian process, and beside few labels the score without them.

    Two or five labels say too little for a process: fitted to them it ranks worse than the score without labels, which therefore keeps a share.
    Before labels are seen it is exp(-n / ``prior_labels``) for n of them; how well the two tell the labels moves the odds.

    Args:
        process: fitted.
        unlabelled: the other.
        share: of the other.
    """

    process: AveragedGaussianProcess
    unlabelled: NoLabels
    share: float

    @classmethod
    def of(cls, process: AveragedGaussianProcess, scores: Floats, correlation: float, prior_labels: float) -> FewLabels:
        """The mixture for labelled networks with these scores.

        Args:
            process: fitted to them.
            scores: without labels, (n,).
            correlation: that is expected of them.
            prior_labels: see `cg_predict.settings.Settings`.
        """
        unlabelled = NoLabels(correlation, float(np.mean(scores)))
        share = float(np.exp(-len(scores) / prior_labels))
        mean, deviation = unlabelled.predict({}, scores)
        return cls(process, unlabelled, process.share_against(mean, deviation**2, share) if share > 1e-2 else 0.0)

    def predict(self, views: Views, scores: Floats) -> tuple[Floats, Floats]:
        """See `Posterior`."""
        mean, std = self.process.predict(views, scores, return_std=True)
        if not self.share:
            return np.asarray(mean), np.asarray(std)
        other, deviation = self.unlabelled.predict(views, scores)
        mixed = (1.0 - self.share) * mean + self.share * other
        second = (1.0 - self.share) * (std**2 + mean**2) + self.share * (deviation**2 + other**2)
        return mixed, np.sqrt(np.maximum(second - mixed**2, 1e-12))


class ManyLabels:
    """A Gaussian process on some labels, boosted trees on what it leaves unexplained in the rest.

    Past a thousand labels an exact process grows with the cube of their number; this grows with the number. The standard deviation is that of held-out labels.

    Args:
        process: to fit to a sample of the labels.
        views: of all labelled networks.
        y: their normal scores, (n,).
        scores: without labels, (n,).
        exact: size of the sample.
        rng: source of randomness.
    """

    def __init__(
        self,
        process: AveragedGaussianProcess,
        views: Views,
        y: Floats,
        scores: Floats,
        exact: int,
        rng: np.random.Generator,
    ) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor  # takes longer to import than all else here

        order = rng.permutation(len(y))
        seen, rest = np.sort(order[:exact]), np.sort(order[exact:])
        self.process = process.fit({k: v[seen] for k, v in views.items()}, y[seen], scores[seen])
        part = {k: v[rest] for k, v in views.items()}
        predicted = np.asarray(self.process.predict(part, scores[rest]), dtype=np.float64)
        features, residual = self._features(part, scores[rest], predicted), y[rest] - predicted
        held = rng.random(len(rest)) < 0.2
        held |= len(rest) < _FEWEST
        self.trees = HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.15, l2_regularization=1.0, early_stopping=True, validation_fraction=0.15,
            random_state=int(rng.integers(2**31)),
        ).fit(features[~held], residual[~held]) if not held.all() else None  # fmt: skip
        left = residual[held] - (self.trees.predict(features[held]) if self.trees is not None else 0.0)
        self.deviation = float(np.sqrt(np.mean(left**2)))

    def _features(self, views: Views, scores: Floats, predicted: Floats) -> NDArray[np.float32]:
        parts = [
            views["descriptors"],
            scores[:, None],
            predicted[:, None],
            *([views["embedding"]] if "embedding" in views else []),
        ]
        return np.concatenate([part.astype(np.float32, copy=False) for part in parts], axis=1)

    def predict(self, views: Views, scores: Floats) -> tuple[Floats, Floats]:
        """See `Posterior`."""
        result = np.asarray(self.process.predict(views, scores), dtype=np.float64)
        if self.trees is not None:
            result = result + self.trees.predict(self._features(views, scores, result))
        return result, np.full(len(result), self.deviation)


@dataclass(frozen=True)
class Calibrated:
    """Another posterior, told as normal scores in a pool.

    Args:
        posterior: on the scale of the labelled networks' ranks among themselves.
        quantiles: where its predictions stand in the pool.
    """

    posterior: Posterior
    quantiles: QuantileMap

    def predict(self, views: Views, scores: Floats) -> tuple[Floats, Floats]:
        """See `Posterior`."""
        return self.quantiles(*self.posterior.predict(views, scores))
