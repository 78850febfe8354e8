"""Where evaluations run: in this process, in worker processes, on a Dask cluster, in any ``concurrent.futures`` executor."""

from __future__ import annotations

import concurrent.futures as futures
import contextlib
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from typing import Any, Protocol

from cg_evolve.errors import SearchError
from cg_evolve.interrupts import Interrupted
from cg_evolve.jobs import Job, Outcome, one_line, run_job
from cg_evolve.workers import ProcessBackend
from cg_ir.errors import MissingExtra

__all__ = ["Backend", "DaskBackend", "ExecutorBackend", "InlineBackend", "ProcessBackend"]


class Backend(Protocol):
    """Runs jobs; an evaluation that raises, hangs or kills its worker gives an outcome like any other."""

    @property
    def capacity(self) -> int:
        """How many jobs may run at once, as things are now."""
        ...

    def __len__(self) -> int:
        """Jobs that are running."""
        ...

    def submit(self, job: Job) -> None:
        """Start a job; called with fewer than ``capacity`` running."""
        ...

    def wait(self) -> list[Outcome]:
        """Block until at least one job has ended, or more may be submitted."""
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
        with contextlib.redirect_stdout(sys.stderr):  # what an evaluator prints must not mix with results
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
        self._capacity = capacity
        self._executor = executor
        self._timeout = timeout
        self._running: dict[Any, tuple[Job, float]] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def capacity(self) -> int:
        """How many jobs run at once."""
        return self._capacity

    def submit(self, job: Job) -> None:
        self._running[self._start(job)] = (job, time.monotonic())

    def wait(self) -> list[Outcome]:
        result: list[Outcome] = []
        while not result:
            now = time.monotonic()
            first = min(started for _, started in self._running.values())
            self._wait(None if self._timeout is None else max(0.0, first + self._timeout - now))
            for future, (job, started) in list(self._running.items()):
                if future.done():
                    result.append(_outcome(future, job))
                elif self._timeout is not None and time.monotonic() - started >= self._timeout:
                    if self._queued(future):  # waiting for a worker takes none of its time
                        self._running[future] = (job, time.monotonic())
                        continue
                    self._end(future)
                    result.append(_timed_out(job, self._timeout))
                else:
                    continue
                del self._running[future]
            if self.capacity > len(self._running):  # workers have come: there may be more to submit
                break
        return result

    def stop(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()

    def _start(self, job: Job) -> Any:
        """The future of a job."""
        return self._executor.submit(run_job, job)

    def _wait(self, seconds: float | None) -> None:
        """Block until a job has ended, or for so long."""
        futures.wait(self._running, timeout=seconds, return_when=futures.FIRST_COMPLETED)

    def _queued(self, future: Any) -> bool:
        """Whether a job has not begun, for want of a worker."""
        return False

    def _end(self, future: Any) -> None:
        """End a job that takes too long, as far as that is possible."""
        future.cancel()


def _outcome(future: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = future.result()
        return outcome
    except BrokenExecutor:
        return Outcome(job.id, None, "the worker died", attempt=job.attempt)
    except Interrupted:
        raise
    except BaseException as error:  # of the executor, or the job was cancelled
        return Outcome(job.id, None, one_line(error), attempt=job.attempt)


def _timed_out(job: Job, timeout: float) -> Outcome:
    return Outcome(job.id, None, f"timeout after {timeout:g} s", cost=timeout, attempt=job.attempt)


# --- Dask -------------------------------------------------------------------------------------------------------------

_LOST = "the connection to the Dask scheduler is lost; what is done is kept"
#: Seconds for which a scheduler may be silent.
_PATIENCE = 60


class DaskBackend(ExecutorBackend):
    """Jobs on a Dask cluster (extra ``dask``), also one whose workers come and go.

    Args:
        address: of the scheduler, the file that it writes its address to (``dask scheduler --scheduler-file``), or ``local`` for a cluster on this machine.
        timeout: seconds that an evaluation may take; the worker of one that takes longer is restarted.
        workers: of a local cluster.
        resources: what an evaluation takes of its worker's resources, as ``dask worker --resources`` names them.

    Raises:
        SearchError: no scheduler answers.
    """

    def __init__(
        self, address: str, timeout: float | None = None, workers: int = 2, resources: Mapping[str, float] | None = None
    ) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtra("cg-evolve", "dask", "--dask") from None
        self._distributed = distributed
        # It logs tracebacks of what is said here in one line.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        self._cluster = None
        self._size = workers
        self._resources = dict(resources or {})
        try:
            if address == "local":
                self._cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # none would take a port that all clusters share
                    scheduler_kwargs={"dashboard": False},
                    resources=self._resources,
                )
                self._client = distributed.Client(self._cluster)
            elif os.path.isfile(address):
                self._client = distributed.Client(scheduler_file=address, timeout="10s")
            else:
                self._client = distributed.Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise SearchError(f"no Dask scheduler answers at '{address}': {one_line(error)}") from None
        super().__init__(self._client.get_executor(), 1, timeout)

    @property
    def capacity(self) -> int:
        """Evaluations that the workers that are there now take at once; one where none is there yet, which waits."""
        slots = 0
        workers = self._ask("identity")["workers"]
        if self._cluster is not None and len(workers) < self._size:
            self._cluster.scale(self._size)  # it drops those that take longer than fifteen seconds to come back
        for worker in workers.values():
            own = worker.get("resources", {})
            takes = [int(own.get(name, 0) // need) for name, need in self._resources.items()]
            slots += min([worker["nthreads"], *takes])
        return max(1, slots)

    def _start(self, job: Job) -> Any:
        key = f"evaluate-{job.session}-{job.id}-{job.attempt}"
        return self._client.submit(run_job, job, key=key, pure=False, resources=self._resources or None)

    def _wait(self, seconds: float | None) -> None:
        try:  # by the second, for interrupts
            self._distributed.wait(list(self._running), timeout=1.0, return_when="FIRST_COMPLETED")
        except (TimeoutError, self._distributed.TimeoutError):
            pass
        except futures.CancelledError:
            raise SearchError(_LOST) from None

    def _ask(self, question: str, **arguments: Any) -> Any:
        """What the scheduler answers; `Client` itself would wait for a hung one without end."""
        try:
            return self._client.sync(getattr(self._client.scheduler, question), callback_timeout=_PATIENCE, **arguments)
        except (TimeoutError, self._distributed.TimeoutError):
            raise SearchError(f"the Dask scheduler has not answered for {_PATIENCE} s; what is done is kept") from None
        except OSError:
            raise SearchError(_LOST) from None

    def _workers(self, future: Any) -> list[str]:
        return [worker for worker, keys in self._ask("processing", workers=None).items() if future.key in keys]

    def _queued(self, future: Any) -> bool:
        return not self._workers(future)

    def _end(self, future: Any) -> None:
        workers = self._workers(future)
        future.cancel()
        with contextlib.suppress(Exception):  # a worker without a nanny cannot be restarted
            self._client.restart_workers(workers, timeout=20)

    def stop(self) -> None:
        super().stop()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
