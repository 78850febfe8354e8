"""Results of finished searches, one row each, in a CSV that a second run of the command goes on with."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

__all__ = ["COLUMNS", "POINTS", "Row", "Rows", "write_whole"]

Row = dict[str, str]
#: Evaluations at which curves are recorded.
POINTS = (4, 8, 16, 24, 32, 64, 100, 150, 200, 500, 1000, 2000)
COLUMNS = (
    "task", "method", "seed", "budget", "evaluations", "networks", "optimum_at", "top_at", "judged", "hypervolume", "front", "accuracy",
    "test_accuracy", "seconds_per_evaluation", "cpu_per_evaluation",
    *(f"{kind}_{point}" for kind in ("best", "rank") for point in POINTS),
)  # fmt: skip


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)


class Rows:
    """The rows in ``path``, which is whole at every moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))

    def has(self, task: str, method: str, seed: int, budget: int) -> bool:
        """Whether this search was done."""
        key = (task, method, str(seed), str(budget))
        return any((r["task"], r["method"], r["seed"], r["budget"]) == key for r in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Add and write."""
        self.rows.append({name: str(row.get(name, "")) for name in COLUMNS})
        temporary = self.path.with_name(self.path.name + ".tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: row.get(name, "") for name in COLUMNS} for row in self.rows)
        os.replace(temporary, self.path)
