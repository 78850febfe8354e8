from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from toy_plugin import worth

from cg_evolve.commands import search
from cg_evolve.errors import SearchError
from cg_evolve.runs import Config, Run
from cg_ir import CgError, load


def invoke(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(search, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_a_search_names_its_winner_and_writes_it(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    document = invoke("toy", "--budget", "25", "--evaluator", "toy", "--algorithm", "regularized", "-o", run)
    assert document["evaluations"] == 25
    best = document["best"]
    assert isinstance(best, dict)
    assert best["value"] == pytest.approx(worth(best["arch"]))
    assert load(tmp_path / "run" / "winner.cg.json").hash == best["hash"]
    again = invoke("--resume", "-o", run)
    assert again["best"] == best
    more = invoke("--resume", "--budget", "40", "-o", run)
    assert more["evaluations"] == 40


def test_several_objectives_give_a_front(tmp_path: Path) -> None:
    pytest.importorskip("moocore")
    document = invoke(
        "toy", "--budget", "40", "--evaluator", "toy", "--algorithm", "nsga2", "--objective", "accuracy", "--objective", "macs:min",
        "--constraint", "length<=4", "--constraint", "params<4000", "-o", str(tmp_path / "run"),
    )  # fmt: skip
    front = document["front"]
    assert isinstance(front, list)
    assert len(front) > 1
    assert all(row["metrics"]["length"] <= 4 and row["metrics"]["params"] < 4000 for row in front)


def test_measured_latency_is_an_objective(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("moocore")
    document = invoke(
        "toy", "--budget", "3", "--evaluator", "toy", "--algorithm", "random", "--objective", "accuracy", "--objective", "latency",
        "-o", str(tmp_path / "run"),
    )  # fmt: skip
    best = document["best"]
    assert isinstance(best, dict)
    assert best["metrics"]["latency"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy"], "needs --budget, --evaluator"),
        (["--budget", "3"], "needs SPACE, --evaluator"),
        (["toy", "--budget", "3", "--evaluator", "toy", "--workers", "-1"], "workers should not be negative"),
        (["toy", "--budget", "3", "--evaluator", "toy", "--algorithm", "magic"], "no algorithm is called 'magic'"),
        (
            ["toy", "--budget", "3", "--evaluator", "toy", "--algorithm", "local", "--objective", "loss:min"],
            "objective 'loss': the evaluator gives no such metric; it gives worth",
        ),
    ],
)
def test_mistakes(tmp_path: Path, arguments: list[str], message: str) -> None:
    run = tmp_path / "run"
    result = CliRunner().invoke(search, [*arguments, "-o", str(run)])
    text = str(result.exception) if isinstance(result.exception, CgError) else result.output
    assert message in text
    assert result.exit_code != 0
    assert not run.exists() or "objective" in message  # what the evaluator gives is known when it has


def fails(*arguments: str) -> Result:
    result = CliRunner().invoke(search, [*arguments])
    assert isinstance(result.exception, CgError), result.output
    return result


def test_a_failing_evaluator_is_named_at_once_and_ends_the_search(tmp_path: Path) -> None:
    new = ("toy", "--budget", "8", "--evaluator", "broken", "--algorithm", "random", "--retries", "0")
    result = fails(*new, "-o", str(tmp_path / "all"), "--give-up", "0", "--json")
    document = json.loads(result.stdout)
    assert document["best"] is None
    assert [row["evaluations"] for row in document["failures"]] == [8]
    assert "RuntimeError: no weights for layer" in document["failures"][0]["reason"]
    assert "no evaluation succeeded; --resume --retry-failed" in str(result.exception)
    warnings = [line for line in result.stderr.splitlines() if "warning: evaluation 0 " in line]
    assert len(warnings) == 1
    assert "no weights for layer" in warnings[0]
    stopped = fails(*new, "-o", str(tmp_path / "early"))
    assert "stopped: 5 evaluations in a row failed alike" in str(stopped.exception)
    assert "5 failed: RuntimeError: no weights for layer" in stopped.stdout


def test_failed_evaluations_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(tmp_path / "run")
    new = ("toy", "--budget", "4", "--evaluator", "broken", "--algorithm", "random", "--retries", "0")
    fails(*new, "-o", run)
    monkeypatch.setenv("TOY_MENDED", "1")
    result = fails("--resume", "-o", run)
    assert "all 4 evaluations are there, nothing is left to do" in result.stderr
    assert "--retry-failed tries the failed ones again" in result.stderr
    document = invoke("--resume", "--retry-failed", "-o", run)
    assert (document["evaluations"], document["failed"]) == (4, 0)


def test_trainings_are_compared_by_a_metric_that_the_command_names(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def train(graph):\n    for step in (1, 2):\n        yield {'value': float(step == 2), 'loss': 1e6 / graph.params}\n"
    )
    new = (
        "toy",
        "--evaluator",
        f"{tmp_path}/own.py:train",
        "--algorithm",
        "random",
        "--steps",
        "1,2",
        "--budget",
        "8",
        "-o",
        str(tmp_path / "run"),
    )
    result = CliRunner().invoke(search, [*new, "--compare", "loss:min"], catch_exceptions=False)
    assert result.exit_code == 0
    assert Config.read(tmp_path / "run" / "config.json").compare == "loss:min"
    with Run.open(tmp_path / "run", resume=True, allow_python=True) as run:
        begun = {row.hash: row.metrics["loss"] for row in run.search.history if row.candidate.step == 1}
        ended = [begun[row.hash] for row in run.search.history if row.candidate.step == 2]
    assert np.mean(ended) < np.mean(list(begun.values()))
    with pytest.raises(SearchError, match="has compare 'loss:min', not ''"):
        CliRunner().invoke(search, [*new, "--resume", "--compare", ""], catch_exceptions=False)


def test_a_search_without_an_objective_says_which_metric_it_is_and_minimises_a_loss(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def measure(graph):\n    return {'loss': float(graph.params), 'acc': 1.0}\n")
    new = ["toy", "--evaluator", f"{tmp_path}/own.py:measure", "--algorithm", "random", "--budget", "6"]
    result = CliRunner().invoke(search, [*new, "-o", str(tmp_path / "run")], catch_exceptions=False)
    said = "cg: the objective is loss:min, of what the evaluator gives (loss, acc); --objective says otherwise\n"
    assert result.stderr.count(said) == 1
    assert "6 evaluations; best by loss:min" in result.stdout
    with Run.open(tmp_path / "run", resume=True, allow_python=True) as run:
        assert run.search.best is not None
        assert run.search.best.value == min(row.metrics["params"] for row in run.search.history)
    named = CliRunner().invoke(
        search, [*new, "--objective", "acc", "-o", str(tmp_path / "other")], catch_exceptions=False
    )
    assert "the objective is" not in named.stderr
    with pytest.raises(
        SearchError, match="objective 'accuracy': the evaluator gives no such metric; it gives loss, acc"
    ):
        CliRunner().invoke(
            search, [*new, "--objective", "accuracy", "-o", str(tmp_path / "third")], catch_exceptions=False
        )


def test_a_run_with_steps_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def train(graph):\n    for step in range(1, 10):\n        yield graph.params - 1 / step\n"
    )
    own = f"{tmp_path}/own.py:train"
    new = ("toy", "--evaluator", own, "--algorithm", "random", "--steps", "1,3,9", "-o", str(tmp_path / "run"))
    first = CliRunner().invoke(search, [*new, "--budget", "1"], catch_exceptions=False)
    assert "none of a whole training: a larger --budget ends some" in first.stdout
    again = CliRunner().invoke(search, [*new, "--budget", "1", "--resume"], catch_exceptions=False)
    assert "the steps of 1 whole training are there, nothing is left to do" in again.stderr
    more = CliRunner().invoke(search, [*new, "--budget", "4", "--resume"], catch_exceptions=False)
    assert "goes on after" in more.stderr
    assert "nothing is left" not in more.stderr
    assert "architecture" in more.stdout


def test_what_the_command_line_says_is_not_ignored_at_resume(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    invoke("toy", "--budget", "4", "--evaluator", "toy", "--algorithm", "random", "--seed", "3", "-o", run)
    for option, message in (
        (("--seed", "99"), "has seed 3, not 99"),
        (("--algorithm", "local"), "has algorithm 'random', not 'local'"),
        (("--evaluator", "moody"), "has evaluator 'toy', not 'moody'"),
        (("--objective", "length:min"), "has objectives"),
    ):
        assert message in str(fails("--resume", "-o", run, *option).exception)
    again = invoke("toy", "--resume", "--budget", "6", "-o", run)  # what is left out is as it was
    assert again["evaluations"] == 6
    assert "goes with --resume" in str(fails("toy", "--retry-failed", "-o", run).exception)


def test_values_are_named_as_the_evaluator_names_them(tmp_path: Path) -> None:
    pytest.importorskip("cg_predict")
    arguments = [
        "toy",
        "--budget",
        "3",
        "--evaluator",
        "scorer:macs",
        "--algorithm",
        "random",
        "-o",
        str(tmp_path / "run"),
    ]
    result = CliRunner().invoke(search, arguments, catch_exceptions=False)
    assert "score" in result.stdout
    assert "accuracy" not in result.stdout


def test_extras_are_missed_before_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = ("toy", "--budget", "3", "--evaluator", "toy", "-o", str(tmp_path / "run"))
    monkeypatch.setitem(sys.modules, "moocore", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "cg-evolve[pareto]" in str(fails(*new, "--objective", "accuracy", "--objective", "macs").exception)
    assert "cg-evolve[dask]" in str(fails(*new, "--dask", "local").exception)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "cg-evolve[torch]" in str(fails(*new, "--constraint", "latency<5").exception)
    assert not (tmp_path / "run").exists()
