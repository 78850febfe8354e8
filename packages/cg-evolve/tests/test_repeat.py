"""Same arguments, same result: reported for whatever evaluator a run has."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cg_evolve.commands import search
from cg_evolve.executors import InlineBackend
from cg_evolve.repeat import Repeat, repeat
from cg_evolve.runs import Config, Run
from cg_evolve.steps import Enough, Progress


class Counting:
    """Keeps something between evaluations."""

    def __init__(self, give_up_after: int = 100) -> None:
        self._calls = count(1)
        self._most = give_up_after

    def evaluate(self, arch: str, graph: object, seed: int) -> dict[str, float]:
        calls = next(self._calls)
        if calls > self._most:
            raise RuntimeError("tired")
        return {"worth": float(calls), "seed": float(seed)}


def repeated(folder: Path, evaluator: Any) -> Repeat | None:
    with Run.open(folder, Config("toy", "<own>", 3, algorithm="random"), evaluator=evaluator) as run:
        backend = InlineBackend()
        run.execute(backend)
        return repeat(run, backend)


def test_what_differs_is_named(tmp_path: Path) -> None:
    again = repeated(tmp_path / "run", Counting())
    assert again is not None
    assert again.different == ("worth",)
    assert "worth 1 and 4; the run cannot be reproduced" in str(again)


def test_a_second_failure_is_told(tmp_path: Path) -> None:
    again = repeated(tmp_path / "run", Counting(3))
    assert again is not None
    assert not again.same
    assert str(again) == "evaluation 0, done again, failed: RuntimeError: tired"


class Stepping:
    """Keeps the state of its trainings."""

    keeps_state = True

    def evaluate(self, arch: str, graph: object, seed: int, progress: Progress) -> dict[str, float]:
        progress.begin(keeps_state=True)
        (progress.work / "state").write_text(arch)
        with suppress(Enough):
            for step in range(progress.start + 1, 4):
                progress.report(step, {"worth": seed % 7 + step})
        return progress.curve[progress.start]


def test_a_training_in_steps_begins_anew(tmp_path: Path) -> None:
    settings = Config("toy", "<own>", 3, algorithm="random", steps=(1, 3))
    with Run.open(tmp_path / "run", settings, evaluator=Stepping()) as run:
        run.execute()
        before = sorted((tmp_path / "run").rglob("*"))
        again = repeat(run, InlineBackend())
        assert sorted((tmp_path / "run").rglob("*")) == before
    assert again is not None
    assert again.same


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_command_reports_it_and_the_history_stays(tmp_path: Path, workers: str) -> None:
    arguments = ["toy", "--budget", "3", "--algorithm", "random", "--evaluator", "toy", "--workers", workers]
    result = CliRunner().invoke(search, [*arguments, "--check", "-o", str(tmp_path / "run"), "--json"])
    document = json.loads(result.stdout)
    assert document["same_again"] is True
    assert "evaluation 0, done again, gave the same result" in result.stderr
    with Run.open(tmp_path / "run", resume=True) as run:
        assert [row.attempts for row in run.search.history] == [1, 1, 1]


def test_nothing_to_repeat(tmp_path: Path) -> None:
    arguments = ["toy", "--budget", "3", "--algorithm", "random", "--evaluator", "broken", "--retries", "0", "--check"]
    result = CliRunner().invoke(search, [*arguments, "-o", str(tmp_path / "run"), "--json"])
    assert json.loads(result.stdout)["same_again"] is None


@pytest.mark.parametrize(
    ("first", "second", "different"),
    [
        ({"a": 1.0}, {"a": 1.0}, ()),
        ({"a": 1.0}, {"a": 1.0 + 2**-52}, ("a",)),
        ({"a": math.nan, "b": 1.0}, {"a": math.nan, "b": 1.0}, ()),
        ({"a": math.nan}, {"a": 1.0}, ("a",)),
        ({"a": 1.0}, {"a": math.nan}, ("a",)),
        ({"a": math.inf}, {"a": math.inf}, ()),
        ({"a": 1.0}, {"a": 1.0, "b": math.inf}, ("b",)),
        ({"a": 1.0, "params": 9.0}, {"a": 1.0}, ()),  # what the graph tells was added to the first
    ],
)
def test_what_is_no_number_both_times_is_the_same(
    first: dict[str, float], second: dict[str, float], different: tuple[str, ...]
) -> None:
    assert Repeat(0, first, second).different == different
    assert Repeat(0, first, second).same == (not different)
