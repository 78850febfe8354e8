"""Searches on tables: what their rows say against the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cg_bench.search.report import write_report
from cg_bench.search.rows import Rows
from cg_bench.search.tables import Table, Task, run_halving, run_search
from cg_evolve.pool import Pool
from cg_ir import Graph, get_space

TASK = Task("nb201", "worth", "worth", 20, 20, ((1, "early"), (4, "worth")))

pytestmark = pytest.mark.usefixtures("outsider")


@pytest.fixture(scope="module")
def table(cells: dict[str, Graph], family: tuple[list[Graph], np.ndarray]) -> Table:
    rng = np.random.default_rng(0)
    values, space = family[1], get_space("nb201")
    noisy = values + 0.5 * values.std() * rng.normal(size=len(values))
    labels = {arch: {"worth": w, "early": e} for arch, w, e in zip(cells, values, noisy, strict=True)}
    return Table(TASK, space, Pool(list(cells), cells.__getitem__, str), labels, np.sort(values)[::-1])


@pytest.mark.parametrize("method", ["asha", "hyperband", "halving"])
def test_a_row_of_halving_counts_whole_trainings(table: Table, method: str) -> None:
    row = run_halving(table, method, seed=1, budget=20, scorer="counts")
    assert 0 < row["evaluations"] <= 21  # the last training is ended
    best = [float(row[f"best_{point}"]) for point in (4, 8, 16)]
    assert best == sorted(best)
    assert best == pytest.approx([table.ranks[row[f"rank_{point}"] - 1] for point in (4, 8, 16)], rel=1e-5)
    assert float(row["judged"]) >= best[-1] - 1e-4


def test_the_predictor_helps(table: Table) -> None:
    found = {
        method: np.median([float(run_halving(table, method, seed, 12, "counts")["judged"]) for seed in range(6)])
        for method in ("asha", "halving")
    }
    assert found["halving"] > found["asha"]


def test_the_page_says_how_trainings_are_counted(table: Table, tmp_path: Path) -> None:
    rows = Rows(tmp_path / "results.csv")
    rows.add(run_search(table, "random", 0, 20, "counts"))
    write_report(rows.rows, tmp_path)
    assert "whole training" not in (tmp_path / "results.md").read_text()
    rows.add(run_halving(table, "asha", 0, 20, "counts"))
    write_report(rows.rows, tmp_path)
    text = (tmp_path / "results.md").read_text()
    assert "of which one in three goes on" in text
    assert "| `asha` | 1 |" in text
