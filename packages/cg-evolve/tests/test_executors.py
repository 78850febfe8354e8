"""Where evaluations run: whatever becomes of a job, it is an outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest
from toy_plugin import ToyEvaluator, ToySpace

from cg_evolve import SearchError
from cg_evolve.executors import Backend, DaskBackend, ExecutorBackend, InlineBackend
from cg_evolve.jobs import Job, Outcome


def job(number: int, evaluator: Any = None, arch: str = "cckkpp") -> Job:
    return Job(number, arch, ToySpace().graph(arch), 0, evaluator or ToyEvaluator())


class Talkative:
    """Prints."""

    def evaluate(self, arch: str, graph: object, seed: int) -> dict[str, float]:
        print("hello")
        return {"value": 1.0}


class Slow:
    """Sleeps longer than anybody waits."""

    def evaluate(self, arch: str, graph: object, seed: int) -> dict[str, float]:
        time.sleep(0.4)
        return {"value": 1.0}


class Raising:
    """Fails."""

    def evaluate(self, arch: str, graph: object, seed: int) -> dict[str, float]:
        raise RuntimeError("no memory\nleft")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def all_of(backend: Backend, count: int) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    while len(found) < count:
        found |= {outcome.id: outcome for outcome in backend.wait()}
    return found


def test_inline_jobs_run_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    backend = InlineBackend()
    for number in (4, 2):
        backend.submit(job(number, Talkative()))
    assert len(backend) == 2
    assert [outcome.id for outcome in backend.wait()] == [4]
    assert [outcome.id for outcome in backend.wait()] == [2]
    assert len(backend) == 0
    assert capsys.readouterr().out == "", "what an evaluator prints would mix with results"
    backend.submit(job(1))
    backend.stop()
    assert len(backend) == 0


def test_jobs_of_an_executor_give_what_they_give_inline(threads: ThreadPoolExecutor) -> None:
    inline = InlineBackend()
    inline.submit(job(0))
    (expected,) = inline.wait()
    backend = ExecutorBackend(threads, 2)
    for number in range(4):
        backend.submit(job(number, Raising() if number == 2 else None))
    outcomes = all_of(backend, 4)
    assert len(backend) == 0
    assert outcomes[0].metrics == outcomes[3].metrics == expected.metrics
    assert outcomes[2].metrics is None
    assert outcomes[2].error == "RuntimeError: no memory left"


def test_a_job_that_takes_too_long_is_an_outcome(threads: ThreadPoolExecutor) -> None:
    backend = ExecutorBackend(threads, 2, timeout=0.2)
    backend.submit(job(0, Slow()))
    backend.submit(job(1))
    outcomes = all_of(backend, 2)
    assert outcomes[0].error == "timeout after 0.2 s"
    assert outcomes[0].cost == 0.2
    assert outcomes[1].ok
    assert len(backend) == 0


def test_a_worker_that_died_and_a_job_that_was_cancelled_are_outcomes(threads: ThreadPoolExecutor) -> None:
    class Broken(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            def die() -> None:
                raise BrokenProcessPool("a child process terminated abruptly")

            return threads.submit(die)

    backend = ExecutorBackend(Broken(1), 1)
    backend.submit(job(5))
    assert [(outcome.id, outcome.error) for outcome in backend.wait()] == [(5, "the worker died")]
    waiting = ExecutorBackend(threads, 4)
    for number in range(4):
        waiting.submit(job(number, Slow()))
    next(reversed(waiting._running)).cancel()
    assert all_of(waiting, 4)[3].error == "CancelledError"
    waiting.submit(job(6))
    waiting.stop()
    assert len(waiting) == 0


def test_a_scheduler_that_does_not_answer_is_one_line() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(SearchError, match="no Dask scheduler answers at 'nowhere'"):
        DaskBackend("nowhere")
