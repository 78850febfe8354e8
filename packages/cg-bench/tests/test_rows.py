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


def test_half_a_row_of_a_killed_run_is_done_again(tmp_path: Path) -> None:
    """What lies behind the last line's end may be a number cut short, which nobody can tell from a whole one."""
    path = tmp_path / "r.csv"
    path.write_text("target,labels,spearman,networks\na,1,0.5,2\nb,2,0.8765,12")
    rows = ResultRows(path, KEYS, MEASURES)
    assert rows.done == {("a", 1)}
    rows.add({"target": "b", "labels": 2, "spearman": 0.8765, "networks": 1234})
    assert [row["networks"] for row in ResultRows(path, KEYS, MEASURES).rows] == [2, 1234]


def test_lines_that_end_as_on_windows_are_read(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"target,labels,spearman,networks\r\na,1,0.5,2\r\n")
    assert ResultRows(tmp_path / "r.csv", KEYS, MEASURES).done == {("a", 1)}


@pytest.mark.parametrize("row", ["a,one,0.5,2", "a,1,0.5", "a,1,much,2", "a,1,0.5,2.5", ","])
def test_a_damaged_row_is_named_and_the_file_left_alone(tmp_path: Path, row: str) -> None:
    text = f"target,labels,spearman,networks\nz,0,0.1,1\n{row}\n"
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(CgError, match=r"r\.csv, line 3: is no row of results: "):
        ResultRows(tmp_path / "r.csv", KEYS, MEASURES)
    assert (tmp_path / "r.csv").read_text() == text
