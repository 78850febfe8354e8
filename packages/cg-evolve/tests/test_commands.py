from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from toy_plugin import worth

from cg_evolve.commands import search
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
        (["toy", "--budget", "3", "--evaluator", "toy", "--algorithm", "local", "--objective", "loss:min"], None),
    ],
)
def test_mistakes(tmp_path: Path, arguments: list[str], message: str | None) -> None:
    run = tmp_path / "run"
    result = CliRunner().invoke(search, [*arguments, "-o", str(run)])
    if message is None:  # a metric that the evaluator does not give: recorded as failures
        assert result.exit_code == 0
        assert "3 failed" in result.stdout
        return
    text = str(result.exception) if isinstance(result.exception, CgError) else result.output
    assert message in text
    assert result.exit_code != 0
    assert not run.exists()
