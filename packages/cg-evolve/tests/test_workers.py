"""Evaluations in worker processes: what a worker is given, when it is replaced, and how its death is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_plugin import ToySpace

from cg_evolve import SearchError
from cg_evolve.jobs import Job, Outcome
from cg_evolve.workers import ProcessBackend, _death, _share

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes of Unix")


class Tells:
    """Says what its process sees, or ends it; the architecture decides."""

    def evaluate(self, arch: str, graph: Any, seed: int) -> dict[str, float]:
        if arch == "dies":
            os._exit(7)
        if arch == "hangs":
            time.sleep(3600)
        if arch == "raises":
            raise ValueError("no\nmemory")
        numbers = {name: float(os.environ[name]) for name in ("OMP_NUM_THREADS", "NUMBER") if name in os.environ}
        return {"process": os.getpid(), "group": os.getpgid(0), **numbers}


def job(number: int, arch: str = "tells") -> Job:
    return Job(number, arch, ToySpace().graph("cckkpp"), 0, Tells(), attempt=3)


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("locks") / "workers.lock"


@pytest.fixture(scope="module")
def backend(lock: Path) -> Iterator[ProcessBackend]:
    """Two workers that may take a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False)
        made = ProcessBackend(2, timeout=1.0, lock=lock, threads=3, environments=[{"NUMBER": "0"}, {"NUMBER": "1"}])
    yield made
    made.stop()


def outcomes(backend: ProcessBackend, *jobs: Job) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    for one in jobs:
        backend.submit(one)
    while len(found) < len(jobs):
        found |= {outcome.id: outcome for outcome in backend.wait()}
    return found


def test_each_worker_has_its_environment_and_a_group_of_its_own(backend: ProcessBackend, lock: Path) -> None:
    assert (backend.capacity, len(backend)) == (2, 0)
    found = outcomes(backend, job(0), job(1))
    metrics = [outcome.metrics or {} for outcome in found.values()]
    assert {m["NUMBER"] for m in metrics} == {0.0, 1.0}
    assert {m["OMP_NUM_THREADS"] for m in metrics} == {3.0}
    processes = {int(m["process"]) for m in metrics}
    assert os.getpid() not in processes
    assert {int(m["group"]) for m in metrics} == processes
    assert {path.name for path in lock.parent.iterdir()} == {f"{lock.name}.{process}" for process in processes}
    assert len(backend) == 0


def test_a_worker_that_raised_is_kept_and_one_that_died_or_hung_is_replaced(
    backend: ProcessBackend, lock: Path
) -> None:
    first = {m.metrics["NUMBER"]: m.metrics["process"] for m in outcomes(backend, job(0), job(1)).values() if m.metrics}
    failed = outcomes(backend, job(2, "raises"))[2]
    assert (failed.error, failed.attempt, failed.metrics) == ("ValueError: no memory", 3, None)
    again = {m.metrics["NUMBER"]: m.metrics["process"] for m in outcomes(backend, job(0), job(1)).values() if m.metrics}
    assert again == first
    ended = outcomes(backend, job(3, "dies"), job(4, "hangs"))
    assert ended[3].error == "the worker died with exit status 7"
    assert ended[4].error == "timeout after 1 s"
    assert ended[4].cost == pytest.approx(1.0, abs=0.5)
    fresh = {m.metrics["NUMBER"]: m.metrics["process"] for m in outcomes(backend, job(0), job(1)).values() if m.metrics}
    assert fresh.keys() == first.keys()  # each in the environment of the one that it replaces
    assert not set(fresh.values()) & set(first.values())
    assert len(list(lock.parent.iterdir())) == 2


def test_what_cannot_be_sent_is_refused_and_takes_no_worker(backend: ProcessBackend) -> None:
    class Local:
        """Of no module that a worker could import."""

    unsendable = Job(0, "a", ToySpace().graph("cckkpp"), 0, Local())
    with pytest.raises(SearchError, match=r"^the evaluator cannot be sent to a worker process: "):
        backend.submit(unsendable)
    assert len(backend) == 0


def test_the_end_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    backend = ProcessBackend(1, lock=tmp_path / "lock")
    process = int((outcomes(backend, job(0))[0].metrics or {})["process"])
    backend.submit(job(1, "hangs"))
    assert len(backend) == 1
    backend.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, "the worker died with exit status 0"),
        (9, "the worker died with exit status 9"),
        (None, "the worker died with exit status None"),
        (-signal.SIGSEGV, "the worker was killed by SIGSEGV"),
        (-signal.SIGKILL, "the worker was killed by SIGKILL, as the system does when memory runs out"),
        (-99, "the worker was killed by signal 99"),
    ],
)
def test_a_death_is_told_in_words(status: int | None, expected: str) -> None:
    assert _death(status) == expected


def test_cores_are_shared_and_nobody_has_none() -> None:
    cores = os.cpu_count() or 1
    assert [_share(n) for n in (1, cores, cores + 1, 1000)] == [cores, 1, 1, 1]
