"""What a search itself costs: a run of the command line on a table, whose evaluations take no time, from the start of the process to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cg_bench.search.rows import Rows
from cg_evolve.errors import SearchError

__all__ = ["BUDGET", "TASK", "run_overhead"]

TASK = "overhead"
BUDGET = 1000
_METHODS = ("random", "regularized", "bayesian")


def run_overhead(data: Path, rows: Rows, methods: tuple[str, ...], scorer: str, quick: bool) -> Iterator[str]:
    """Run what is not among the rows yet; yields a line for each run.

    Everything counts: start of the interpreter, imports, reading the table, building and hashing all its networks, refits, history, winner.
    """
    budget = 100 if quick else BUDGET
    for method in _METHODS:
        if method not in methods or rows.has(TASK, method, 0, budget):
            continue
        with tempfile.TemporaryDirectory() as folder:
            started, before = time.perf_counter(), os.times()
            done = subprocess.run(
                [
                    sys.executable, "-m", "cg_ir.cli", "search", "nb201", "--budget", str(budget), "--seed", "0",
                    "--algorithm", method, "--evaluator", f"benchmark:nb201={data}", "--exclude", "nb201", "--scorer", scorer,
                    "-o", str(Path(folder) / "run"),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            elapsed, after = time.perf_counter() - started, os.times()
        if done.returncode:
            raise SearchError(f"a search of nb201 ended with: {done.stderr.strip()[-300:]}")
        busy = after.children_user + after.children_system - before.children_user - before.children_system
        rows.add(
            {
                "task": TASK,
                "method": method,
                "seed": 0,
                "budget": budget,
                "evaluations": budget,
                "seconds_per_evaluation": f"{elapsed / budget:.4f}",
                "cpu_per_evaluation": f"{busy / budget:.4f}",
            }
        )
        yield f"{TASK} {method}: {1000 * elapsed / budget:.1f} ms an evaluation, {1000 * busy / budget:.1f} ms of them computing"
