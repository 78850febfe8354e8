"""``cg bench transfer`` as a user runs it, and with targets, methods and metrics of a third party."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cg_bench import Contender, Metric, Outcome, ScorerMethod, Target
from cg_bench.ranking.metrics import METRICS
from cg_bench.ranking.report import markdown
from cg_bench.ranking.suite import METHODS
from cg_bench.ranking.targets import TARGETS
from cg_bench.ranking.transfer import Rows
from cg_ir import registry
from cg_ir.cli import main
from cg_predict.tables import LabelledFamily


def run(capsys, *args: object):
    """Exit status, standard output and standard error of ``cg bench transfer``."""
    try:
        code = main(["bench", "transfer", *map(str, args)])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


def row(method: str, labels: int, draw: int, spearman: float) -> dict[str, object]:
    values = {metric.name: 0.5 for metric in METRICS} | {"seconds": 0.5}
    values |= {"target": "t", "method": method, "labels": labels, "draw": draw}
    return values | {"spearman": spearman, "networks": 100, "coverage_90": float("nan")}


def test_results_continue_and_tables_say_mean_spread_and_paired_difference(tmp_path):
    rows = Rows(tmp_path / "results.csv")
    for draw, (a, b) in enumerate([(0.9, 0.8), (0.8, 0.75)]):
        rows.add(row("ours", 50, draw, a))
        rows.add(row("descriptors + GP", 50, draw, b))
    again = Rows(tmp_path / "results.csv")
    assert again.done == rows.done
    assert again.rows[0]["spearman"] == pytest.approx(0.9)
    text = markdown(again.rows)
    assert "| ours | 0.850 ± 0.071 |" in text
    assert "| t | ours | +0.075 ± 0.025 |" in text


def test_the_built_in_ones_are_registered_like_any_other():
    for kind, expected in (("bench target", TARGETS), ("bench method", METHODS), ("bench metric", METRICS)):
        assert [entry.make for entry in registry().entries(kind).values()] == list(expected)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--target", "nb999"], "no bench target is called 'nb999'"),
        (["--target", "nb202"], "did you mean 'nb201'"),
        (["--method", "parms"], "no bench method is called 'parms'; did you mean 'params'?"),
    ],
)
def test_unknown_names_are_one_line_and_leave_nothing(capsys, tmp_path, option, message):
    code, out, err = run(capsys, "--data", tmp_path, *option, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@dataclass(frozen=True)
class CellsTarget(Target):
    """A ranking task whose labels lie nowhere but here."""

    cells: LabelledFamily = field(default=LabelledFamily("nb201", [], np.zeros(0)))

    def read(self, data: Path, limit: int | None, graphs: Path | None = None) -> LabelledFamily:
        return self.cells


@pytest.fixture
def own_target(outsider, cells, family) -> str:
    labelled = LabelledFamily("nb201", list(cells), family[1], built=cells)
    outsider.targets.append(CellsTarget("own cells", "", "worth", cells=labelled))
    return "own cells"


class Backwards:
    """Ranks by the number of nodes, fewest first."""

    name = "backwards"
    counts = (0,)

    def run(self, graphs, labels, count, draw):
        return Outcome(np.zeros(0, dtype=np.intp), -np.array([len(g.nodes) for g in graphs], dtype=float))


def test_targets_methods_and_metrics_of_a_third_party(capsys, tmp_path, outsider, own_target):
    outsider.methods += [ScorerMethod("counts", "counting"), Contender("backwards", lambda task: Backwards())]
    outsider.metrics.append(Metric("spread", "Spread of the scores", lambda judged: float(np.ptp(judged.score)), 1))
    methods = ["--method", "counting", "--method", "backwards", "--method", "scorer:counts", "--method", "params"]
    command = ["--data", tmp_path, "--target", own_target, *methods, "--draws", 2, "--quick", "-o", tmp_path / "out"]
    code, out, err = run(capsys, *command, "--json")
    assert code == 0, err
    found = Rows(tmp_path / "out" / "results.csv").rows
    assert json.loads(out)["rows"] == len(found)
    best = {m: max(r["spearman"] for r in found if r["method"] == m) for m in ("counting", "scorer:counts", "params")}
    assert best["counting"] > 0.95
    assert best["counting"] == best["scorer:counts"]
    assert {r["labels"] for r in found if r["method"] == "backwards"} == {0}
    assert all(r["spread"] > 0 for r in found if r["labels"])
    text = (tmp_path / "out" / "results.md").read_text()
    assert "## Spread of the scores" in text
    assert "| backwards | " in text
    code, out, _ = run(capsys, *command, "--json")
    assert json.loads(out)["rows"] == len(found)  # nothing was done twice


@pytest.mark.realdata
@pytest.mark.slow
def test_bench_runs_on_real_tables(data_dir, tmp_path, capsys):
    code, out, err = run(
        capsys, "--data", data_dir, "--quick", "--limit", 200, "--draws", 2,
        "--target", "mobilenetv3", "--method", "ours", "--method", "params", "-o", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["output"] == str(tmp_path / "results.md")
    rows = Rows(tmp_path / "results.csv").rows
    ours = [r["spearman"] for r in rows if r["method"] == "ours" and r["labels"] == 50]
    assert len(ours) == 2
    assert min(ours) > 0.95
    assert (tmp_path / "results.md").is_file()
