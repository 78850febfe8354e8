"""Evaluations in worker processes of this machine.

Each worker is one process, spoken to through one pipe and at the head of a process group of its own: a worker that hangs, takes too much memory or dies is
ended with whatever it started, and only its own evaluation fails.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from filelock import FileLock

from cg_evolve.errors import SearchError
from cg_evolve.jobs import Job, Outcome, one_line, prepare, run_job
from cg_evolve.memory import resident

__all__ = ["ProcessBackend"]

#: Seconds that a worker whose main process has died gets to finish and record what it is at.
GRACE = 1.0
#: Seconds that a worker gets to start and to load the evaluator.
PREPARATION = 600.0
#: Seconds between two looks at the memory of workers.
_LOOK = 0.5
_BEGINS = "begins"
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

_busy = threading.Lock()


# --- in the worker ----------------------------------------------------------------------------------------------------


def _serve(connection: Connection, lock: str | None, environment: Mapping[str, str]) -> None:
    """The life of a worker: leave Ctrl-C to the main process, hold the run's worker lock, evaluate what comes, end with the main process."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # what an evaluator prints must not mix with results
    if lock is not None:
        held = FileLock(_own(lock, os.getpid()), thread_local=False)  # until the process ends
        held.acquire()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        try:
            job = pickle.loads(message)
        except BaseException as error:  # its evaluator is a function that only the main process can import
            connection.send(f"the worker cannot load the evaluator: {one_line(error)}")
            continue
        prepare(job)
        connection.send(_BEGINS)
        with _busy:
            outcome = run_job(job)
        connection.send(outcome)


def _own(lock: str, process: int) -> Path:
    """The lock file of one worker."""
    return Path(f"{lock}.{process}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    _busy.acquire(timeout=GRACE)  # what is nearly done may still be recorded
    _kill(os.getpid())


def _kill(process: int) -> None:
    """End a worker and what it has started."""
    with contextlib.suppress(OSError):  # it has ended, which every system says in its own way
        if hasattr(os, "killpg"):
            os.killpg(process, _KILL)
    with contextlib.suppress(OSError):
        os.kill(process, _KILL)


# --- in the main process ----------------------------------------------------------------------------------------------


class _Worker:
    """One worker process and the job that it has."""

    def __init__(self, lock: str | None, environment: Mapping[str, str]) -> None:
        self._arguments = (lock, environment)
        self.job: Job | None = None
        self.ready = True
        """Whether it waits for a job."""
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, *self._arguments), name="cg-evolve worker")
        self.process.start()
        theirs.close()

    def submit(self, job: Job, message: bytes) -> None:
        self.job = job
        self.ready = False
        self.submitted = time.monotonic()
        self.started: float | None = None
        with contextlib.suppress(OSError):  # it has died meanwhile, as `look` will find
            self.connection.send_bytes(message)

    def age(self) -> float:
        """Seconds since the worker began to evaluate; loading the evaluator does not count, unless it takes for ever."""
        if self.started is None:
            return max(0.0, time.monotonic() - self.submitted - PREPARATION)
        return time.monotonic() - self.started

    def look(self) -> Outcome | None:
        """The outcome of the job, if it has ended, also with the death of the worker."""
        assert self.job is not None
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message != _BEGINS:
                    self.ready = True
                    return message if isinstance(message, Outcome) else self.failure(str(message))
                self.started = time.monotonic()
        except Exception:  # the pipe is closed or holds nonsense: the worker is dying, or of no more use
            self.process.join(GRACE)
            if self.process.is_alive():
                return self.failure("the worker broke off its connection")
        if self.process.is_alive():
            return None
        return self.failure(_death(self.process.exitcode))

    def failure(self, error: str) -> Outcome:
        assert self.job is not None
        cost = 0.0 if self.started is None else self.age()
        return Outcome(self.job.id, None, error, cost=cost, attempt=self.job.attempt)

    def kill(self) -> None:
        """End the process at once."""
        if self.process.pid is not None:
            _kill(self.process.pid)
        self.process.join(20)
        self.connection.close()
        lock, _ = self._arguments
        if lock is not None and self.process.pid is not None and not self.process.is_alive():
            _own(lock, self.process.pid).unlink(missing_ok=True)

    def restart(self) -> None:
        self.kill()
        self.start()


def _death(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None or status >= 0:
        return f"the worker died with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the worker was killed by {name}" + (", as the system does when memory runs out" if -status == 9 else "")


class ProcessBackend:
    """Jobs in worker processes of this machine; one that hangs or takes too much is killed and replaced.

    Args:
        workers: how many.
        timeout: seconds that an evaluation may take.
        lock: every worker holds a file of this name and its process's number while it lives.
        threads: threads that each worker should compute with; the cores divided by the workers by default.
        memory: bytes that a worker may hold in main memory.
        environments: variables of each worker's environment, for example which accelerator it sees.

    Raises:
        MissingExtra: a limit of memory, on a system where psutil has to tell how much a process holds.
    """

    def __init__(
        self,
        workers: int,
        timeout: float | None = None,
        lock: Path | None = None,
        threads: int | None = None,
        memory: float | None = None,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.capacity = workers
        self._timeout, self._memory = timeout, memory
        if memory is not None:
            resident(os.getpid())
        given = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads or _share(workers))}
        self._workers = [
            _Worker(None if lock is None else str(lock), {**given, **(environments[i] if environments else {})})
            for i in range(workers)
        ]

    def __len__(self) -> int:
        return sum(worker.job is not None for worker in self._workers)

    def submit(self, job: Job) -> None:
        try:
            message = pickle.dumps(job)
        except Exception as error:
            raise SearchError(f"the evaluator cannot be sent to a worker process: {one_line(error)}") from None
        next(worker for worker in self._workers if worker.job is None).submit(job, message)

    def wait(self) -> list[Outcome]:
        while True:
            busy = [worker for worker in self._workers if worker.job is not None]
            handles: list[Any] = [handle for w in busy for handle in (w.connection, w.process.sentinel)]
            wait(handles, self._patience(busy))
            result = []
            for worker in busy:
                outcome = worker.look() or self._over(worker)
                if outcome is None:
                    continue
                worker.job = None
                if not outcome.ok and not worker.ready:
                    worker.restart()
                result.append(outcome)
            if result:
                return result

    def _patience(self, busy: Sequence[_Worker]) -> float | None:
        """Seconds until a limit may be reached."""
        left = None
        if self._timeout is not None:
            left = min(max(0.05, self._timeout - worker.age()) for worker in busy)
        if self._memory is not None:
            left = _LOOK if left is None else min(left, _LOOK)
        return left

    def _over(self, worker: _Worker) -> Outcome | None:
        """The failure of a job that has passed a limit."""
        if self._timeout is not None and worker.age() >= self._timeout:
            return worker.failure(f"timeout after {self._timeout:g} s")
        if self._memory is not None and worker.started is not None:
            held = resident(worker.process.pid or 0)
            if held > self._memory:
                return worker.failure(f"memory: more than {self._memory / 2**30:.3g} GiB")
        return None

    def stop(self) -> None:
        for worker in self._workers:
            worker.kill()


def _share(workers: int) -> int:
    """Cores for each of some workers."""
    return max(1, (os.cpu_count() or 1) // workers)
