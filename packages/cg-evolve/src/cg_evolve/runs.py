"""Runs: a search with an evaluator and a budget, kept in a folder from which it can go on after any interruption."""

from __future__ import annotations

import os
import re
import uuid
import weakref
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from cg_evolve.callable_space import shared_space
from cg_evolve.config import CONFIG, Config, agree, read_inputs, read_pool
from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.executors import Backend, InlineBackend
from cg_evolve.history import DONE, FAILED, PENDING, Candidate, Evaluation
from cg_evolve.inputs import copy_code, inputs_of, names_python, refuse_others
from cg_evolve.interrupts import interruptible
from cg_evolve.jobs import Job, Outcome, shared_evaluator
from cg_evolve.search import Search
from cg_evolve.store import Store
from cg_evolve.stored_networks import StoredNetworks

__all__ = ["CONFIG", "HISTORY", "Config", "GaveUp", "Run", "read_pool", "read_run", "reasons"]

HISTORY = "history.sqlite"
LOCK = "run.lock"
WORKERS_LOCK = "workers.lock"
STATES = "states"
#: Evaluations of a run that goes on whose networks are compared with those that the space builds now.
_COMPARED = 16


class GaveUp(SearchError):
    """Evaluations failed for one reason again and again, so that the run has stopped."""


