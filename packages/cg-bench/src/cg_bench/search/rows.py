"""Results of finished searches, one row each, in a CSV that a second run of the command goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cg_bench.rows import ResultRows

__all__ = ["COLUMNS", "POINTS", "Row", "Rows"]

Row = dict[str, str]
#: Evaluations at which curves are recorded.
POINTS = (4, 8, 16, 24, 32, 64, 100, 150, 200, 500, 1000, 2000)
COLUMNS = (
    "task", "method", "seed", "budget", "evaluations", "networks", "optimum_at", "top_at", "judged", "hypervolume", "front", "accuracy",
    "test_accuracy", "seconds_per_evaluation", "cpu_per_evaluation",
    *(f"{kind}_{point}" for kind in ("best", "rank") for point in POINTS),
)  # fmt: skip


class Rows(ResultRows):
    """The rows in ``path``, as text.

    Args:
        path: of the CSV.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, dict.fromkeys(COLUMNS[:4], str), dict.fromkeys(COLUMNS[4:], str))

    def has(self, task: str, method: str, seed: int, budget: int) -> bool:
        """Whether this search was done."""
        return (task, method, str(seed), str(budget)) in self.done

    def add(self, row: dict[str, Any]) -> None:
        """Add and write; columns that are not given are empty."""
        super().add({name: str(row.get(name, "")) for name in COLUMNS})
