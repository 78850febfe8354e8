"""Asynchronous successive halving, with a predictor or without."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve.algorithms.acquisition import expected_improvement
from cg_evolve.algorithms.offspring import offspring
from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.history import Proposal
from cg_evolve.surrogate import Surrogate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation
    from cg_ir.graph import Graph

__all__ = ["SuccessiveHalving", "projected", "rungs"]

#: Networks of a listed space that are scored at a refit, and candidates that are made where it is too large to list.
_SCORED, _MADE = 3000, 300
#: Networks among which the scorer ranks.
_REFERENCE = 512


def rungs(steps: int, eta: int = 3, lowest: int = 1) -> tuple[int, ...]:
    """Steps at which trainings are compared: ``steps`` and ever less of it by the factor ``eta``, upwards."""
    found = [steps]
    while found[-1] / eta >= lowest and len(found) < 5:
        found.append(max(lowest, round(found[-1] / eta)))
    return tuple(sorted(set(found)))


def projected(curves: Sequence[Sequence[float]], count: int) -> NDArray[np.float64]:
    """The value that each training would reach at the last of ``count`` rungs, (n,).

    From rung to rung a least-squares line through the trainings that went further, shrunk towards a mere shift the fewer they are.

    Args:
        curves: values of each training at its rungs so far, one or more.
        count: rungs in all.
    """
    values = np.full((len(curves), count), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve
    reach = values[:, 0].copy()
    for rung in range(1, count):
        both = ~np.isnan(values[:, rung])
        x, y = values[both, rung - 1], values[both, rung]
        shift, slope = 0.0, 1.0
        if both.any():
            spread = float(((x - x.mean()) ** 2).sum())
            fitted = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 1.0
            trust = len(x) / (len(x) + 5.0)
            slope = 1.0 + trust * (max(fitted, 0.0) - 1.0)
            shift = float(y.mean() - slope * x.mean())
        reach = np.where(both, values[:, rung], shift + slope * reach)
    return reach


@dataclass(frozen=True)
class _Training:
    """One network's training so far: its evaluations, one a rung, upwards, and their utilities."""

    rows: list[Evaluation]

    @property
    def curve(self) -> list[float]:
        return [row.utilities[0] for row in self.rows]


@dataclass(frozen=True)
class _Fit:
    """What the scorer says after a number of results: of trained networks by hash, and of candidates."""

    used: int
    known: dict[str, float]
    archs: list[str]
    means: NDArray[np.float64]
    stds: NDArray[np.float64]

    def ranked(self, width: float) -> Iterator[tuple[str, float, float]]:
        """Candidates with mean and deviation by expected improvement, best first.

        Args:
            width: factor on the deviations.
        """
        improvement = expected_improvement(self.means, width * self.stds, max(self.known.values()))
        for i in np.argsort(-improvement, kind="stable").tolist():
            yield self.archs[i], float(self.means[i]), float(self.stds[i])


