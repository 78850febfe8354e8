"""Searches for accuracy against multiply-accumulates: what their rows say of their fronts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cg_bench.search import fronts
from cg_bench.search.rows import Rows

POINTS = st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 6)), min_size=1, max_size=6).map(
    lambda points: np.array(points, dtype=float)
)


@given(POINTS, POINTS)
def test_coverage_counts_what_is_equalled_or_dominated(front: np.ndarray, other: np.ndarray) -> None:
    expected = np.mean([any(s >= t and m <= n for s, m in front) for t, n in other])
    assert fronts.covered(front, other) == pytest.approx(expected)
    assert fronts.covered(front, front) == 1


class Formula:
    """In place of the scorer that learned the table: wide networks are good, up to a point."""

    def __init__(self, data: Path, scorer: str, rows: int | None) -> None:
        self.labels = 77

    def scores(self, graphs: list[Any]) -> list[float]:
        return [float(np.log(g.macs / 1e8) + (g.params % 1000) / 1000) for g in graphs]


def area(front: np.ndarray, bound: float) -> float:
    """Hypervolume by strips of multiply-accumulates, in millions, above a score of -3."""
    total, left = 0.0, bound * 1e6
    for score, macs in sorted(front.tolist(), key=lambda p: -p[0]):
        if macs < left:
            total += (score + 3) * (left - macs)
            left = macs
    return total / 1e6


def test_fronts_lie_under_the_bound_and_rows_say_their_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fronts, "_Model", Formula)
    monkeypatch.setattr(fronts, "BUDGET", 20)
    monkeypatch.setattr(fronts, "BOUNDS", (300,))
    rows = Rows(tmp_path / "results.csv")
    said = list(fronts.run_fronts(tmp_path, rows, ("random", "nsga2"), 1, "counts", quick=False))
    assert said[0] == "mobilenetv3: the scorer is fitted to 77 sub-networks"
    assert [(r["method"], r["seed"]) for r in rows.rows] == [("random", "0"), ("nsga2", "0")]
    for row in rows.rows:
        front = fronts.read_front(row)
        assert (row["task"], row["evaluations"], row["networks"]) == ("mobilenetv3 under 300 M", "20", "77")
        assert (front[:, 1] < 300e6).all()
        assert (np.diff(front[front[:, 0].argsort()][:, 1]) > 0).all()  # more accuracy costs more
        assert float(row["hypervolume"]) == pytest.approx(area(front, 300), rel=1e-3)
        assert float(row["judged"]) == pytest.approx(front[:, 0].max(), abs=1e-4)
    assert (
        list(fronts.run_fronts(tmp_path, rows, ("random", "nsga2"), 1, "counts", quick=False)) == []
    )  # all of it was done


def test_a_search_without_limit_is_called_so_and_may_have_no_front() -> None:
    assert fronts.task_name(None) == "mobilenetv3 without limit"
    assert fronts.read_front({"front": "[]"}).shape == (0, 2)
