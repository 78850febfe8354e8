"""One evaluation as a message to a worker and back."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_evolve import interrupts
from cg_evolve.evaluators import make_evaluator
from cg_evolve.interrupts import Interrupted
from cg_evolve.metrics import checked_metrics
from cg_evolve.steps import Progress

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["Job", "Outcome", "one_line", "prepare", "run_job", "shared_evaluator"]


@dataclass(frozen=True)
class Job:
    """What a worker needs.

    Attributes:
        evaluator: its text, or an evaluator that can be pickled.
        space: name of the space, for the evaluator.
        latency: whether to measure the latency of the network on the worker's machine as well.
        input: shapes of the inputs, where a callable makes the networks.
        stop: step at which the training stops, where it is divided into steps.
        steps: steps of a whole training.
        state: folder of the training's state.
        store: path of the history that the worker writes a success to; none where it cannot reach the file.
        session: which run of the main process this job belongs to.
    """

    id: int
    arch: str
    graph: Graph
    seed: int
    evaluator: Any
    space: str = ""
    attempt: int = 1
    latency: bool = False
    input: tuple[str, ...] = ()
    stop: int | None = None
    steps: int | None = None
    state: str | None = None
    store: str | None = None
    session: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a job: metrics, or why there are none."""

    id: int
    metrics: Mapping[str, float] | None
    error: str = ""
    cost: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    attempt: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the evaluation gave metrics."""
        return self.metrics is not None


@functools.lru_cache(maxsize=4)
def shared_evaluator(spec: str, space: str, input: tuple[str, ...] = (), steps: int | None = None) -> Any:
    """As :func:`cg_evolve.evaluators.make_evaluator`; made once in a process."""
    return make_evaluator(spec, space, input, steps)


def one_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 300 characters."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its own __str__ may fail as well
        text = ""
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def prepare(job: Job) -> None:
    """Load what the job's evaluator needs; what goes wrong the job itself will say."""
    with contextlib.suppress(BaseException):
        if isinstance(job.evaluator, str):
            _evaluator(job)


def _evaluator(job: Job) -> Any:
    if isinstance(job.evaluator, str):
        return shared_evaluator(job.evaluator, job.space, job.input, job.steps)
    return job.evaluator


def run_job(job: Job) -> Outcome:
    """Evaluate; however that ends, short of the process, it becomes an outcome. A success is written to the history at once, before the result travels back.

    Raises:
        Interrupted: the user's own interrupt, also where the evaluator caught it.
    """
    started = time.time()
    clock = time.perf_counter()
    process, folder = os.getpid(), os.getcwd()
    try:
        metrics = _evaluated(job)
        error = "" if metrics else "the evaluator returned no metrics"
    except Interrupted:
        raise
    except BaseException as problem:  # an evaluator may end in any way, sys.exit included; the run goes on
        metrics, error = {}, one_line(problem)
    if os.getpid() != process:  # a child that the evaluator forked came back from it: the run is not its business
        os._exit(1)
    if interrupts.asked():
        raise Interrupted
    with contextlib.suppress(OSError):
        os.chdir(folder)
    outcome = Outcome(job.id, metrics or None, error, time.perf_counter() - clock, started, time.time(), job.attempt)
    if outcome.ok and job.store is not None:
        from cg_evolve.store import record_result

        with contextlib.suppress(
            sqlite3.Error
        ):  # the main process writes it, too, and says what is wrong with the history
            record_result(job.store, outcome, job.session)
    return outcome


def _evaluated(job: Job) -> dict[str, float]:
    """Metrics of a job's network."""
    evaluator = _evaluator(job)
    if hasattr(evaluator, "keeps_state"):
        progress = Progress(job.stop, None if job.state is None else Path(job.state))
        metrics = checked_metrics(evaluator.evaluate(job.arch, job.graph, job.seed, progress))
    else:
        metrics = checked_metrics(evaluator.evaluate(job.arch, job.graph, job.seed))
    if job.latency and "latency" not in metrics:
        from cg_evolve.latency import measure_latency

        metrics["latency"] = measure_latency(job.graph)
    return metrics
