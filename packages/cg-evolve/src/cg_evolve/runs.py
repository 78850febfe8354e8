"""Runs: a search with an evaluator and a budget, kept in a folder from which it can go on after any interruption."""

from __future__ import annotations

import json
import os
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import cg_evolve
from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.executors import Backend, InlineBackend
from cg_evolve.history import DONE, PENDING, Candidate, Evaluation
from cg_evolve.jobs import Job, Outcome, shared_evaluator
from cg_evolve.locks import Lock
from cg_evolve.search import Search
from cg_evolve.store import Store
from cg_ir.output_formats import write_text

__all__ = ["Config", "Run", "read_pool", "read_run"]

HISTORY = "history.sqlite"
CONFIG = "config.json"
LOCK = "run.lock"
WORKERS_LOCK = "workers.lock"


@dataclass(frozen=True)
class Config:
    """Everything that decides the history of a run, and its budget.

    Attributes:
        space: name of the space, with options.
        evaluator: its text, see :func:`cg_evolve.evaluators.make_evaluator`.
        budget: evaluations.
        pool: file of architectures, one a line, to which the search is restricted; where the evaluator is a table, its architectures are
            the pool.
    """

    space: str
    evaluator: str
    budget: int
    algorithm: str = "auto"
    seed: int = 0
    exclude: tuple[str, ...] = ()
    scorer: str = "predictor"
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pool: str | None = None
    q: int = 4
    retries: int = 1

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise SearchError(f"a budget should be at least 1 evaluation, not {self.budget}")
        if self.retries < 0:
            raise SearchError(f"retries should not be negative, not {self.retries}")

    @classmethod
    def read(cls, path: Path) -> Config:
        """The configuration of a run.

        Raises:
            SearchError: it is missing or not one.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            known = {f.name for f in fields(cls)}
            values: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in document.items() if k in known
            }
            return cls(**values)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise SearchError(f"{path}: is no readable run configuration: {error}") from None

    def write(self, path: Path) -> None:
        """Write; the file appears whole or not at all."""
        document = {"cg_evolve": cg_evolve.__version__, **asdict(self)}
        write_text(path, json.dumps(document, indent=2) + "\n")


def read_pool(path: str) -> list[str]:
    """Architectures from a text file, one a line; empty lines do not count.

    Raises:
        SearchError: the file cannot be read or lists none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SearchError(f"{path}: cannot be read as a list of architectures: {error}") from None
    archs = [line.strip() for line in lines if line.strip()]
    if not archs:
        raise SearchError(f"{path}: lists no architecture")
    return archs


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
    _lock: Lock = field(repr=False)

    @classmethod
    def open(cls, directory: str | os.PathLike[str], config: Config | None = None, *, resume: bool = False) -> Run:
        """Start a run, or go on with one.

        Args:
            directory: the run's folder.
            config: what to run; none takes up what the folder holds.
            resume: whether a run in the folder goes on; a folder without one starts it.

        Raises:
            SearchError: the folder already has a run and ``resume`` was not asked for, has none and there is no ``config``, has one with
                another configuration, or is in use.
        """
        folder = Path(directory)
        path = folder / CONFIG
        if path.exists():
            if not resume:
                raise SearchError(f"{folder}: already holds a run; --resume goes on with it, or choose another folder")
            config = _agree(Config.read(path), config, folder)
        elif config is None:
            raise SearchError(f"{folder}: holds no run to go on with")
        search = _search(config)  # before the folder is made: a mistake leaves nothing behind
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SearchError(f"{folder}: cannot be made: {error.strerror}") from None
        lock = Lock(folder / LOCK)
        if not lock.acquire(block=False):
            raise SearchError(f"{folder}: is in use by another process")
        workers = Lock(folder / WORKERS_LOCK)
        workers.acquire()  # wait until the last worker of a killed main process has gone
        workers.release()
        store = Store(folder / HISTORY)
        session = uuid.uuid4().hex
        store.claim(session)
        config.write(path)
        run = cls(folder, config, search, store, session, lock)
        rows = store.rows()
        search.restore(rows)
        for row, restored in zip(rows, search.history, strict=True):
            if row.status == DONE and row.value is None:  # written by a worker that outlived its main process
                store.complete(restored)
        return run

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
        """
        backend = InlineBackend() if backend is None else backend
        direct = shared_disk and not isinstance(backend, InlineBackend)
        todo = deque((row.candidate, 1) for row in self.search.history if row.status == PENDING)
        running: dict[int, Candidate] = {}
        budget = self.config.budget
        while True:
            while len(backend) < backend.capacity:
                if not todo:
                    if len(self.search.history) >= budget or not self.search.ready():
                        break
                    try:
                        candidate = self.search.ask()[0]
                    except Exhausted:
                        budget = len(self.search.history)
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

    def _job(self, candidate: Candidate, attempt: int, direct: bool) -> Job:
        wanted = self.search.problem.metrics
        return Job(
            candidate.id,
            candidate.arch,
            candidate.graph,
            candidate.seed,
            self.config.evaluator,
            self.config.space,
            attempt,
            latency="latency" in wanted,
            store=str(self.directory.resolve() / HISTORY) if direct else None,
            session=self.session,
        )

    def _look_again(self, outcome: Outcome) -> Outcome:
        """A worker that died or was killed may have written its result before."""
        if outcome.ok:
            return outcome
        metrics = self.store.metrics(outcome.id)
        return outcome if metrics is None else Outcome(outcome.id, metrics, "", outcome.cost, attempt=outcome.attempt)


def read_run(directory: str | os.PathLike[str]) -> tuple[Config, Search]:
    """What a folder holds, without touching it; a run that is going on may be read as well.

    Raises:
        SearchError: it holds no run.
    """
    folder = Path(directory)
    if not (folder / CONFIG).exists():
        raise SearchError(f"{folder}: holds no run (no {CONFIG})")
    config = Config.read(folder / CONFIG)
    search = Search(
        config.space,
        algorithm="random",
        seed=config.seed,
        objectives=config.objectives,
        constraints=config.constraints,
        q=config.q,
    )
    store = Store(folder / HISTORY, create=False)
    try:
        search.restore(store.rows())
    finally:
        store.close()
    return config, search


def _agree(there: Config, given: Config | None, folder: Path) -> Config:
    """The configuration to go on with: budget and retries may change, whatever decides the history may not."""
    if given is None:
        return there
    old, new = asdict(there), asdict(given)
    for name in old:
        if name not in ("budget", "retries") and old[name] != new[name]:
            raise SearchError(f"{folder}: the run there has {name} {old[name]!r}, not {new[name]!r}")
    return given


def _search(config: Config) -> Search:
    evaluator = shared_evaluator(config.evaluator, config.space)
    pool: list[str] | None = None
    if config.pool is not None:
        pool = read_pool(config.pool)
    elif hasattr(evaluator, "archs"):
        pool = list(evaluator.archs())
    return Search(
        config.space,
        algorithm=config.algorithm,
        seed=config.seed,
        exclude=config.exclude,
        pool=pool,
        scorer=config.scorer,
        objectives=config.objectives,
        constraints=config.constraints,
        q=config.q,
    )
