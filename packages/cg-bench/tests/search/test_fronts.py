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
from cg_ir import get_scorer, get_space

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


def test_the_scorer_learns_the_table_and_is_asked_once_a_network(tmp_path: Path, outsider: Any) -> None:
    space, rng = get_space("mobilenetv3"), np.random.default_rng(0)
    archs = sorted({space.canonical(space.sample(rng)) for _ in range(7)})
    labels = [float(space.graph(arch).macs) for arch in archs]
    lines = ["arch,top1", *(f"{arch},{y}" for arch, y in zip(archs, labels, strict=True))]
    (tmp_path / "ofa.csv").write_text("\n".join(lines) + "\n")
    whole, part = fronts._Model(tmp_path, "counts", None), fronts._Model(tmp_path, "counts", 4)
    assert (whole.labels, part.labels) == (7, 4)
    graphs = [space.graph(arch) for arch in archs]
    expected = get_scorer("counts").fit(graphs, labels).predict([graphs[0], graphs[1]])
    assert whole.scores([graphs[0], graphs[1], graphs[0]]) == pytest.approx([*expected, expected[0]])
    whole._scorer = None  # what is known is not asked again
    assert whole.scores(graphs[:2]) == pytest.approx(expected)


def test_a_space_that_is_used_up_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        """Three members of the space."""

        name, size = "small", 3

        def __init__(self) -> None:
            self._space = get_space("mobilenetv3")
            rng = np.random.default_rng(0)
            self._archs = [self._space.canonical(self._space.sample(rng)) for _ in range(3)]

        def enumerate(self) -> Any:
            return iter(self._archs)

        def sample(self, rng: np.random.Generator) -> str:
            return self._archs[int(rng.integers(3))]

        def graph(self, arch: str) -> Any:
            return self._space.graph(arch)

    monkeypatch.setattr(fronts, "SPACE", Small())
    row = fronts._search(Formula(Path(), "", None), "random", None, 0, 10, "counts")  # type: ignore[arg-type]
    assert (row["evaluations"], row["budget"]) == (3, 10)
