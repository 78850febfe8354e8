"""Whether an evaluator gives the same result for the same arguments: one evaluation of a run, done again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cg_evolve.history import DONE

if TYPE_CHECKING:
    from cg_evolve.executors import Backend
    from cg_evolve.runs import Run

__all__ = ["Repeat", "repeat"]


@dataclass(frozen=True)
class Repeat:
    """An evaluation, done twice with the same network and seed.

    Attributes:
        id: its number.
        first, second: metrics by name; ``second`` is empty where it failed the second time.
        error: why it failed then.
    """

    id: int
    first: Mapping[str, float]
    second: Mapping[str, float]
    error: str = ""

    @property
    def different(self) -> tuple[str, ...]:
        """The metrics that are not the same, to the last bit; of one that is no number both times nothing differs."""

        def same(before: float | None, after: float) -> bool:
            return before == after or (before is not None and math.isnan(before) and math.isnan(after))

        return tuple(name for name, value in self.second.items() if not same(self.first.get(name), value))

    @property
    def same(self) -> bool:
        """Whether the second time gave what the first gave."""
        return not self.error and not self.different

    def __str__(self) -> str:
        if self.error:
            return f"evaluation {self.id}, done again, failed: {self.error}"
        if self.same:
            return f"evaluation {self.id}, done again, gave the same result"
        pairs = ", ".join(f"{n} {self.first.get(n, float('nan')):.6g} and {self.second[n]:.6g}" for n in self.different)
        return (
            f"evaluation {self.id}, done again with the same network and seed, gave another result: {pairs}; the run cannot be reproduced. "
            "Is all that is random drawn from the seed, and nothing kept between evaluations?"
        )


def repeat(run: Run, backend: Backend) -> Repeat | None:
    """Do the first successful evaluation of a run again and compare; nothing is written to its history.

    Args:
        run: a run with results.
        backend: where to evaluate.

    Returns:
        what came of it; none where no evaluation has succeeded.
    """
    row = next((row for row in run.search.history if row.status == DONE), None)
    if row is None:
        return None
    with TemporaryDirectory(dir=run.directory, prefix="again-") as state:
        backend.submit(run.job_again(row.candidate, state))
        while not (outcomes := backend.wait()):  # more could be submitted: there is nothing else
            pass
    outcome = outcomes[0]
    return Repeat(row.id, row.metrics, outcome.metrics or {}, outcome.error)
