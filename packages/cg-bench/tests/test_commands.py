"""``cg bench``: every comparison as a user runs it, on tables of a few networks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cg_bench import Contender, Outcome, Target
from cg_bench.ranking.methods import random_labels
from cg_bench.ranking.transfer import Rows
from cg_bench.sources import source_rows
from cg_ir import Graph, get_space
from cg_ir.cli import main
from cg_predict.tables import LabelledFamily

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, standard output and standard error of ``cg bench``."""

    def run(*args: object) -> tuple[int, str, str]:
        try:
            code = main(["bench", *map(str, args)])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code or 0, captured.out, captured.err

    return run


@dataclass(frozen=True)
class Cells(Target):
    """A ranking task whose labels lie nowhere but here."""

    cells: LabelledFamily = field(default=LabelledFamily("nb201", [], np.zeros(0)))

    def read(self, data: Path, limit: int | None, graphs: Path | None = None) -> LabelledFamily:
        return self.cells if limit is None else self.cells.sample(limit, np.random.default_rng(0))


@pytest.fixture
def few(outsider: Any, cells: dict[str, Graph], family: tuple[list[Graph], np.ndarray]) -> LabelledFamily:
    """The target ``few``: 60 cells."""
    labelled = LabelledFamily("nb201", list(cells), family[1], built=cells).some(range(60))
    outsider.targets.append(Cells("few", "", "worth", cells=labelled))
    return labelled


class Noisy:
    """Ranks by the labels with noise, and says how sure it is."""

    name = "noisy"
    counts = (0, 20)

    def run(self, graphs: Sequence[Graph], labels: np.ndarray, count: int, draw: int) -> Outcome:
        rng = np.random.default_rng([count, draw])
        score = stats.norm.ppf((stats.rankdata(labels) - 0.5) / len(labels)) + rng.normal(size=len(labels))
        score[:5] = np.nan
        return Outcome(random_labels(len(labels), count, draw), score, np.full(len(labels), 0.8))


def test_every_column_of_a_ranking_is_what_scipy_says(
    bench: Run, tmp_path: Path, outsider: Any, few: LabelledFamily
) -> None:
    outsider.methods.append(Contender("noisy", lambda task: Noisy(), quick=True))
    code, out, err = bench("transfer", "--data", tmp_path, "--target", "few", "--method", "noisy", "-o", tmp_path / "o")
    assert (code, out) == (0, ""), err
    assert err.splitlines()[-1] == str(tmp_path / "o" / "results.md")
    rows = Rows(tmp_path / "o" / "results.csv").rows
    assert [(row["labels"], row["draw"]) for row in rows] == [(0, 0), *((20, draw) for draw in range(10))]
    for row in rows:
        outcome = Noisy().run([], few.labels, row["labels"], row["draw"])
        rest = np.setdiff1d(np.arange(5, 60), outcome.labelled)
        score, truth = outcome.score[rest], few.labels[rest]
        normal = stats.norm.ppf((stats.rankdata(few.labels) - 0.5) / 60)[rest]
        best, top = score.argmax(), np.argsort(-truth)[: max(1, round(0.05 * len(rest)))]
        tenth = np.argsort(-truth)[: max(2, round(0.1 * len(rest)))]
        assert row["networks"] == len(rest)
        assert row["spearman"] == pytest.approx(stats.spearmanr(score, truth).statistic, rel=1e-5)
        assert row["kendall"] == pytest.approx(stats.kendalltau(score, truth).statistic, rel=1e-5)
        assert row["precision_top_5"] == pytest.approx(np.isin(np.argsort(-score)[: len(top)], top).mean(), rel=1e-5)
        assert row["regret"] == pytest.approx(truth.max() - truth[best], rel=1e-5, abs=1e-9)
        assert row["rank_of_best"] == pytest.approx((truth > truth[best]).sum() / len(rest) + 1 / len(rest), rel=1e-5)
        assert row["spearman_top_10"] == pytest.approx(stats.spearmanr(score[tenth], truth[tenth]).statistic, rel=1e-4)
        inside = np.abs(score - normal) < stats.norm.ppf(0.95) * 0.8
        assert row["coverage_90"] == pytest.approx(inside.mean(), abs=0.021)  # one network may lie on the border
        assert row["seconds"] > 0
    page = (tmp_path / "o" / "results.md").read_text()
    values = [row["spearman"] for row in rows if row["labels"]]
    assert f"| noisy | {rows[0]['spearman']:.3f} | {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} |" in page
    assert "Networks: few 55." in page


def test_a_quick_ranking_has_few_draws_and_networks(bench: Run, tmp_path: Path, few: LabelledFamily) -> None:
    quick = ("transfer", "--data", tmp_path, "--target", "few", "--method", "scorer:counts", "--quick")
    assert bench(*quick, "--limit", 30, "-o", tmp_path / "o")[0] == 0
    rows = Rows(tmp_path / "o" / "results.csv").rows
    assert [(row["labels"], row["networks"]) for row in rows] == [(0, 30), (20, 10), (20, 10), (20, 10)]
    assert bench(*quick, "--limit", 30, "--draws", 4, "-o", tmp_path / "o")[0] == 0
    assert len(Rows(tmp_path / "o" / "results.csv").rows) == 5  # the missing one


