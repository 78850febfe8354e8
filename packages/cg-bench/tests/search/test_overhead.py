"""What a search itself costs: the command that is timed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cg_bench.search.overhead import run_overhead
from cg_bench.search.rows import Rows
from cg_evolve.errors import SearchError


def test_each_method_is_timed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    rows = Rows(tmp_path / "results.csv")
    said = list(run_overhead(tmp_path, rows, ("random", "bayesian", "gp"), "counts", quick=True))
    assert [c[c.index("--algorithm") + 1] for c in commands] == ["random", "bayesian"]
    assert all(c[c.index("--budget") + 1] == "100" and c[c.index("--exclude") + 1] == "nb201" for c in commands)
    assert [(r["method"], r["evaluations"]) for r in rows.rows] == [("random", "100"), ("bayesian", "100")]
    assert all(float(r["seconds_per_evaluation"]) < 0.1 for r in rows.rows)
    assert len(said) == 2
    assert list(run_overhead(tmp_path, rows, ("random", "bayesian"), "counts", quick=True)) == []


def test_a_search_that_fails_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 2, "", "cg: no labels\n")
    )
    rows = Rows(tmp_path / "results.csv")
    with pytest.raises(SearchError, match=r"ended with: cg: no labels$"):
        list(run_overhead(tmp_path, rows, ("random",), "counts", quick=True))
    assert rows.rows == []
