"""Result files: what a stopped run goes on with."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cg_bench.rows import ResultRows
from cg_ir.errors import CgError

KEYS = {"target": str, "labels": int}
MEASURES = {"spearman": float, "networks": int}


def test_a_second_run_reads_what_the_first_one_wrote(tmp_path: Path) -> None:
    first = ResultRows(tmp_path / "r.csv", KEYS, MEASURES)
    assert (first.rows, first.done) == ([], set())
    first.add({"target": "a, b", "labels": 10, "spearman": 0.123456789, "networks": 7})
    first.add({"target": "größe", "labels": 20, "spearman": math.nan, "networks": 8})
    again = ResultRows(tmp_path / "r.csv", KEYS, MEASURES)
    assert again.done == first.done == {("a, b", 10), ("größe", 20)}
    assert again.rows[0] == {"target": "a, b", "labels": 10, "spearman": 0.123457, "networks": 7}
    assert math.isnan(again.rows[1]["spearman"])
    again.add({"target": "c", "labels": 0, "spearman": 1.0, "networks": 1})
    text = (tmp_path / "r.csv").read_text(encoding="utf-8")
    assert text.count("target,labels,spearman,networks") == 1
    assert len(ResultRows(tmp_path / "r.csv", KEYS, MEASURES).rows) == 3


def test_numbers_that_are_missing_are_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("target,labels,spearman,networks\na,1,,2\n")
    (row,) = ResultRows(tmp_path / "r.csv", KEYS, MEASURES).rows
    assert math.isnan(row.pop("spearman"))
    assert row == {"target": "a", "labels": 1, "networks": 2}


@pytest.mark.parametrize(
    "head", ["", "target,labels\n", "labels,target,spearman,networks\n", "target,labels,spearman,networks,more\n"]
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, head: str) -> None:
    (tmp_path / "r.csv").write_text(head)
    with pytest.raises(CgError, match="holds other results"):
        ResultRows(tmp_path / "r.csv", KEYS, MEASURES)
    assert (tmp_path / "r.csv").read_text() == head
