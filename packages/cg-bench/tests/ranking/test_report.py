"""The page and the plot of `cg bench transfer`, from rows made by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

from cg_bench.ranking.metrics import METRICS
from cg_bench.ranking.report import _nearness_to_1, markdown, plot, write_report


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


def rows_of(method: str, labels: int, values: list[float], target: str = "t", **others: float) -> list[dict[str, Any]]:
    return [
        {m.name: 0.5 for m in METRICS}
        | {
            "target": target,
            "method": method,
            "labels": labels,
            "draw": d,
            "spearman": v,
            "networks": 90,
            "seconds": 1.0,
        }
        | others
        for d, v in enumerate(values)
    ]


def section(text: str, title: str) -> str:
    return text[text.index(f"## {title}") :].split("\n## ")[0]


def test_every_metric_has_a_table_with_mean_and_deviation_over_draws() -> None:
    rows = (
        rows_of("ours", 0, [0.7]) + rows_of("ours", 20, [0.8, 0.9]) + rows_of("macs", 0, [0.25], coverage_90=math.nan)
    )
    text = markdown(rows)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [metric.title for metric in METRICS]
    spearman = section(text, "Spearman's rank correlation").splitlines()
    assert spearman[2:] == [
        "| t | 0 labels | 20 labels |", "|---|---|---|", "| ours | 0.700 | 0.850 ± 0.071 |", "| macs | 0.250 |  |",
    ]  # fmt: skip
    assert "| ours | 0.5000 | 0.5000 ± 0.0000 |" in section(text, "True rank of the predicted best")
    assert "macs" not in section(text, "Share of networks inside")  # a row without a number is left out
    assert "2 draws of labels at most" in text


def test_differences_are_paired_by_draws_that_both_have() -> None:
    plain, ours = [0.6, 0.7, 0.8], [0.7, 0.9, 0.8, 0.1]
    rows = rows_of("descriptors + GP", 50, plain) + rows_of("ours", 50, ours) + rows_of("forest", 50, [0.5])
    gaps = np.array([0.1, 0.2, 0.0])
    text = section(markdown(rows), "Spearman's correlation above that of descriptors + GP")
    assert f"| t | ours | {gaps.mean():+.3f} ± {gaps.std(ddof=1) / np.sqrt(3):.3f} |" in text
    assert "forest" not in text  # one draw has no error
    assert "above that of" not in markdown(rows_of("ours", 50, ours))
    without = rows_of("descriptors + GP", 0, plain) + rows_of("ours", 0, ours)
    assert "above that of" not in markdown(without)  # nothing is drawn where there are no labels


def test_targets_have_tables_of_their_own_in_the_order_of_the_rows() -> None:
    rows = rows_of("ours", 10, [0.5], "b") + rows_of("ours", 10, [0.6], "a", networks=1234)
    text = markdown(rows)
    assert "Networks: b 90, a 1,234." in text
    assert text.index("| b | 10 labels |") < text.index("| a | 10 labels |")


def test_the_page_and_its_plot_appear_only_with_results(tmp_path: Path) -> None:
    write_report(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
    write_report(tmp_path, rows_of("ours", 0, [0.7]) + rows_of("ours", 20, [0.8, 0.9]))
    assert (tmp_path / "results.md").read_text().endswith("](results.svg)\n")
    first = (tmp_path / "results.svg").read_bytes()
    write_report(tmp_path, rows_of("ours", 0, [0.7]) + rows_of("ours", 20, [0.8, 0.9]))
    assert (tmp_path / "results.svg").read_bytes() == first


def test_the_scale_of_the_plot_counts_decades_to_1() -> None:
    assert _nearness_to_1(np.array([0.0, 0.9, 0.99, 1.0])).tolist() == pytest.approx([0, 1, 2, 4])
