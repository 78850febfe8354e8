"""The plot of `cg bench transfer`."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import pyplot

from cg_bench.ranking.report import plot


def test_a_method_has_one_colour_in_all_panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyplot, "close", lambda figure: None)
    present = {"a": ("forest", "ours"), "b": ("ours", "forest"), "c": ("ours",)}
    rows = [
        {"target": target, "method": method, "labels": labels, "draw": 0, "spearman": 0.5}
        for target, methods in present.items()
        for method in methods
        for labels in (10, 50)
    ]
    plot(rows, tmp_path / "plot.svg")
    colours = {(line.get_label(), line.get_color()) for axis in pyplot.gcf().axes for line in axis.get_lines()}
    assert {label for label, _ in colours} == {"forest", "ours"}
    assert len(colours) == 2