def raising(*_: Any) -> Any:
    raise RuntimeError("no such\nweights")


class Broken:
    """A method that fails in one of its ways."""

    name = "broken"
    counts = (0,)

    def __init__(self, score: Any) -> None:
        self.score = score

    def run(self, graphs: Sequence[Graph], labels: np.ndarray, count: int, draw: int) -> Outcome:
        return Outcome(np.zeros(0, dtype=np.intp), np.asarray(self.score(), dtype=float))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (raising, "few: RuntimeError('no such\\nweights')"),
        (lambda task: Broken(raising), "few: broken, 0 labels: RuntimeError('no such\\nweights')"),
        (lambda task: Broken(lambda: np.full(60, np.nan)), "0 labels: no network without a label has a score"),
        (lambda task: Broken(lambda: np.zeros(7)), "few: broken, 0 labels: IndexError("),
    ],
    ids=["made", "run", "nothing", "too few"],
)
def test_a_broken_method_is_one_line_that_names_it(
    bench: Run, tmp_path: Path, outsider: Any, few: LabelledFamily, make: Any, message: str
) -> None:
    outsider.methods.append(Contender("broken", make))
    command = ("transfer", "--data", tmp_path, "--target", "few", "-o", tmp_path / "o", "--method")
    assert bench(*command, "params")[0] == 0
    code, out, err = bench(*command, "broken")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert "| params |" in (tmp_path / "o" / "results.md").read_text()  # what was done is left


def test_a_broken_target_is_one_line_that_names_it(bench: Run, tmp_path: Path, outsider: Any) -> None:
    class Torn(Target):
        def read(self, data: Path, limit: int | None, graphs: Path | None = None) -> LabelledFamily:
            raise KeyError("arch")

    outsider.targets.append(Torn("torn", "", "worth"))
    code, out, err = bench("transfer", "--data", tmp_path, "--target", "torn", "-o", tmp_path / "o")
    assert (code, out, err) == (2, "", "cg: error: torn: KeyError('arch')\n")


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [("transfer", "--limit", 0), ("transfer", "--draws", 0), ("sources", "--limit", -3), ("search", "--seeds", 0)],
)
def test_counts_are_positive(bench: Run, tmp_path: Path, command: str, option: str, value: int) -> None:
    code, _, err = bench(command, "--data", tmp_path, option, value, "-o", tmp_path / "o")
    assert code == 2
    assert f"Invalid value for '{option}': {value} is not in the range x>=1" in err
    assert not (tmp_path / "o").exists()


def test_without_a_result_no_page_is_promised(bench: Run, tmp_path: Path) -> None:
    target = ("--target", "timm, by module family")
    code, out, err = bench("sources", "--data", tmp_path, *target, "-o", tmp_path / "o")
    assert (code, out) == (2, "")
    assert (
        err
        == f"cg: error: {tmp_path / 'o'}: no result; what was asked for is left out, or no installed plugin reads its table\n"
    )
    assert list((tmp_path / "o").iterdir()) == []


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 24 networks of NATS-Bench's sizes, labelled by the logarithm of their parameters."""
    folder, space, rng = tmp_path_factory.mktemp("sizes"), get_space("natssize"), np.random.default_rng(0)
    archs = sorted({space.sample(rng) for _ in range(24)})
    labels = [float(np.log(space.graph(arch).params)) for arch in archs]
    text = "\n".join(["arch,cifar10_valid90", *(f"{a},{y}" for a, y in zip(archs, labels, strict=True))])
    (folder / "nats_size_cifar10.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def test_sources_of_a_small_table(bench: Run, tmp_path: Path, sizes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_bench.sources.DRAWS", 2)
    command = ("sources", "--data", sizes, "--target", "natssize", "-o", tmp_path, "--json")
    code, out, err = bench(*command)
    assert code == 0, err
    rows = source_rows(tmp_path).rows
    assert json.loads(out) == {"output": str(tmp_path / "results.md"), "rows": len(rows)}
    counted = {row["kind"]: row["spearman"] for row in rows if row["families"] == 0 and row["kind"] != "subset"}
    assert counted["params"] == pytest.approx(1)  # the labels are theirs
    assert 0 < counted["macs"] < 1
    whole = max(row["families"] for row in rows if row["kind"] == "subset")
    subsets = [(row["families"], row["draw"]) for row in rows if row["kind"] == "subset"]
    assert subsets == [(n, d) for n in sorted({1, 2, 4, whole // 2, whole}) for d in range(2 if n < whole else 1)]
    without = [row["without"] for row in rows if row["kind"] == "all but one"]
    assert len(without) == len(set(without)) == whole
    assert not any("natssize" in names for names in without)  # the target's own family is in no subset
    assert bench(*command)[1] == out
    assert len(source_rows(tmp_path).rows) == len(rows)


def test_missing_tables_are_one_line(bench: Run, tmp_path: Path) -> None:
    for command in ("transfer", "sources", "ablation", "proxies"):
        code, out, err = bench(command, "--data", tmp_path, "-o", tmp_path / "o")
        assert (code, out, err.count("\n")) == (2, "", 1), command
        assert "should" in err
