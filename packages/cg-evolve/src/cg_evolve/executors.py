"""Where evaluations run: in this process, in worker processes, on a Dask cluster, in any ``concurrent.futures`` executor."""

from __future__ import annotations

import concurrent.futures as futures
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from cg_evolve.errors import SearchError
from cg_evolve.jobs import Job, Outcome, one_line, prepare, run_job
from cg_evolve.locks import Lock
from cg_ir.errors import MissingExtra

__all__ = ["Backend", "DaskBackend", "ExecutorBackend", "InlineBackend", "ProcessBackend"]

#: Seconds that a worker whose main process has died gets to finish and record what it is at.
GRACE = 1.0
#: Seconds that a worker gets to start and to load the evaluator.
PREPARATION = 600.0


class Backend(Protocol):
    """Runs jobs; an evaluation that raises, hangs or kills its worker gives an outcome like any other."""

    capacity: int

    def __len__(self) -> int:
        """Jobs that are running."""
        ...

    def submit(self, job: Job) -> None:
        """Start a job; called with fewer than ``capacity`` running."""
        ...

    def wait(self) -> list[Outcome]:
        """Block until at least one job has ended."""
        ...

    def stop(self) -> None:
        """End everything, also what is running."""
        ...


class InlineBackend:
    """One job at a time in this process."""

    capacity = 1

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self) -> list[Outcome]:
        return [run_job(self._jobs.popleft())]

    def stop(self) -> None:
        self._jobs.clear()


