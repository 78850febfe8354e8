"""The CSV of finished searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from cg_bench.search.rows import COLUMNS, Rows
from cg_ir import CgError

DONE = {"task": "t", "method": "random", "seed": 3, "budget": 20, "evaluations": 20, "judged": "0.5"}


def test_what_was_done_is_known_to_a_second_run(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "results.csv")
    rows.add(DONE)
    again = Rows(tmp_path / "results.csv")
    assert again.rows == rows.rows
    assert again.has("t", "random", 3, 20)
    for other in (("u", "random", 3, 20), ("t", "local", 3, 20), ("t", "random", 4, 20), ("t", "random", 3, 21)):
        assert not again.has(*other)
    assert set(again.rows[0]) == set(COLUMNS)
    assert again.rows[0]["front"] == ""
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


def test_a_row_that_cannot_be_written_leaves_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(tmp_path / "results.csv")
    rows.add(DONE)
    before = (tmp_path / "results.csv").read_bytes()

    class Full:
        def __str__(self) -> str:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        rows.add({**DONE, "seed": Full()})
    assert (tmp_path / "results.csv").read_bytes() == before


def test_other_results_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("target,method\n")
    with pytest.raises(CgError, match="holds other results"):
        Rows(tmp_path / "results.csv")
