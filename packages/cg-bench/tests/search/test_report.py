"""The page of compared searches, from rows made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import wilcoxon

from cg_bench.search.report import write_report
from cg_bench.search.rows import COLUMNS, Row
from cg_bench.search.tables import PLACED


def row(task: str, method: str, seed: int, **values: Any) -> Row:
    given = {
        "task": task,
        "method": method,
        "seed": seed,
        "budget": 100,
        "networks": 15625,
        "evaluations": 100,
        "judged": 0.94,
    }
    return {name: str((given | values).get(name, "")) for name in COLUMNS}


def table(text: str, heading: str, first: str) -> dict[str, dict[str, str]]:
    """The table below a heading whose first column is called so: cells by the first one and the column's name."""
    lines = iter(text[text.index(f"## {heading}") :].splitlines())
    head = next(line for line in lines if line.startswith(f"| {first} |"))
    names = [cell.strip() for cell in head.strip("|").split("|")]
    found = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set(line) != set("|-"):
            found[cells[0]] = dict(zip(names, cells, strict=True))
    return found


def page(rows: list[Row], folder: Path) -> str:
    write_report(rows, folder)
    return (folder / "results.md").read_text(encoding="utf-8")


def test_searches_of_a_table_are_summed_up_by_quartiles(tmp_path: Path) -> None:
    at = [3, 24, 25, 64, None]
    rows = [
        row(
            "nb201",
            "bayesian",
            seed,
            optimum_at=at[seed] or "",
            top_at=seed + 1,
            best_16=0.9 + seed / 100,
            rank_16=5 - seed,
        )
        for seed in range(5)
    ]
    rows += [row("nb201", "random", seed, best_16=0.9, rank_16=9) for seed in range(2)]
    rows += [row("nb201", PLACED, seed, optimum_at=p) for seed, p in enumerate((4, 8, 6))]
    text = page(rows, tmp_path)
    found = table(text, "nb201", "method")
    assert found["`bayesian`"] == {
        "method": "`bayesian`", "seeds": "5", "budget": "100", "to the best network": "25 (24 to 64)", "within 24": "2/5", "within 64": "4/5",
        "to the best 0.1 %": "3 (2 to 4)", "best after 16": "0.9200 (0.9100 to 0.9300)", "judged": "0.9400 (0.9400 to 0.9400)",
    }  # fmt: skip
    assert found["`random`"]["to the best network"] == "never (never to never)"
    assert found["`random`"]["within 64"] == "0/2"
    assert "15,625 distinct networks" in text
    assert "expected after 7,813 evaluations" in text
    assert "at 6 (4 to 8)\n(3 draws)" in text
    assert "Trainings compared" not in text
    labels = {e.text for e in ElementTree.parse(tmp_path / "results.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert {"nb201", "bayesian", "random", "rank of the best found"} <= labels
    first = (tmp_path / "results.svg").read_bytes()
    page(rows, tmp_path)
    assert (tmp_path / "results.svg").read_bytes() == first


def test_searches_that_end_no_training_early_are_shown_at_half_of_their_epochs(tmp_path: Path) -> None:
    rows = [
        row("nb201", "halving", s, budget=50, optimum_at=8, top_at=4, **{f"rank_{p}": 2 for p in (4, 8, 16, 32)})
        for s in range(3)
    ]
    ranks = {f"rank_{p}": p for p in (4, 8, 16, 32, 64)}
    rows += [row("nb201", "bayesian", s, optimum_at=20, top_at=10, **ranks) for s in range(3)]
    text = page(rows, tmp_path)
    found = table(
        text[text.index("Trainings compared") - 10 :].replace("Trainings", "## x\nTrainings", 1), "x", "method"
    )
    assert found["`halving`"]["to the best network"] == "8 (8 to 8)"
    assert found["`bayesian`"]["to the best network"] == "20 (20 to 20)"
    assert found["`bayesian`, twice the epochs"]["to the best network"] == "10 (10 to 10)"
    assert [found["`bayesian`"][f"rank after {p}"][:2].strip() for p in (4, 8, 16, 32)] == ["4", "8", "16", "32"]
    assert [found["`bayesian`, twice the epochs"][f"rank after {p}"][:2].strip() for p in (4, 8, 16, 32)] == [
        "8",
        "16",
        "32",
        "64",
    ]


def test_fronts_are_paired_by_seed(tmp_path: Path) -> None:
    def front(method: str, seed: int, points: list[list[float]]) -> Row:
        volume = 100.0 + seed
        values = {"front": json.dumps(points), "hypervolume": volume, "judged": points[0][0], "networks": 1234}
        return row("mobilenetv3 under 220 M", method, seed, **values)

    rows = [
        front("random", 0, [[1.0, 5], [0.5, 3]]), front("random", 1, [[2.0, 5]]),
        front("bayesian", 0, [[1.5, 3]]), front("bayesian", 1, [[1.0, 5]]), front("bayesian", 7, [[9.0, 1]]),
    ]  # fmt: skip
    text = page(rows, tmp_path)
    assert "1,234 sub-networks" in text
    lines = [
        [c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| 220 M")
    ]
    random, ours = lines
    assert random[:4] == ["220 M", "`random`", "2", "100"]
    assert random[6:] == ["", "", ""]
    assert ours[6:] == ["0.00 (0.00 to 1.00)", "0.00 (0.00 to 1.00)", "1/2"]  # seed 7 has no partner
    assert not (tmp_path / "results.svg").exists()


def test_trainings_are_compared_in_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    others = 80 + rng.normal(size=8)
    ours = others + np.array([1, 2, 1, 3, -1, 2, 1, 1.5])
    rows = [
        row("digits", method, seed, budget=40, accuracy=f"{v:.4f}", test_accuracy=f"{v - 1:.4f}")
        for method, values in (("bayesian", ours), ("random", others))
        for seed, v in enumerate(values)
    ]
    rows.append(row("digits", "bayesian", 99, budget=40, accuracy=0, test_accuracy=0))  # has no partner
    found = table(page(rows, tmp_path), "Real training", "")
    assert found["accuracy"]["pairs"] == "8"
    assert found["accuracy"]["mean difference"] == f"{(ours - others).mean():+.2f}"
    assert found["accuracy"]["`bayesian` better"] == "7/8"
    assert float(found["accuracy"]["p (Wilcoxon, two-sided)"]) == pytest.approx(
        wilcoxon(ours.round(4), others.round(4)).pvalue, rel=0.05
    )


def test_what_a_search_costs_is_in_milliseconds(tmp_path: Path) -> None:
    text = page([row("overhead", "random", 0, seconds_per_evaluation=0.0123, cpu_per_evaluation=0.004)], tmp_path)
    found = table(text, "What the search itself costs", "method")
    assert found["`random`"] == {
        "method": "`random`",
        "evaluations": "100",
        "ms an evaluation": "12.3",
        "ms of processor time": "4.0",
    }


def test_trainings_that_are_compared_stand_beside_whole_ones_of_the_same_seeds(tmp_path: Path) -> None:
    best = {"random": (50, 60, 70), "bayesian": (60, 70, 80), "halving": (65, 70, 90)}
    rows = [
        row("digits", method, seed, budget=20 if method == "halving" else 40, accuracy=end + seed, test_accuracy=end - 1, best_16=early)
        for method, (early, _, end) in best.items()
        for seed in range(3)
        if (method, seed) != ("halving", 2)
    ]  # fmt: skip
    text = page(rows, tmp_path)
    assert "every network is trained (`train:digits" in text
    assert ", 40 a search" in text
    section = text[text.index("Trainings compared") :].replace("Trainings", "## x\nTrainings", 1)
    found = table(section, "x", "method")
    assert {method: cells["seeds"] for method, cells in found.items()} == dict.fromkeys(
        ("`halving`", "`random`", "`bayesian`"), "2"
    )  # seed 2 has no halving
    assert found["`halving`"]["after 16"] == "65.0 (65.0 to 65.0)"
    assert found["`random`"]["in the end"] == "70.0 (70.0 to 71.0)"
    assert found["`bayesian`"]["`halving` ahead"].startswith("2/2 (p ")
    assert found["`halving`"]["`halving` ahead"] == ""
