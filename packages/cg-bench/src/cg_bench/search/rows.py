"""Results of finished searches, one row each, in a CSV that a second run of the command goes on with."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from cg_evolve.errors import SearchError
from cg_ir.files import atomic_path

__all__ = ["COLUMNS", "POINTS", "Row", "Rows"]

Row = dict[str, str]
#: Evaluations at which curves are recorded.
POINTS = (4, 8, 16, 24, 32, 64, 100, 150, 200, 500, 1000, 2000)
COLUMNS = (
    "task", "method", "seed", "budget", "evaluations", "networks", "optimum_at", "top_at", "judged", "hypervolume", "front", "accuracy",
    "test_accuracy", "seconds_per_evaluation", "cpu_per_evaluation",
    *(f"{kind}_{point}" for kind in ("best", "rank") for point in POINTS),
)  # fmt: skip


class Rows:
    """The rows in ``path``, which is whole at every moment.

    Raises:
        SearchError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise SearchError(f"{path} holds other results; name another folder")
                self.rows = list(reader)

    def has(self, task: str, method: str, seed: int, budget: int) -> bool:
        """Whether this search was done."""
        key = (task, method, str(seed), str(budget))
        return any((r["task"], r["method"], r["seed"], r["budget"]) == key for r in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Add and write."""
        self.rows.append({name: str(row.get(name, "")) for name in COLUMNS})
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: row.get(name, "") for name in COLUMNS} for row in self.rows)