@dataclass
class Run:
    """A folder with ``config.json`` and ``history.sqlite``.

    Make one with :meth:`open`; ``with`` closes it.
    """

    directory: Path
    config: Config
    search: Search
    store: Store
    session: str
    _lock: FileLock = field(repr=False)
    evaluator: Any = None
    """An evaluator to use instead of what the configuration's text makes."""

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        config: Config | None = None,
        *,
        resume: bool = False,
        retry_failed: bool = False,
        allow_python: bool | None = None,
        space: Any = None,
        evaluator: Any = None,
        code: Mapping[str, str] | None = None,
    ) -> Run:
        """Start a run, or go on with one.

        Args:
            directory: the run's folder.
            config: what to run; none takes up what the folder holds.
            resume: whether a run in the folder goes on; a folder without one starts it.
            retry_failed: whether evaluations that failed are tried again.
            allow_python: whether Python code that the folder's configuration names may run; by default where ``config`` names it too.
            space: a search space to use instead of what the configuration's text makes.
            evaluator: an evaluator to use instead, likewise.
            code: source code of functions that the texts stand for, see :func:`cg_evolve.inputs.inputs_of`.

        Raises:
            SearchError: the folder already has a run and ``resume`` was not asked for, has none and there is no ``config``, has one with
                another configuration, with other files or with another network of an architecture, has lost its history, or is in use.
        """
        folder = Path(directory)
        path = folder / CONFIG
        there = path.exists()
        if there:
            if not resume:
                raise SearchError(f"{folder}: already holds a run; --resume goes on with it, or choose another folder")
            config = _taken_up(folder, config, allow_python)
        elif config is None:
            raise SearchError(f"{folder}: holds no run to go on with")
        inputs = inputs_of(config, code)
        if there:
            refuse_others(folder, read_inputs(path), inputs)
        search = _search(config, space, evaluator)  # before the folder is made: a mistake leaves nothing behind
        lock, store = _taken(folder)
        run = cls(folder, config, search, store, uuid.uuid4().hex, lock, evaluator)
        try:
            store.claim(run.session)
            if retry_failed:
                store.again(run.session)
            config.write(path, inputs)
            copy_code(folder, inputs, code)
            run._restore()
        except BaseException:
            run.close()
            raise
        return run

    def _restore(self) -> None:
        """Take up what the history holds.

        Raises:
            SearchError: the space builds another network than it did.
        """
        rows = self.store.rows()
        for number in sorted(set(np.linspace(0, len(rows) - 1, min(len(rows), _COMPARED)).astype(int).tolist())):
            row = rows[number]
            if self.search.domain.graph(row.arch).hash != row.hash:
                raise SearchError(
                    f"{self.directory}: evaluation {number} was of another network than {row.arch[:60]} is now: what makes the networks has "
                    "changed since the run began"
                )
        self.search.restore(rows)
        for row, restored in zip(rows, self.search.history, strict=True):
            if row.status == DONE and row.value is None:  # written by a worker that outlived its main process
                self.store.complete(restored)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self.store.close()
        self._lock.release()

    @property
    def workers_lock(self) -> Path:
        """File that workers hold while they live."""
        return self.directory / WORKERS_LOCK

    def execute(
        self,
        backend: Backend | None = None,
        *,
        on_result: Callable[[Evaluation], None] | None = None,
        shared_disk: bool = True,
    ) -> None:
        """Propose and evaluate until the budget is used up or every architecture has been proposed.

        Args:
            backend: where evaluations run; in this process by default. It is not stopped.
            on_result: called after every evaluation.
            shared_disk: whether the backend's workers can write to the run's folder.

        Raises:
            GaveUp: ``give_up`` evaluations failed for one reason, one after another.
            SearchError: the evaluator does not give what objectives and constraints are about.
        """
        with interruptible():
            self._execute(InlineBackend() if backend is None else backend, on_result, shared_disk)

    def _execute(self, backend: Backend, on_result: Callable[[Evaluation], None] | None, shared_disk: bool) -> None:
        direct = shared_disk and not isinstance(backend, InlineBackend)
        todo = deque((row.candidate, 1) for row in self.search.history if row.status == PENDING)
        running: dict[int, Candidate] = {}
        failures = _Failures(self.config.give_up)
        budget: float = self.config.budget
        while True:
            while len(backend) < backend.capacity:
                if not todo:
                    if self.used >= budget or not self.search.ready():
                        break
                    try:
                        candidate = self.search.ask()[0]
                    except Exhausted:
                        budget = 0
                        break
                    self.store.propose(candidate, self.session)
                    todo.append((candidate, 1))
                candidate, attempt = todo.popleft()
                running[candidate.id] = candidate
                backend.submit(self._job(candidate, attempt, direct))
            if not len(backend):
                return
            for outcome in backend.wait():
                candidate = running.pop(outcome.id)
                outcome = self._look_again(outcome)
                if not outcome.ok and outcome.attempt <= self.config.retries:
                    todo.append((candidate, outcome.attempt + 1))
                    continue
                self.search.tell(
                    [candidate], [outcome.metrics], cost=outcome.cost, error=outcome.error, attempts=outcome.attempt
                )
                row = self.search.history[candidate.id]
                self.store.finish(outcome, row)
                if on_result is not None:
                    on_result(row)
                self._check_names(outcome, row)
                failures.count(row)

    @property
    def used(self) -> float:
        """How much of the budget the proposals take: evaluations, or whole trainings by their steps."""
        if not self.config.steps:
            return len(self.search.history)
        return self.search.spent / self.config.steps[-1]

    def _check_names(self, outcome: Outcome, row: Evaluation) -> None:
        """Make sure at the first result that it has what objectives and constraints are about: no other will."""
        if row.status != FAILED or not outcome.metrics:
            return
        missing = self.search.problem.missing(row.metrics)
        if missing and not any(other.status == DONE for other in self.search.history):
            raise SearchError(
                f"{', '.join(missing)}: the evaluator gives no such metric; it gives {', '.join(outcome.metrics)}"
            )

    def _job(self, candidate: Candidate, attempt: int, direct: bool) -> Job:
        wanted = self.search.problem.metrics
        return Job(
            candidate.id,
            candidate.arch,
            candidate.graph,
            candidate.seed,
            self.config.evaluator if self.evaluator is None else self.evaluator,
            self.config.space,
            attempt,
            latency="latency" in wanted,
            input=self.config.input,
            stop=candidate.step,
            steps=self.config.steps[-1] if self.config.steps else None,
            state=str(self._state(candidate)) if self.config.steps else None,
            store=str(self.directory.resolve() / HISTORY) if direct else None,
            session=self.session,
        )

    def job_again(self, candidate: Candidate, state: str) -> Job:
        """An evaluation anew, from the first step on, that leaves no trace in the history.

        Args:
            candidate: what was evaluated.
            state: a folder for the state of its training.
        """
        return replace(self._job(candidate, 1, direct=False), state=state)

    def _state(self, candidate: Candidate) -> Path:
        """Folder of the state of a network's training."""
        return self.directory.resolve() / STATES / candidate.hash.partition(":")[2][:16]

    def _look_again(self, outcome: Outcome) -> Outcome:
        """A worker that died or was killed may have written its result before."""
        if outcome.ok:
            return outcome
        metrics = self.store.metrics(outcome.id)
        return outcome if metrics is None else Outcome(outcome.id, metrics, "", outcome.cost, attempt=outcome.attempt)


