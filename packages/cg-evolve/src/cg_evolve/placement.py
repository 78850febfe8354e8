"""Where the evaluations of a run take place, and what one of them may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cg_evolve.accelerators import workers_of
from cg_evolve.errors import SearchError
from cg_evolve.memory import parse_size
from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from cg_evolve.executors import Backend
    from cg_evolve.runs import Run

__all__ = ["Placement", "parse_resources"]


@dataclass(frozen=True)
class Placement:
    """In this process, in worker processes, or on a Dask cluster.

    Attributes:
        environments: of each worker process; none evaluates in this process.
        dask: address or file of a scheduler.
        resources: what an evaluation takes of a Dask worker's resources.
        timeout: seconds that an evaluation may take.
        memory: bytes that a worker process may hold.
    """

    environments: list[dict[str, str]]
    dask: str | None = None
    resources: dict[str, float] = field(default_factory=dict)
    timeout: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise SearchError(f"a timeout should be positive, not {self.timeout:g}")

    @classmethod
    def of(
        cls, workers: str, dask: str | None, resources: str | None, timeout: float | None, memory: str | None
    ) -> Placement:
        """As the command line says it.

        Raises:
            SearchError: options contradict each other or are none.
            MissingExtra: Dask is not installed.
        """
        environments = workers_of(workers)
        if dask is None and resources is not None:
            raise SearchError("--resources are those of Dask's workers: it goes with --dask")
        if dask is not None and memory is not None:
            raise SearchError(
                "--memory limits worker processes of this machine; set the limits of Dask's workers where they are started"
            )
        if dask is not None:
            _need_dask()
        needs = {} if resources is None else parse_resources(resources)
        return cls(environments, dask, needs, timeout, None if memory is None else parse_size(memory))

    def backend(self, run: Run) -> Backend:
        """What evaluates for a run; to be stopped at the end."""
        from cg_evolve import executors

        if self.dask is not None:
            return executors.DaskBackend(self.dask, self.timeout, len(self.environments) or 2, self.resources)
        if self.environments or self.timeout or self.memory:  # only a process of its own can be stopped
            return executors.ProcessBackend(
                len(self.environments) or 1,
                self.timeout,
                run.workers_lock,
                memory=self.memory,
                environments=self.environments,
            )
        return executors.InlineBackend()


def parse_resources(text: str) -> dict[str, float]:
    """``GPU=1,SLOTS=2`` as numbers by name.

    Raises:
        SearchError: it does not look like that.
    """
    found = {}
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not name or not equals or not 0 < found[name] < math.inf:
            raise SearchError(f"resources look like GPU=1, with a positive number, not '{text}'")
    return found


def _need_dask() -> None:
    """Fail before a run begins where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-evolve", "dask", "--dask") from None
