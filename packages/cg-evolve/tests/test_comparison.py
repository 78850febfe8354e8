"""Several runs on one page: its data against the histories, its page against a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cg_evolve.commands import report
from cg_evolve.comparison import comparison_data, comparison_page
from cg_evolve.errors import SearchError
from cg_evolve.report import read
from cg_evolve.runs import Config, Run


def run_search(folder: Path, budget: int, **settings: Any) -> Path:
    with Run.open(folder, Config("toy", settings.pop("evaluator", "toy"), budget, **settings)) as run:
        run.execute()
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        run_search(folder / "random", 30, algorithm="random"),
        run_search(folder / "evolution", 40, algorithm="regularized", seed=3),
    ]


def test_each_side_is_its_history(runs: list[Path]) -> None:
    data = comparison_data(runs)
    assert data["objective"] == {"metric": "worth", "maximize": True}
    assert [side["name"] for side in data["runs"]] == ["random", "evolution"]
    assert [len(side["values"]) for side in data["runs"]] == [30, 40]
    for side, facts in zip(
        data["runs"], ({"algorithm": "random"}, {"algorithm": "regularized", "seed": 3}), strict=True
    ):
        assert side["best"]["value"] == max(side["values"])
        assert side["seconds"] == sorted(side["seconds"])
        assert facts.items() <= side["facts"].items()


def test_time_counts_from_the_beginning_of_the_first_evaluation(tmp_path: Path) -> None:
    run = read(run_search(tmp_path / "slow", 2, algorithm="random", evaluator="toy?pause=0.2"))
    assert run.ended[0] == pytest.approx(run.rows[0].cost, abs=0.01)
    assert run.ended[0] > 0.19


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = [run_search(tmp_path / part / "run", 3, algorithm="random") for part in ("a", "b")]
    assert [side["name"] for side in comparison_data(folders)["runs"]] == [str(folder) for folder in folders]


def test_what_cannot_be_compared_is_refused(runs: list[Path], tmp_path: Path) -> None:
    other = run_search(tmp_path / "least", 3, algorithm="random", objectives=("macs",))
    with pytest.raises(SearchError, match=r"least: is about macs.*they cannot be compared"):
        comparison_data([*runs, other])
    with pytest.raises(SearchError, match="between 2 and 12 runs"):
        comparison_data(runs[:1])


def test_a_failed_evaluation_has_no_value(tmp_path: Path) -> None:
    broken = run_search(tmp_path / "broken", 4, algorithm="random", evaluator="broken", give_up=0, retries=0)
    good = run_search(tmp_path / "good", 4, algorithm="random", evaluator="broken", objectives=("accuracy",), give_up=0)
    side = comparison_data([broken, good])["runs"][0]
    assert (side["values"], side["failed"], side["best"]) == ([None] * 4, 4, None)


def test_the_command_writes_one_page(runs: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    result = CliRunner().invoke(report, [*map(str, runs), "-o", str(page)], catch_exceptions=False)
    assert result.output == f"{page}\n"
    assert "<title>Comparison of 2 searches</title>" in page.read_text()
    assert not re.search(r'http-equiv="refresh"', page.read_text())


@pytest.mark.browser
def test_the_page_names_what_differs(browser: Any, runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "c.html").write_text(comparison_page(runs))
    browser.get((tmp_path / "c.html").as_uri())
    texts = browser.execute_script("return [...document.querySelectorAll('.comparison th')].map((e) => e.textContent)")
    assert texts[:4] == ["run", "algorithm", "budget", "seed"]
    rows = browser.execute_script(
        "return [...document.querySelectorAll('.comparison tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    )
    best = [side["best"]["value"] for side in comparison_data(runs)["runs"]]
    assert [float(row[4]) for row in rows] == pytest.approx(best, rel=1e-5)
    assert browser.execute_script("return document.querySelectorAll('#trajectories canvas').length") == 1
    assert [row[0] for row in rows] == ["random", "evolution"]