class _Failures:
    """Counts failures for one reason that follow each other."""

    def __init__(self, limit: int) -> None:
        self._limit, self._reason, self._count = limit, "", 0

    def count(self, row: Evaluation) -> None:
        """Take note of an evaluation.

        Raises:
            GaveUp: the limit is reached.
        """
        reason = _reason(row.error) if row.status == FAILED else ""
        self._count = self._count + 1 if reason and reason == self._reason else 1
        self._reason = reason
        if reason and self._limit and self._count >= self._limit:
            raise GaveUp(
                f"stopped: {self._count} evaluations in a row failed alike ({row.error}); --give-up sets how many may"
            )


def _reason(error: str) -> str:
    """An error without its numbers, which differ from one time to another."""
    return re.sub(r"\d+(\.\d+)?", "#", error)


def reasons(search: Search) -> list[tuple[str, int]]:
    """Why evaluations failed, each reason in the words of its first time with how often it occurred, the most frequent first."""
    errors = [row.error for row in search.history if row.status == FAILED]
    words: dict[str, str] = {}
    for error in errors:
        words.setdefault(_reason(error), error)
    return [(words[reason], count) for reason, count in Counter(map(_reason, errors)).most_common()]


def read_run(directory: str | os.PathLike[str]) -> tuple[Config, Search]:
    """What a folder holds, without touching it and without running anything that it names; a run that is going on may be read as well.

    Raises:
        SearchError: it holds no run.
    """
    folder = Path(directory)
    if not (folder / CONFIG).exists():
        raise SearchError(f"{folder}: holds no run (no {CONFIG})")
    config = Config.read(folder / CONFIG)
    store = Store(folder / HISTORY, create=False)
    rows = store.rows()
    search = Search(
        StoredNetworks(store, rows),
        algorithm="random",
        seed=config.seed,
        objectives=config.objectives,
        constraints=config.constraints,
        q=config.q,
        steps=config.steps,
        eta=config.eta,
    )
    search.restore(rows)
    weakref.finalize(search, store.close)  # until then it hands out networks
    return config, search


def _taken(folder: Path) -> tuple[FileLock, Store]:
    """A run's folder for this process alone, and its history.

    Raises:
        SearchError: it cannot be written, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, thread_local=False)
        lock.acquire(timeout=0.5)  # who only looks whether a run goes on holds it for a moment
    except Timeout:
        raise SearchError(f"{folder}: is in use by another process") from None
    except OSError as error:
        raise SearchError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        for left in folder.glob(f"{WORKERS_LOCK}.*"):  # workers of a killed main process, which soon end as well
            with FileLock(left):
                pass
            left.unlink(missing_ok=True)
        return lock, Store(folder / HISTORY)
    except BaseException:
        lock.release()
        raise


def _taken_up(folder: Path, given: Config | None, allow_python: bool | None) -> Config:
    """The configuration of the run in a folder, if it may go on.

    Raises:
        SearchError: it differs from what is given, names Python code that the caller does not, or has lost its history.
    """
    there = Config.read(folder / CONFIG)
    config = agree(there, given, folder)
    if allow_python is None:
        allow_python = given is not None
    if not allow_python:
        for what, text in (("space", there.space), ("evaluator", there.evaluator)):
            if names_python(text):
                raise SearchError(
                    f"{folder}: the run's {what} is Python code, {text}, which runs only if the command line names it as well, or with --allow-python"
                )
    history = folder / HISTORY
    if not history.exists() or not history.stat().st_size:
        state = "is empty" if history.exists() else "is missing"
        raise SearchError(f"{history}: {state}, so that the run cannot go on; restore it, or choose another folder")
    return config


def _search(config: Config, space: Any, evaluator: Any) -> Search:
    if space is None:
        space = shared_space(config.space, config.input)
    if evaluator is None:
        evaluator = shared_evaluator(
            config.evaluator, config.space, config.input, config.steps[-1] if config.steps else None
        )
    if config.steps and not hasattr(evaluator, "keeps_state"):
        raise SearchError(
            "--steps needs an evaluator whose training is divided into steps: a function that yields a value after each"
        )
    pool: list[str] | None = None
    if config.pool is not None:
        pool = read_pool(config.pool)
    elif hasattr(evaluator, "archs"):
        pool = list(evaluator.archs())
    return Search(
        space,
        algorithm=config.algorithm,
        seed=config.seed,
        exclude=config.exclude,
        pool=pool,
        scorer=config.scorer,
        objectives=config.objectives,
        constraints=config.constraints,
        q=config.q,
        steps=config.steps,
        eta=config.eta,
        compare=config.compare or getattr(evaluator, "compare", ""),
    )