class ExecutorBackend:
    """Jobs in any ``concurrent.futures.Executor``.

    Args:
        executor: the executor; it is not shut down.
        capacity: how many jobs it runs at once.
        timeout: seconds after which a job counts as failed; an executor cannot end it, so its worker stays taken.
    """

    def __init__(self, executor: futures.Executor, capacity: int, timeout: float | None = None) -> None:
        self.capacity = capacity
        self._executor = executor
        self._timeout = timeout
        self._running: dict[futures.Future[Outcome], tuple[Job, float]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, job: Job) -> None:
        self._running[self._executor.submit(run_job, job)] = (job, time.monotonic())

    def wait(self) -> list[Outcome]:
        while True:
            left = None
            if self._timeout is not None:
                left = max(0.0, self._timeout + min(s for _, s in self._running.values()) - time.monotonic())
            futures.wait(self._running, timeout=left, return_when=futures.FIRST_COMPLETED)
            result = []
            for future, (job, started) in list(self._running.items()):
                if future.done():
                    result.append(_outcome(future, job))
                elif self._timeout is not None and time.monotonic() - started >= self._timeout:
                    future.cancel()
                    result.append(_timed_out(job, self._timeout))
                else:
                    continue
                del self._running[future]
            if result:
                return result

    def stop(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()


def _outcome(future: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = future.result()
        return outcome
    except BrokenProcessPool:
        return Outcome(job.id, None, "the worker died", attempt=job.attempt)
    except (Exception, futures.CancelledError) as error:
        return Outcome(job.id, None, one_line(error), attempt=job.attempt)


def _timed_out(job: Job, timeout: float) -> Outcome:
    return Outcome(job.id, None, f"timeout after {timeout:g} s", cost=timeout, attempt=job.attempt)


# --- worker processes -------------------------------------------------------------------------------------------------

_busy = threading.Lock()


def _start_worker(lock: str | None, threads: int) -> None:
    """Prepare a worker: leave Ctrl-C to the main process, hold the run's worker lock, and end with the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if lock is not None:
        Lock(Path(lock), shared=True).acquire()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        from multiprocessing.connection import wait

        wait([parent.sentinel])
        _busy.acquire(timeout=GRACE)  # what is nearly done may still be recorded
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(job: Job) -> Outcome:
    with _busy:
        return run_job(job)


class _Slot:
    """One worker process in a pool of its own, so that it can be killed alone."""

    def __init__(self, lock: str | None, threads: int) -> None:
        self._arguments = (lock, threads)
        self.future: futures.Future[Outcome] | None = None
        self.job: Job | None = None
        self.start()

    def start(self) -> None:
        self._pool = futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=self._arguments
        )
        self._pid = self._pool.submit(os.getpid)

    def submit(self, job: Job) -> None:
        self.job = job
        self.submitted = time.monotonic()
        self.started: float | None = None
        ready = self._pool.submit(prepare, job)
        self.future = self._pool.submit(_work, job)
        ready.add_done_callback(lambda _: setattr(self, "started", time.monotonic()))

    def age(self) -> float:
        """Seconds since the worker began to evaluate; loading the evaluator does not count, unless it takes for ever."""
        if self.started is None:
            return max(0.0, time.monotonic() - self.submitted - PREPARATION)
        return time.monotonic() - self.started

    def clear(self) -> None:
        self.future = self.job = None

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(BrokenProcessPool, futures.CancelledError, futures.TimeoutError):
            pid = self._pid.result(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def restart(self) -> None:
        self.kill()
        self.start()


class ProcessBackend:
    """Jobs in worker processes of this machine; one that hangs is killed and replaced.

    Args:
        workers: how many.
        timeout: seconds that an evaluation may take.
        lock: file that every worker holds while it lives.
        threads: threads that each worker should compute with; the cores divided by the workers by default.
    """

    def __init__(
        self, workers: int, timeout: float | None = None, lock: Path | None = None, threads: int | None = None
    ) -> None:
        self.capacity = workers
        self._timeout = timeout
        threads = threads or max(1, (os.cpu_count() or 1) // workers)
        self._slots = [_Slot(None if lock is None else str(lock), threads) for _ in range(workers)]

    def __len__(self) -> int:
        return sum(slot.future is not None for slot in self._slots)

    def submit(self, job: Job) -> None:
        try:
            pickle.dumps(job.evaluator)
        except Exception as error:
            raise SearchError(f"the evaluator cannot be sent to a worker process: {one_line(error)}") from None
        next(slot for slot in self._slots if slot.future is None).submit(job)

    def wait(self) -> list[Outcome]:
        while True:
            busy = [slot for slot in self._slots if slot.future is not None]
            left = None
            if self._timeout is not None:
                left = min(max(0.05, self._timeout - slot.age()) for slot in busy)
                left = min(left, 1.0) if any(slot.started is None for slot in busy) else left
            futures.wait([s.future for s in busy if s.future is not None], left, futures.FIRST_COMPLETED)
            result = []
            for slot in busy:
                assert slot.future is not None
                assert slot.job is not None
                if slot.future.done():
                    outcome = _outcome(slot.future, slot.job)
                    broken = isinstance(slot.future.exception(), BrokenProcessPool)
                elif self._timeout is not None and slot.age() >= self._timeout:
                    outcome, broken = _timed_out(slot.job, self._timeout), True
                else:
                    continue
                slot.clear()
                if broken:
                    slot.restart()
                result.append(outcome)
            if result:
                return result

    def stop(self) -> None:
        for slot in self._slots:
            slot.kill()


# --- Dask -------------------------------------------------------------------------------------------------------------


class DaskBackend:
    """Jobs on a Dask cluster (extra ``dask``).

    Args:
        address: of the scheduler, or ``local`` for a cluster on this machine.
        timeout: seconds that an evaluation may take; the worker of one that takes longer is restarted.
        workers: of a local cluster.
    """

    def __init__(self, address: str, timeout: float | None = None, workers: int = 2) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtra("cg-evolve", "dask", "--dask") from None
        self._distributed = distributed
        self._cluster = None
        try:
            if address == "local":
                self._cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
                )
                self._client = distributed.Client(self._cluster)
            else:
                self._client = distributed.Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise SearchError(f"no Dask scheduler answers at '{address}': {one_line(error)}") from None
        self.capacity = max(1, sum(self._client.nthreads().values()))
        self._timeout = timeout
        self._running: dict[Any, tuple[Job, float]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, job: Job) -> None:
        key = f"evaluate-{job.session}-{job.id}-{job.attempt}"
        self._running[self._client.submit(run_job, job, key=key, pure=False)] = (job, time.monotonic())

    def wait(self) -> list[Outcome]:
        while True:
            with contextlib.suppress(TimeoutError, self._distributed.TimeoutError):
                self._distributed.wait(list(self._running), timeout=1.0, return_when="FIRST_COMPLETED")
            result = []
            for future, (job, started) in list(self._running.items()):
                if future.done():
                    result.append(_outcome(future, job))
                elif self._timeout is not None and time.monotonic() - started >= self._timeout:
                    workers = [w for w, keys in self._client.processing().items() if future.key in keys]
                    future.cancel()
                    with contextlib.suppress(Exception):  # a worker without a nanny cannot be restarted
                        self._client.restart_workers(workers, timeout=20)
                    result.append(_timed_out(job, self._timeout))
                else:
                    continue
                del self._running[future]
            if result:
                return result

    def stop(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
