"""One evaluation: what becomes of it, and what is written of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_plugin import ToyEvaluator, ToySpace, Unprintable, worth

from cg_evolve import interrupts
from cg_evolve.history import Candidate
from cg_evolve.interrupts import Interrupted
from cg_evolve.jobs import Job, one_line, prepare, run_job, shared_evaluator
from cg_evolve.steps import Enough, Progress
from cg_evolve.store import Store

GRAPH = ToySpace().graph("cckkpp")


class Evaluator:
    """Does what it is made with."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def evaluate(self, arch: str, graph: Any, seed: int) -> Any:
        return self.act()


def job(act: Any = lambda: {"worth": 1.0}, **options: Any) -> Job:
    return Job(3, "cckkpp", GRAPH, 7, Evaluator(act), attempt=2, **options)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("of\n\ttwo   lines"), "ValueError: of two lines"),
        (ValueError(), "ValueError"),
        (ValueError(" \n "), "ValueError"),
        (KeyError("arch"), "KeyError: 'arch'"),
        (Unprintable(), "Unprintable"),
        (SystemExit(0), "SystemExit: 0"),
        (RuntimeError("x" * 500), "RuntimeError: " + "x" * 286),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_of_at_most_300_characters(error: BaseException, expected: str) -> None:
    assert one_line(error) == expected
    assert len(one_line(error)) <= 300


def test_a_success_has_its_metrics_and_times() -> None:
    before = time.time()
    outcome = run_job(job(lambda: time.sleep(0.02) or {"worth": 1.0, "loss": 2}))
    assert (outcome.id, outcome.attempt, outcome.error, outcome.ok) == (3, 2, "", True)
    assert outcome.metrics == {"worth": 1.0, "loss": 2.0}
    assert before <= outcome.started < outcome.finished <= time.time()
    assert 0.02 <= outcome.cost <= outcome.finished - outcome.started + 0.01


def raising(error: BaseException) -> Any:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (raising(RuntimeError("no\nmemory")), "RuntimeError: no memory"),
        (raising(SystemExit(3)), "SystemExit: 3"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(Enough()), "Enough"),
        (dict, "the evaluator returned no metrics"),
        (lambda: {"worth": "high"}, "SearchError: the metric 'worth' is no number but 'high'"),
        (lambda: 1.0, "SearchError: the evaluator should return metrics by name, not 1.0"),
    ],
)
def test_however_it_fails_it_is_an_outcome(act: Any, error: str) -> None:
    outcome = run_job(job(act))
    assert (outcome.ok, outcome.metrics, outcome.error, outcome.attempt) == (False, None, error, 2)


def test_the_users_interrupt_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        run_job(job(raising(Interrupted())))
    monkeypatch.setattr(interrupts, "asked", lambda: True)
    with pytest.raises(Interrupted):  # the evaluator has caught it
        run_job(job())


def test_the_folder_is_what_it_was(tmp_path: Path) -> None:
    before = Path.cwd()
    assert run_job(job(lambda: os.chdir(tmp_path) or {"worth": 1.0})).ok
    assert Path.cwd() == before


# --- the history ------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A history in which proposal 0 is pending in the session `now`."""
    store = Store(tmp_path / "history.sqlite")
    store.propose(Candidate(0, "cckkpp", GRAPH.hash, 7, build=lambda _: GRAPH), "now")
    yield store
    store.close()


def test_a_success_is_in_the_history_before_it_is_told(store: Store) -> None:
    at = replace(job(), id=0, store=str(store.path), session="now")
    assert run_job(replace(at, evaluator=Evaluator(dict))).error
    assert store.metrics(0) is None
    assert run_job(replace(at, session="before")).ok  # of another main process
    assert store.metrics(0) is None
    assert run_job(at).ok
    assert store.metrics(0) == {"worth": 1.0}
    assert run_job(replace(at, evaluator=Evaluator(lambda: {"worth": 2.0}))).ok
    assert store.metrics(0) == {"worth": 1.0}  # the first one stays


def test_a_history_that_cannot_be_written_is_left_to_the_main_process(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_text("this is no history at all, but a text of some length" * 10)
    assert run_job(job(store=str(tmp_path / "history.sqlite"))).metrics == {"worth": 1.0}


# --- what the evaluator is given --------------------------------------------------------------------------------------


class Stepping:
    """Trains to the step at which it is to stop."""

    keeps_state = True

    def evaluate(self, arch: str, graph: Any, seed: int, progress: Progress) -> dict[str, float]:
        progress.begin(self.keeps_state)
        return {"begun": progress.start, "stop": progress.stop or -1, "folder": progress.folder is not None}


def test_a_training_in_steps_is_told_where_to_stop(tmp_path: Path) -> None:
    stepping = replace(job(), evaluator=Stepping())
    assert run_job(stepping).metrics == {"begun": 0.0, "stop": -1.0, "folder": 0.0}
    state = tmp_path / "state"
    assert run_job(replace(stepping, stop=9, state=str(state))).metrics == {"begun": 0.0, "stop": 9.0, "folder": 1.0}
    assert state.is_dir()


def test_latency_is_measured_where_the_evaluator_gives_none() -> None:
    pytest.importorskip("torch")
    metrics = run_job(job(latency=True)).metrics
    assert metrics is not None
    assert 0 < metrics["latency"] < 10_000
    assert run_job(job(lambda: {"worth": 1.0, "latency": 5.0}, latency=True)).metrics == {"worth": 1.0, "latency": 5.0}
    assert run_job(job()).metrics == {"worth": 1.0}


def test_a_text_is_made_an_evaluator_once() -> None:
    by_text = replace(job(), evaluator="toy")
    prepare(by_text)
    assert isinstance(shared_evaluator("toy", ""), ToyEvaluator)
    assert shared_evaluator("toy", "") is shared_evaluator("toy", "")
    assert run_job(by_text).metrics["worth"] == worth("cckkpp")  # type: ignore[index]
    broken = replace(job(), evaluator="nonsense")
    prepare(broken)  # says nothing
    assert "no evaluator is called 'nonsense'" in run_job(broken).error
