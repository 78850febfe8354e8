"""``cg bench search`` as a user runs it, on a table of 30 networks."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cg_bench.search.methods import make_method
from cg_bench.search.rows import POINTS
from cg_bench.search.tables import PLACED, TASKS, Table
from cg_evolve import Search
from cg_ir import Graph, get_scorer
from cg_ir.cli import main

pytestmark = pytest.mark.usefixtures("outsider")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def search(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, standard output and standard error of ``cg bench search``."""

    def run(*args: object) -> tuple[int, str, str]:
        try:
            code = main(["bench", "search", "--scorer", "counts", *map(str, args)])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code or 0, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def labels(cells: dict[str, Graph], family: tuple[list[Graph], np.ndarray]) -> dict[str, float]:
    """Validation accuracy of 30 cells; the test accuracy that they are judged by is its double."""
    values = (90 + 5 * family[1][:30]).round(4).tolist()
    return dict(zip(cells, values, strict=False))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, labels: dict[str, float]) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    lines = ["index,arch_str,cifar10_valid,cifar10_test,cifar10_valid_12ep"]
    lines += [f"{i},{arch},{v},{2 * v},{v - i % 7}" for i, (arch, v) in enumerate(labels.items())]
    (folder / "nb201_cifar10.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", ["random", "regularized", "bayesian"])
def test_every_column_of_a_row_is_what_the_search_found(
    search: Run, tmp_path: Path, data: Path, labels: dict[str, float], method: str
) -> None:
    begin = time.perf_counter()
    command = ("--data", data, "--task", "nb201", "--method", method, "--seeds", 1, "--quick", "--json", "-o", tmp_path)
    code, out, err = search(*command)
    passed = time.perf_counter() - begin
    assert code == 0, err
    assert json.loads(out) == {"output": str(tmp_path / "results.md"), "rows": 1}
    (row,) = read(tmp_path)
    algorithm = make_method(method, "counts", ("nb201",))
    again = Search("nb201", algorithm, seed=0, exclude=("nb201",), pool=list(labels), q=1)
    found: list[float] = []
    while not found or max(found) < max(labels.values()):
        candidate = again.ask()[0]
        found.append(labels[candidate.arch])
        again.tell(candidate, found[-1])
    budget = 64 if method == "bayesian" else 200
    assert (row["task"], row["method"], row["seed"], row["budget"]) == ("nb201", method, "0", str(budget))
    assert row["networks"] == "30"
    assert row["evaluations"] == row["optimum_at"] == row["top_at"] == str(len(found))  # 0.1 % of 30 is the best one
    assert float(row["judged"]) == pytest.approx(2 * max(labels.values()), rel=1e-5)
    for point in POINTS:
        if point > budget:
            assert row[f"best_{point}"] == row[f"rank_{point}"] == ""
            continue
        best = max(found[:point])
        assert float(row[f"best_{point}"]) == pytest.approx(best, rel=1e-5)
        assert int(row[f"rank_{point}"]) == 1 + sum(value > best for value in labels.values())
    assert 0 < float(row["seconds_per_evaluation"]) * len(found) < passed + 0.01
    assert not any(row[name] for name in ("hypervolume", "front", "accuracy", "test_accuracy"))
    page = (tmp_path / "results.md").read_text()
    assert f"| `{method}` | 1 | {budget} | {len(found)} ({len(found)} to {len(found)}) |" in page
    assert "30 distinct networks, searched by `cifar10_valid`, the best found judged by `cifar10_test`" in page
    assert search(*command)[0] == 0
    assert read(tmp_path) == [row]  # its seconds, too: nothing was done twice


def test_methods_that_compare_trainings_end_with_a_small_table(search: Run, tmp_path: Path, data: Path) -> None:
    """30 networks are trained to their end long before 50 whole trainings' epochs are used up."""
    methods = [part for name in ("asha", "hyperband", "halving") for part in ("--method", name)]
    command = ("--data", data, "--task", "nb201", *methods, "--seeds", 2, "-o", tmp_path)
    code, _, err = search(*command)
    assert code == 0, err
    rows = read(tmp_path)
    assert [(row["method"], row["seed"]) for row in rows] == [
        (method, seed) for method in ("asha", "hyperband", "halving") for seed in "01"
    ]
    assert all(row["rank_32"] == "1" and 1 <= int(row["optimum_at"]) <= 30 for row in rows)


def test_the_place_of_the_best_is_counted_among_all(
    search: Run, tmp_path: Path, data: Path, labels: dict[str, float]
) -> None:
    """Fewer networks than labels that the comparison asks for: all others are learned from."""
    command = ("--data", data, "--task", "nb201", "--method", "bayesian", "--seeds", 1, "-o", tmp_path)
    assert search(*command)[0] == 0
    placed, _ = read(tmp_path)
    table = Table.read(TASKS[0], data)
    best = max(labels, key=labels.__getitem__)
    graphs = [table.space.graph(arch) for arch in labels]
    scorer = get_scorer("counts").fit([g for g, a in zip(graphs, labels, strict=True) if a != best],
                                      [v for a, v in labels.items() if a != best])  # fmt: skip
    scores = dict(zip(labels, scorer.predict(graphs).round(9), strict=True))
    assert placed["method"] == PLACED
    assert int(placed["optimum_at"]) == 1 + sum(score > scores[best] for score in scores.values())


def test_rows_of_a_search_that_was_stopped_early_make_a_page(search: Run, tmp_path: Path, data: Path) -> None:
    """Only the place of the best is there of one table when another part is asked for."""
    command = ("--data", data, "--task", "nb201", "--seeds", 1, "-o", tmp_path)
    assert search(*command, "--method", "bayesian")[0] == 0
    lines = (tmp_path / "results.csv").read_text().splitlines()
    (tmp_path / "results.csv").write_text("\n".join(lines[:2]) + "\n")
    code, _, err = search(*command, "--method", "asha", "--quick")
    assert code == 0, err
    (tmp_path / "results.csv").write_text("\n".join(lines[:2]) + "\n")
    code, _, err = search("--data", data, "--task", "nb201", "--method", "nsga2", "-o", tmp_path)
    assert code == 0, err
    assert "## nb201" not in (tmp_path / "results.md").read_text()


def test_what_no_plugin_reads_is_left_out_and_said(
    search: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cg_bench.search.commands._readable", lambda part: False)
    code, out, err = search("--data", tmp_path, "--task", "nb301", "--task", "overhead", "-o", tmp_path / "o")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[:2] == [f"{part}: no installed plugin reads its table; left out" for part in ("nb301", "overhead")]
    assert lines[2].startswith("cg: error: ")
    assert lines[2].endswith("no result; what was asked for is left out, or no installed plugin reads its table")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--task", "nb999"), "'nb999' is not one of"),
        (("--method", "adam"), "'adam' is not one of"),
        (("--seeds", "-1"), "-1 is not in the range x>=1"),
    ],
)
def test_mistakes_are_one_line(search: Run, tmp_path: Path, option: tuple[str, str], message: str) -> None:
    code, out, err = search("--data", tmp_path, *option, "-o", tmp_path / "o")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "o").exists()


def test_a_table_without_its_file_is_one_line(search: Run, tmp_path: Path) -> None:
    code, out, err = search("--data", tmp_path, "--task", "nb201", "-o", tmp_path / "o")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no labels of nb201 here" in err
