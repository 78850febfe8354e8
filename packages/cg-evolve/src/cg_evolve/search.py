"""Ask and tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms import make_algorithm
from cg_evolve.algorithms.base import Algorithm, View, fitness
from cg_evolve.callable_space import make_space
from cg_evolve.domain import Domain
from cg_evolve.errors import SearchError
from cg_evolve.history import DONE, FAILED, PENDING, Candidate, Evaluation, History, Proposal
from cg_evolve.latency import require_torch
from cg_evolve.objectives import COSTS, Constraint, Objective, Problem, costs_of, known_costs
from cg_ir import registry
from cg_ir.notebook import html_table

if TYPE_CHECKING:
    from cg_evolve.pool import Pool
    from cg_ir.plugins import SearchSpace

__all__ = ["Search"]

#: Evaluations that a notebook shows.
_SHOWN = 10


class Search:
    """Proposes architectures and learns from their results.

    >>> search = Search("nb201", seed=0, exclude=("nb201",))    # doctest: +SKIP
    >>> candidates = search.ask(4)                               # doctest: +SKIP
    >>> search.tell(candidates, [train(c.graph) for c in candidates])  # doctest: +SKIP

    Networks are told apart by graph hash: isomorphic ones are proposed once.

    Args:
        space: a space's name, with options if need be, or a space.
        algorithm: a name of ``cg_evolve.ALGORITHMS``, an algorithm, or ``auto``: ``bayesian`` where the scorer is installed, otherwise ``regularized``.
        seed: of everything random.
        exclude: families whose labels the scorer must not have learned from.
        pool: architectures to which the search is restricted; a proposal from outside goes to the nearest member (:mod:`cg_evolve.pool`).
        scorer: the predictor: a registered name, or an object with ``fit`` and ``predict``.
        objectives: such as ``accuracy``, ``macs:min``; the first is the main one. ``accuracy`` stands for whatever the evaluator's main metric is.
        constraints: such as ``macs<600e6``.
        q: proposal n uses the results of proposals up to n - q and no others, so that up to q evaluations run at once and the history does not
            depend on their order. Without it a proposal uses whatever has been told.
        steps: numbers of steps at which trainings are compared, upwards, the last of which is a whole training. Proposals then are trainings that begin and
            trainings that go on, to ``candidate.step`` (:class:`cg_evolve.algorithms.halving.SuccessiveHalving`); ``best`` is among whole trainings.
        eta: with ``steps``: one training in so many goes on.
        compare: with ``steps``: metric by which trainings are compared before they end, such as ``train_loss:min``; the objective by default.
    """

    def __init__(
        self,
        space: str | SearchSpace,
        algorithm: str | Algorithm = "auto",
        seed: int = 0,
        exclude: Sequence[str] = (),
        pool: Iterable[str] | Pool | None = None,
        scorer: str | Any = "predictor",
        objectives: str | Sequence[str | Objective] = (),
        constraints: str | Sequence[str | Constraint] = (),
        q: int | None = None,
        steps: Sequence[int] = (),
        eta: int = 3,
        compare: str = "",
    ) -> None:
        if q is not None and q < 1:
            raise SearchError(f"q should be at least 1, not {q}")
        if seed < 0:
            raise SearchError(f"a seed should not be negative, not {seed}")
        if isinstance(exclude, str):
            exclude = (exclude,)
        self.space: SearchSpace = make_space(space) if isinstance(space, str) else space
        self.seed = seed
        self.q = q
        self.problem = Problem.make(objectives, constraints)
        if len(self.problem.objectives) > 1:
            pareto.require()
        if "latency" in self.problem.metrics:
            require_torch()
        self.domain = Domain(self.space, pool, self.problem.admits)
        self.history = History()
        self._best: Evaluation | None = None
        self._is_named = False
        self.steps = tuple(steps)
        if self.steps:
            algorithm = self._halving(algorithm, scorer, tuple(exclude), eta, compare)
        self.algorithm = (
            make_algorithm(algorithm, scorer, tuple(exclude), self.problem) if isinstance(algorithm, str) else algorithm
        )

    def _halving(
        self, algorithm: str | Algorithm, scorer: str | Any, exclude: tuple[str, ...], eta: int, compare: str
    ) -> Algorithm:
        """What proposes where trainings are divided into steps."""
        if not isinstance(algorithm, str):
            return algorithm
        if algorithm not in ("auto", "bayesian", "random"):
            raise SearchError(
                f"with steps the algorithm is bayesian (guided by the scorer) or random, not '{algorithm}'"
            )
        if len(self.problem.objectives) > 1 or self.problem.objectives[0].known:
            raise SearchError("with steps there is one objective, and it is measured")
        from cg_evolve.algorithms.halving import SuccessiveHalving

        there = not isinstance(scorer, str) or scorer.partition("?")[0] in registry().entries("scorer")
        guided = algorithm == "bayesian" or (algorithm == "auto" and there)
        return SuccessiveHalving(self.steps, scorer if guided else None, exclude, eta, compare)

    # --- ask ----------------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the next proposal can be made: every result that it uses is there."""
        return self._waits_for() is None

    def _waits_for(self) -> int | None:
        if self.q is None:
            return None
        for row in self.history[: max(0, len(self.history) - self.q + 1)]:
            if row.status == PENDING:
                return int(row.id)
        return None

    def ask(self, n: int = 1) -> list[Candidate]:
        """The next ``n`` candidates; fewer where the others wait for results (``q``).

        Raises:
            Exhausted: every architecture has been proposed.
            SearchError: not even one can be proposed before a result is told.
        """
        result: list[Candidate] = []
        for _ in range(n):
            waits_for = self._waits_for()
            if waits_for is not None:
                if result:
                    break
                raise SearchError(
                    f"proposal {len(self.history)} uses the result of proposal {waits_for} (q={self.q}): tell it first"
                )
            number = len(self.history)
            visible = self.history if self.q is None else self.history[: max(0, number - self.q + 1)]
            results = [row for row in visible if row.status != PENDING]
            view = View(number, self.seed, self.domain, self.problem, self.history, results)
            proposal = self.algorithm.propose(view)
            candidate = Candidate(
                number,
                proposal.arch,
                self.domain.graph(proposal.arch).hash,
                self._seed(proposal, number),
                proposal.parents,
                proposal.origin,
                proposal.mean,
                proposal.std,
                proposal.step,
                self.domain.graph,
            )
            self.history.append(Evaluation(candidate))
            result.append(candidate)
        return result

    def _seed(self, proposal: Proposal, number: int) -> int:
        """The seed of an evaluation; a training that goes on keeps its own."""
        if proposal.origin == "promotion":
            return int(self.history[proposal.parents[0]].candidate.seed)
        return int(np.random.default_rng([self.seed, 3, number]).integers(2**31))

    @property
    def spent(self) -> int:
        """Steps of training that the proposals take, of a search whose trainings are divided into steps."""
        total = 0
        for row in self.history:
            before = self.history[row.candidate.parents[0]].candidate.step if row.candidate.origin == "promotion" else 0
            total += (row.candidate.step or 0) - before
        return total

    def _counts(self, row: Evaluation) -> bool:
        """Whether an evaluation is of a whole training within the constraints."""
        return row.good and (not self.steps or row.candidate.step == self.steps[-1])

    # --- tell ---------------------------------------------------------------------------------------------------------

    def tell(
        self,
        candidates: Candidate | Sequence[Candidate],
        values: float | Mapping[str, float] | Sequence[float | Mapping[str, float] | None] | None,
        *,
        cost: float = 0.0,
        error: str = "",
        attempts: int = 1,
    ) -> None:
        """Results of candidates.

        Args:
            candidates: what ``ask`` gave, in any order, or architectures evaluated elsewhere are not taken.
            values: for each the value of the first objective, or metrics by name (needed for several measured objectives), or ``None`` for an
                evaluation that failed.
            cost: seconds that it took.
            error: why it failed.
            attempts: how often it was tried.
        """
        if isinstance(candidates, Candidate):
            if isinstance(values, Sequence):
                raise SearchError("one candidate needs one value")
            self._tell(candidates, values, cost, error, attempts)
            return
        if not isinstance(values, (Sequence, np.ndarray)) or len(values) != len(candidates):
            raise SearchError(f"{len(candidates)} candidates need as many values")
        for candidate, value in zip(candidates, values, strict=True):
            self._tell(candidate, value, cost, error, attempts)

    def _tell(
        self, candidate: Candidate, value: float | Mapping[str, float] | None, cost: float, error: str, attempts: int
    ) -> None:
        if candidate.id >= len(self.history) or self.history[candidate.id].candidate != candidate:
            raise SearchError(f"candidate {candidate.id} ({candidate.arch}) is not of this search")
        row = self.history[candidate.id]
        if row.status != PENDING:
            raise SearchError(f"candidate {candidate.id} already has its result")
        row.cost, row.error, row.attempts = cost, error, attempts
        if value is None or (not isinstance(value, Mapping) and not math.isfinite(value)):
            row.status = FAILED
            row.error = error or ("no value" if value is None else f"the value is {value}")
            return
        if isinstance(value, Mapping) and not value:
            row.status, row.error = FAILED, "no metrics"
            return
        row.metrics = metrics = self._metrics(candidate, value)
        try:
            row.utilities = self.problem.utilities(metrics)
            row.value = self.problem.values(metrics)[0]
            row.feasible = self.problem.feasible(metrics)
        except SearchError as problem:
            row.status, row.error = FAILED, str(problem)
            return
        row.status = DONE
        if self._counts(row) and (
            self._best is None or (row.utilities[0], -row.id) > (self._best.utilities[0], -self._best.id)
        ):
            self._best = row

    def _metrics(self, candidate: Candidate, value: float | Mapping[str, float]) -> dict[str, float]:
        if not isinstance(value, Mapping):
            main = next((o.metric for o in self.problem.objectives if not o.known), self.problem.objectives[0].metric)
            value = {main: float(value)}
        measured = {str(name): float(number) for name, number in value.items()}
        self._name(measured)
        if not COSTS.keys() <= measured.keys():
            measured.update({name: cost for name, cost in known_costs(candidate.graph).items() if name not in measured})
        for metric in self.problem.predicted:
            if metric not in measured:
                measured[metric] = costs_of(metric, [candidate.graph])[0]
        return measured

    def _name(self, metrics: Iterable[str]) -> None:
        """Learn from the first result what the evaluator's main metric is called; from then on it is that one in every result."""
        if not self._is_named:
            self.problem = self.problem.named(metrics)
            self._is_named = True

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation by the first objective among those within the constraints, the first of equals; none before the first result."""
        return self._best

    @property
    def front(self) -> list[Evaluation]:
        """The evaluations that no other dominates, by proposal number."""
        good = [row for row in self.history if self._counts(row)]
        return [good[i] for i in pareto.front([row.utilities for row in good]).tolist()] if good else []

    @property
    def ranking(self) -> list[Evaluation]:
        """The finished evaluations within the constraints, best first."""
        good = [row for row in self.history if self._counts(row)]
        return [good[i] for i in np.argsort(-fitness(good), kind="stable").tolist()] if good else []

    def __repr__(self) -> str:
        done, best = len(self.history.finished()), self.best
        found = "" if best is None else f", best {best.value:g}: {best.arch}"
        return f"<Search of {self.space.name}: {done} of {len(self.history)} proposals evaluated{found}>"

    def _repr_html_(self) -> str:
        """What it searches, and the best that it found."""
        objectives = self.problem.objectives
        heads = ("#", "architecture", *(o.metric for o in objectives), "from")
        rows = [
            (row.id, row.arch, *(row.metrics.get(o.metric) for o in objectives), row.candidate.origin)
            for row in self.ranking[:_SHOWN]
        ]
        failed = sum(row.status == FAILED for row in self.history)
        title = (
            f"Search of {self.space.name} by {getattr(self.algorithm, 'name', type(self.algorithm).__name__)}, seed {self.seed}: "
            f"{len(self.history)} proposals, {len(self.history.finished())} evaluated, {failed} failed"
        )
        return html_table(heads, rows, title)

    def restore(self, rows: Iterable[Evaluation]) -> None:
        """Take over the proposals and results of an interrupted run; their candidates get this search's networks."""
        for row in rows:
            candidate = row.candidate
            restored = Candidate(
                candidate.id, candidate.arch, candidate.hash, candidate.seed, candidate.parents, candidate.origin,
                candidate.mean, candidate.std, candidate.step, self.domain.graph,
            )  # fmt: skip
            self.history.append(Evaluation(restored))
            if row.status == DONE:
                self._tell(restored, row.metrics, row.cost, row.error, row.attempts)
            elif row.status == FAILED:
                self._tell(restored, None, row.cost, row.error, row.attempts)
                self.history[-1].metrics = row.metrics
                if row.metrics:
                    self._name(row.metrics)
