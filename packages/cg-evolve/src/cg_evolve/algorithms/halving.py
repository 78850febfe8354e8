"""Asynchronous successive halving, with a predictor or without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve.algorithms.base import View
from cg_evolve.algorithms.bayesian import BayesianSearch
from cg_evolve.algorithms.random import RandomSearch
from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.history import Evaluation, Proposal
from cg_evolve.objectives import Objective

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SuccessiveHalving", "Training", "projected", "rungs", "standard", "told"]

#: One network's training so far: its evaluations, one a rung, upwards.
Training = list[Evaluation]


def rungs(steps: int, eta: int = 3, lowest: int = 1) -> tuple[int, ...]:
    """Steps at which trainings are compared: ``steps`` and ever less of it by the factor ``eta``, upwards."""
    found = [steps]
    while found[-1] / eta >= lowest and len(found) < 5:
        found.append(max(lowest, round(found[-1] / eta)))
    return tuple(sorted(set(found)))


def projected(curves: Sequence[Sequence[float]], count: int, *, alike: bool = True) -> NDArray[np.float64]:
    """The value that each training would reach at the last of ``count`` rungs, (n,).

    From rung to rung a least-squares line through the trainings that went further, shrunk towards a mere shift the fewer they are.

    Args:
        curves: values of each training at its rungs so far, one or more.
        count: rungs in all.
        alike: whether the values of the last rung have the units of the others. Otherwise the line there is shrunk towards one that makes their spreads equal,
            and before three trainings have ended nothing is projected to it.
    """
    values = np.full((len(curves), count), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve
    reach = values[:, 0].copy()
    for rung in range(1, count):
        both = ~np.isnan(values[:, rung])
        x, y = values[both, rung - 1], values[both, rung]
        shift, slope = 0.0, 1.0
        if not alike and rung == count - 1:
            if len(x) < 3 or x.std() == 0:
                break
            slope = float(y.std() / x.std())
        if both.any():
            spread = float(((x - x.mean()) ** 2).sum())
            fitted = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else slope
            trust = len(x) / (len(x) + 5.0)
            slope += trust * (max(fitted, 0.0) - slope)
            shift = float(y.mean() - slope * x.mean())
        reach = np.where(both, values[:, rung], shift + slope * reach)
    return reach


@dataclass(frozen=True)
class _Whole(View):
    """A view in which every training has ended, with the value that its curve lets expect.

    Attributes:
        steps: of the rungs.
        compare: metric of the rungs but the last.
    """

    steps: tuple[int, ...]
    compare: Objective | None

    @classmethod
    def of(cls, view: View, steps: tuple[int, ...], compare: Objective | None) -> _Whole:
        return cls(view.number, view.seed, view.domain, view.problem, view.history, view.results, steps, compare)

    def rows(self, used: int) -> list[Evaluation]:
        trainings = _trainings(self.results[:used])
        curves: list[list[float]] = [[] for _ in trainings]
        for rung in range(len(self.steps)):
            there = [i for i, training in enumerate(trainings) if len(training) > rung]
            found = told([trainings[i][rung] for i in there], None if rung == len(self.steps) - 1 else self.compare)
            for i, value in zip(there, found, strict=True):
                curves[i].append(value)
        reach = projected(curves, len(self.steps), alike=self.compare is None).tolist() if trainings else []
        ends = [replace(t[-1], utilities=(value,)) for t, value in zip(trainings, reach, strict=True)]
        return sorted([*ends, *(row for row in self.results[:used] if not row.good)], key=lambda row: row.id)


def _trainings(results: Sequence[Evaluation]) -> list[Training]:
    """The trainings, without those that failed."""
    found: dict[str, Training] = {}
    failed = {row.hash for row in results if not row.good}
    for row in results:
        if row.hash not in failed:
            found.setdefault(row.hash, []).append(row)
    return list(found.values())


def told(rows: Sequence[Evaluation], compare: Objective | None) -> list[float]:
    """What the evaluations of a rung are compared by, higher is better: a metric, or the objective; where the metric is no number, the worst of the others.

    Raises:
        SearchError: an evaluation has no such metric.
    """
    if compare is None:
        return [row.utilities[0] for row in rows]
    for row in rows:
        if compare.metric not in row.metrics:
            raise SearchError(
                f"trainings are to be compared by '{compare.metric}', which the evaluator does not give; it gives {', '.join(row.metrics)}"
            )
    values = [compare.utility(row.metrics[compare.metric]) for row in rows]
    worst = min((value for value in values if math.isfinite(value)), default=0.0)
    return [value if math.isfinite(value) else worst for value in values]


class SuccessiveHalving:
    """Many trainings begin, the best of those that reached a rung go on to the next.

    Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020 (ASHA): a training goes on when it is among the best ``1 / eta`` of its rung,
    otherwise a new one begins. With a scorer :class:`~cg_evolve.algorithms.bayesian.BayesianSearch` says which network begins, as if every training had
    ended with the value that its curve lets expect (`projected`). Who goes on is decided by the values of the rung, which count the more the higher
    it is, and else by the scorer's mean: the first epochs tell little of the best networks.

    Args:
        steps: of the rungs, upwards.
        scorer: the predictor; none compares the values of a rung and begins at random.
        exclude: families whose labels the predictor must not have learned from.
        eta: one in so many goes on.
        compare: a metric by which trainings are compared before the last rung, such as ``train_loss:min``, where it tells sooner than the objective how a
            training will end (Ru et al., "Speedy performance estimation for neural architecture search", NeurIPS 2021).
    """

    name = "halving"

    def __init__(
        self,
        steps: Sequence[int],
        scorer: str | Any | None = None,
        exclude: tuple[str, ...] = (),
        eta: int = 3,
        compare: str = "",
    ) -> None:
        if not steps or list(steps) != sorted(set(steps)) or steps[0] < 1:
            raise SearchError(
                f"steps should be whole numbers that grow, such as 1,3,9, not {','.join(map(str, steps))}"
            )
        if eta < 2:
            raise SearchError(f"eta should be at least 2, not {eta}")
        self.steps, self.eta = tuple(steps), eta
        self.compare = Objective.parse(compare) if compare else None
        self.beginning = RandomSearch() if scorer is None else BayesianSearch(scorer, exclude)

    def propose(self, view: View) -> Proposal:
        whole = _Whole.of(view, self.steps, self.compare)
        means = self._means(whole)
        promoted = self._promotion(view, means, 1.0 / self.eta)
        if promoted is not None:
            return promoted
        try:
            return replace(self.beginning.propose(whole), step=self.steps[0])
        except Exhausted:  # every network has begun: the best of the others go on
            promoted = self._promotion(view, means, 1.0)
            if promoted is None:
                raise
            return promoted

    def _means(self, view: View) -> dict[str, float]:
        """What the scorer says of the networks whose trainings have begun, by hash; before the first fit what it said when they were proposed."""
        if isinstance(self.beginning, BayesianSearch) and view.number >= self.beginning.design.size(view):
            belief = self.beginning.believes(view)
            if belief is not None:
                return belief.known
        return {row.hash: row.candidate.mean for row in view.results if row.candidate.mean is not None}

    def _promotion(self, view: View, means: dict[str, float], share: float) -> Proposal | None:
        """A training that goes on, from the highest rung where one may."""
        begun = {(row.hash, row.candidate.step) for row in view.history}
        trainings = _trainings(view.results)
        for rung in range(len(self.steps) - 2, -1, -1):
            there = [training for training in trainings if len(training) > rung]
            for training in self.leading(there, rung, means, share):
                row = training[rung]
                if (row.hash, self.steps[rung + 1]) not in begun:
                    mean = means.get(row.hash)
                    return Proposal(row.arch, (row.id,), "promotion", mean, None, self.steps[rung + 1])
        return None

    def leading(self, there: Sequence[Training], rung: int, means: dict[str, float], share: float) -> list[Training]:
        """The trainings that may go on from a rung, best first.

        Args:
            there: those that have reached it.
            rung: from 0.
            means: what the scorer says of networks, by hash.
            share: of them that goes on.
        """
        key = standard(told([training[rung] for training in there], self.compare))
        if all(training[0].hash in means for training in there):
            trust = (rung + 1) / len(self.steps)
            key = trust * key + (1.0 - trust) * standard([means[training[0].hash] for training in there])
        return [there[i] for i in np.argsort(-key, kind="stable")[: int(share * len(there) + 1e-9)].tolist()]


def standard(values: ArrayLike) -> NDArray[np.float64]:
    """Values in standard deviations from their mean."""
    x = np.asarray(values, dtype=float)
    spread = float(x.std()) if len(x) else 0.0
    return (x - x.mean()) / spread if spread > 0 else np.zeros(len(x))
