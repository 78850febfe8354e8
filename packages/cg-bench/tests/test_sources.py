"""The page of ``cg bench sources``, from rows made by hand, and what its rows are on a small prior."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from cg_bench.sources import DRAWS, markdown, source_rows, write_report

Row = dict[str, Any]


def rows_of(
    target: str, counting: tuple[float, float], subsets: dict[int, list[float]], without: dict[str, float]
) -> list[Row]:
    def row(kind: str, families: int, draw: int, spearman: float, out: str = "") -> Row:
        return {
            "target": target,
            "kind": kind,
            "families": families,
            "draw": draw,
            "without": out,
            "spearman": spearman,
        }

    return [
        *(row(kind, 0, 0, value) for kind, value in zip(("params", "macs"), counting, strict=True)),
        *(row("subset", n, draw, value) for n, values in subsets.items() for draw, value in enumerate(values)),
        *(row("all but one", max(subsets) - 1, 0, value, out) for out, value in without.items()),
    ]


@pytest.fixture
def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    sizes = {n: rng.uniform(0.2, 0.9, DRAWS).round(3).tolist() for n in (1, 2, 4, 5)} | {10: [0.8]}
    other = {n: rng.uniform(0.2, 0.9, DRAWS).round(3).tolist() for n in (1, 2, 4, 5)} | {10: [0.6]}
    return [
        *rows_of("a", (0.5, 0.82), sizes, {"x": 0.7, "y z": 0.85}),
        *rows_of("b", (0.7, 0.1), other, {"x": 0.65, "y z": 0.5}),
    ]


def cells(text: str, first: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_numbers_of_the_page_are_means_over_targets_of_each_draw(rows: list[Row]) -> None:
    text = markdown(rows)
    by_draw = np.array(
        [[r["spearman"] for r in rows if (r["target"], r["kind"], r["families"]) == (t, "subset", 4)] for t in "ab"]
    ).mean(axis=0)
    assert cells(text, "4") == ["4", f"{by_draw.mean():.3f} ± {by_draw.std(ddof=1):.3f}", f"{by_draw.max():.3f}"]
    assert cells(text, "all (10)") == ["all (10)", "0.700", ""]


def test_each_target_says_what_counting_gives_and_which_family_helps(rows: list[Row]) -> None:
    text = markdown(rows)
    half = [r["spearman"] for r in rows if (r["target"], r["kind"], r["families"]) == ("a", "subset", 5)]
    spread = f"{np.mean(half):.3f} ± {np.std(half, ddof=1):.3f}"
    assert cells(text, "a") == [
        "a",
        "0.500",
        "0.820",
        spread,
        "0.800",
        "",
        "x +0.100",
        "y z -0.050",
    ]  # .02 behind is no harm
    assert cells(text, "b")[4:] == ["0.600", "0.100", "y z +0.100", "x -0.050"]


def test_the_picture_has_a_line_for_each_target_and_is_the_same_every_time(rows: list[Row], tmp_path: Path) -> None:
    write_report(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
    write_report(tmp_path, rows)
    first = (tmp_path / "results.svg").read_bytes()
    assert ElementTree.fromstring(first).tag.endswith("svg")
    write_report(tmp_path, rows)
    assert (tmp_path / "results.svg").read_bytes() == first
    assert (tmp_path / "results.md").read_text().endswith("(results.svg)\n")


def test_rows_are_told_apart_by_what_was_left_out(rows: list[Row], tmp_path: Path) -> None:
    results = source_rows(tmp_path)
    for row in rows:
        results.add(row)
    assert len(results.done) == len(rows)
    assert source_rows(tmp_path).done == results.done
