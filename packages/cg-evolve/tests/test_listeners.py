"""Logs of runs, and workers that see one accelerator each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cg_evolve import SearchError
from cg_evolve.accelerators import visible, workers_of
from cg_evolve.commands import search
from cg_ir import CgError

NEW = ["toy", "--budget", "5", "--algorithm", "random"]


def test_a_log_holds_every_event(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    arguments = [*NEW, "--evaluator", "toy", "-o", str(tmp_path / "run"), "--log", f"jsonl:{log}", "--json"]
    result = CliRunner().invoke(search, arguments, catch_exceptions=False)
    document = json.loads(result.stdout)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["begin", *["evaluation"] * 5, "end"]
    assert events[0]["config"]["budget"] == 5
    assert sorted(event["id"] for event in events[1:-1]) == list(range(5))
    assert max(event["value"] for event in events[1:-1]) == events[-1]["best"] == document["best"]["value"]


def test_a_failing_run_ends_its_log(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    arguments = [*NEW, "--evaluator", "broken", "--retries", "0", "-o", str(tmp_path / "run"), "--log", f"jsonl:{log}"]
    result = CliRunner().invoke(search, arguments)
    assert isinstance(result.exception, SearchError)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[-1]["event"] == "end"
    assert (events[-1]["evaluations"], events[-1]["failed"], events[-1]["best"]) == (5, 5, None)
    assert "no weights for layer" in events[1]["error"]


def test_tensorboard_reads_the_log(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    arguments = [
        *NEW,
        "--evaluator",
        "toy",
        "-o",
        str(tmp_path / "run"),
        "--log",
        f"tensorboard:{tmp_path / 'log'}",
        "--json",
    ]
    document = json.loads(CliRunner().invoke(search, arguments, catch_exceptions=False).stdout)
    events = EventAccumulator(str(tmp_path / "log")).Reload()
    best = events.Scalars("best")
    assert len(best) == 5
    assert best[-1].value == pytest.approx(document["best"]["value"])
    assert {"evaluation/worth", "evaluation/macs"} <= set(events.Tags()["scalars"])


def test_mlflow_holds_the_run_and_goes_on_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = [*NEW, "--evaluator", "toy", "-o", str(tmp_path / "run"), "--log", f"mlflow:{tmp_path / 'store'}", "--json"]
    CliRunner().invoke(search, run, catch_exceptions=False)
    more = [*run, "--resume", "--budget", "8"]
    document = json.loads(CliRunner().invoke(search, more, catch_exceptions=False).stdout)
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("cg").experiment_id])
    assert found.info.status == "FINISHED"
    assert json.loads(found.data.params["space"]) == "toy"
    best = client.get_metric_history(found.info.run_id, "best")
    assert sorted(metric.step for metric in best) == list(range(8))
    assert max(metric.value for metric in best) == document["best"]["value"]
    assert {"evaluation/worth", "evaluation/macs"} <= found.data.metrics.keys()


def test_mlflow_counts_a_run_without_success_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log = f"mlflow:{tmp_path / 'store'}"
    CliRunner().invoke(search, [*NEW, "--evaluator", "broken", "-o", str(tmp_path / "run"), "--log", log])
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("cg").experiment_id])
    assert found.info.status == "FAILED"
    assert "no weights for layer" in found.data.tags["error.0"]


@pytest.mark.parametrize(
    ("log", "message"),
    [("jsonl", "a log looks like"), ("jsonI:x", "did you mean 'jsonl'"), ("jsonl:none/x", "none/x: cannot be written")],
)
def test_mistakes_are_found_before_a_run_begins(tmp_path: Path, log: str, message: str) -> None:
    result = CliRunner().invoke(search, [*NEW, "--evaluator", "toy", "-o", str(tmp_path / "run"), "--log", log])
    assert isinstance(result.exception, CgError)
    assert message in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_one_worker_an_accelerator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert visible() == ["2", "5"]
    assert workers_of("auto") == [{"CUDA_VISIBLE_DEVICES": "2"}, {"CUDA_VISIBLE_DEVICES": "5"}]
    assert [row["CUDA_VISIBLE_DEVICES"] for row in workers_of("3")] == ["2", "5", "2"]
    arguments = [*NEW, "--evaluator", "device", "--workers", "auto", "-o", str(tmp_path / "run"), "--json"]
    log = tmp_path / "events.jsonl"
    CliRunner().invoke(search, [*arguments, "--log", f"jsonl:{log}"], catch_exceptions=False)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {event["value"] for event in events if event["event"] == "evaluation"} == {2.0, 5.0}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert workers_of("auto") == [{}]
    for bad in ("many", "-1"):
        with pytest.raises(SearchError, match="workers should"):
            workers_of(bad)