class SuccessiveHalving:
    """Many trainings begin, the best of those that reached a rung go on to the next.

    Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020 (ASHA): a training goes on when it is among the best ``1 / eta`` of its rung,
    otherwise a new one begins. With a scorer the networks that begin are those of the greatest expected improvement, from the zero-shot prior on, with a factor
    on the deviation that each proposal draws. What the scorer is fitted to is what the curves let expect (`projected`), which counts the more the higher the
    rung that a training has reached, and else the zero-shot prior. Who goes on is decided by the values of the rung, likewise, and else
    by the scorer's mean: the first epochs tell little of the best networks.

    Args:
        steps: of the rungs, upwards.
        scorer: the predictor; none compares the values of a rung and begins at random.
        exclude: families whose labels the predictor must not have learned from.
        eta: one in so many goes on.
        initial: trainings that begin before the first fit.
        growth: share by which results grow between two fits.
        widths: factors on the deviation among which each proposal draws.
    """

    name = "halving"

    def __init__(
        self,
        steps: Sequence[int],
        scorer: str | Any | None = None,
        exclude: tuple[str, ...] = (),
        eta: int = 3,
        initial: int = 8,
        growth: float = 0.15,
        widths: tuple[float, ...] = (0.5, 1.0, 2.0),
    ) -> None:
        if not steps or list(steps) != sorted(set(steps)) or steps[0] < 1:
            raise SearchError(
                f"steps should be whole numbers that grow, such as 1,3,9, not {','.join(map(str, steps))}"
            )
        if eta < 2:
            raise SearchError(f"eta should be at least 2, not {eta}")
        self.steps, self.scorer, self.exclude, self.eta = tuple(steps), scorer, exclude, eta
        self.initial, self.growth, self.widths = initial, growth, widths
        self._surrogate: Surrogate | None = None
        self._pool: list[Graph] | None = None
        self._listed: list[str] | None = None
        self._state: _Fit | None = None
        self._untaught: Surrogate | None = None
        self._priors: dict[str, float] = {}
        self._design: list[tuple[str, float, float]] | None = None

    def propose(self, view: View) -> Proposal:
        trainings = self._trainings(view.results)
        state = self._fitted(view)
        means = {} if state is None else state.known
        promoted = self._promotion(view, trainings, means)
        if promoted is not None:
            return promoted
        try:
            return self._begin(view, state)
        except Exhausted:  # every network has begun: the best of the others go on
            promoted = self._promotion(view, trainings, means, eta=1)
            if promoted is None:
                raise
            return promoted

    # --- who goes on --------------------------------------------------------------------------------------------------

    @staticmethod
    def _trainings(results: Sequence[Evaluation]) -> dict[str, _Training]:
        """Trainings by network, without those that failed."""
        found: dict[str, _Training] = {}
        failed = {row.hash for row in results if not row.good}
        for row in results:
            if row.hash not in failed:
                found.setdefault(row.hash, _Training([])).rows.append(row)
        return found

    def _promotion(
        self, view: View, trainings: dict[str, _Training], means: dict[str, float], eta: int | None = None
    ) -> Proposal | None:
        """A training that goes on, from the highest rung where one may."""
        begun = {(row.hash, row.candidate.step) for row in view.history}
        for rung in range(len(self.steps) - 2, -1, -1):
            there = [t for t in trainings.values() if len(t.rows) > rung]
            count = len(there) // (eta or self.eta)
            if not count:
                continue
            key = _standard([t.curve[rung] for t in there])
            if all(t.rows[0].hash in means for t in there):
                trust = rung / len(self.steps)
                key = trust * key + (1.0 - trust) * _standard([means[t.rows[0].hash] for t in there])
            for i in np.argsort(-key, kind="stable")[:count].tolist():
                row = there[i].rows[rung]
                if (row.hash, self.steps[rung + 1]) not in begun:
                    mean = means.get(row.hash)
                    return Proposal(row.arch, (row.id,), "promotion", mean, None, self.steps[rung + 1])
        return None

    # --- who begins ---------------------------------------------------------------------------------------------------

    def _begin(self, view: View, state: _Fit | None) -> Proposal:
        first = self.steps[0]
        ranked: Iterable[tuple[str, float, float]] = ()
        if self.scorer is not None:
            ranked = self._first(view) if state is None else state.ranked(float(view.rng().choice(self.widths)))
        for arch, mean, std in ranked:
            if view.domain.fresh(arch, view.history):
                return Proposal(arch, (), "acquisition", mean, std, first)
        arch = view.domain.any(view.history, view.rng())
        return Proposal(arch, origin="sample", step=first)

    def _scorers(self, view: View) -> Surrogate:
        if self._surrogate is None:
            self._surrogate = Surrogate(self.scorer, self.exclude, view.problem)
        return self._surrogate

    def _archs(self, view: View, parents: Sequence[Evaluation], used: int) -> list[str]:
        """Networks to choose among: those of a listed space, or children and samples."""
        members = view.domain.members
        if members is not None:
            if self._listed is None:
                order = view.rng(1).permutation(len(members))[:_SCORED]
                self._listed = [members[i] for i in sorted(order.tolist())]
            return self._listed
        return list(
            offspring(view, [(r.arch, (r.id,)) for r in parents], _MADE, view.rng(2, used), skew=2, sampled=0.3)
        )

    def _reference(self, view: View) -> list[Graph]:
        if self._pool is None:
            graphs = [view.domain.graph(arch) for arch in self._archs(view, [], 0)]
            graphs.sort(key=lambda graph: graph.hash)
            keep = np.linspace(0, len(graphs) - 1, min(len(graphs), _REFERENCE)).astype(int)
            self._pool = [graphs[i] for i in keep]
        return self._pool

    def _first(self, view: View) -> list[tuple[str, float, float]]:
        """Networks before there are results: the best by the prior; none where the scorer has none."""
        if self._design is None:
            archs = self._archs(view, [], 0)
            prior = self._scorers(view).prior([view.domain.graph(a) for a in archs], pool=self._reference(view))
            order = [] if prior is None else np.argsort(-prior, kind="stable").tolist()
            self._design = [] if prior is None else [(archs[i], float(prior[i]), 1.0) for i in order]
        return self._design

    def _point(self, known: int) -> int:
        """The number of results at which the scorer was fitted last; 0 for never."""
        point = found = 0
        while point <= known:
            found = point
            point = max(self.initial, point + max(1, math.ceil(point * self.growth)))
        return found

    def _leaning(self, view: View, trainings: list[_Training], reach: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels of trainings, (n,): what their curves let expect, which counts the more the further they went, and else the zero-shot prior."""
        if self._untaught is None:
            self._untaught = Surrogate(self.scorer, self.exclude, view.problem)
        missing = [t.rows[0] for t in trainings if t.rows[0].hash not in self._priors]
        if missing:
            found = self._untaught.prior([row.graph for row in missing], pool=self._reference(view))
            if found is None:
                return reach
            self._priors.update(zip((row.hash for row in missing), found.tolist(), strict=True))
        trust = np.array([len(t.rows) / len(self.steps) for t in trainings])
        prior = _standard([self._priors[t.rows[0].hash] for t in trainings])
        return trust * _standard(reach) + (1.0 - trust) * prior

    def _fitted(self, view: View) -> _Fit | None:
        """What the scorer says by the first results up to the last fit; nothing where they say too little."""
        used = self._point(len(view.results))
        if self.scorer is None or used == 0:
            return None
        if self._state is not None and self._state.used == used:
            return self._state
        trainings = list(self._trainings(view.results[:used]).values())
        if len(trainings) < 2:
            return None
        reach = projected([t.curve for t in trainings], len(self.steps))
        if np.ptp(reach) == 0:
            return None
        surrogate = self._scorers(view)
        graphs = [t.rows[0].graph for t in trainings]
        surrogate.fit_values(graphs, self._leaning(view, trainings, reach))
        best = sorted(range(len(trainings)), key=lambda i: -reach[i])[:10]
        archs = self._archs(view, [trainings[i].rows[0] for i in best], used)
        everything = [*graphs, *(view.domain.graph(arch) for arch in archs)]
        means, stds = surrogate.predict(everything, pool=self._reference(view))
        count = len(graphs)
        known = dict(zip((g.hash for g in graphs), means[:count, 0].tolist(), strict=True))
        self._state = _Fit(used, known, archs, means[count:, 0], stds[count:, 0])
        return self._state


def _standard(values: ArrayLike) -> NDArray[np.float64]:
    """Values in standard deviations from their mean."""
    x = np.asarray(values, dtype=float)
    spread = float(x.std())
    return (x - x.mean()) / spread if spread > 0 else np.zeros(len(x))
