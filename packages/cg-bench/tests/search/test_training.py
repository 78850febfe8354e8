"""Searches whose networks are trained: what counts, and what their page says."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest

from cg_bench.search import training
from cg_bench.search.report import write_report
from cg_bench.search.rows import Rows
from cg_bench.search.training import STEPS, Trainings, search_space, start_network
from cg_evolve.graph_space import GraphSpace
from cg_evolve.steps import Enough, Progress
from cg_ir import Graph

pytestmark = pytest.mark.usefixtures("outsider")


class Epochs:
    """An evaluator that trains nothing, but counts the epochs that it is asked for."""

    def __init__(self) -> None:
        self.made: Counter[tuple[str, int]] = Counter()
        self.whole: list[float] = []

    def evaluate(self, arch: str, graph: Graph, seed: int, progress: Progress | None) -> dict[str, float]:
        accuracy = 50.0 + 40.0 * (graph.params % 97) / 97
        if progress is None:
            self.whole.append(accuracy)
            return {"accuracy": accuracy, "test_accuracy": accuracy - 1}
        progress.begin(keeps_state=True)
        with contextlib.suppress(Enough):
            for step in range(progress.start + 1, STEPS[-1] + 1):
                self.made[arch, step] += 1
                reached = accuracy - 10.0 * (STEPS[-1] - step)
                progress.report(step, {"accuracy": reached, "test_accuracy": reached - 1, "train_loss": 90 - accuracy})
        metrics = progress.curve[progress.start]
        if progress.start == STEPS[-1]:
            self.whole.append(metrics["accuracy"])
        return metrics


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> GraphSpace:
    file = tmp_path_factory.mktemp("space") / "digits.cg.json"
    start_network().save(file)
    return GraphSpace(str(file))


@pytest.mark.parametrize("method", ["asha", pytest.param("halving", marks=pytest.mark.slow)])
def test_epochs_are_counted_and_made_once(space: GraphSpace, method: str, tmp_path: Path) -> None:
    evaluator = Epochs()
    row = search_space(space, method, Trainings(evaluator, 0, tmp_path), 6, "counts")
    assert max(evaluator.made.values()) == 1
    assert 6 <= sum(evaluator.made.values()) / STEPS[-1] < 7
    assert row["evaluations"] in (6, 7)
    assert float(row["accuracy"]) == pytest.approx(max(evaluator.whole), abs=1e-4)
    assert float(row["test_accuracy"]) == pytest.approx(max(evaluator.whole) - 1, abs=1e-4)


def test_the_page_has_them_beside_whole_trainings(space: GraphSpace, tmp_path: Path) -> None:
    rows = Rows(tmp_path / "results.csv")
    for method in ("random", "asha"):
        budget = 8 if method == "random" else 4
        rows.add(search_space(space, method, Trainings(Epochs(), 0, tmp_path / method), budget, "counts"))
        write_report(rows.rows, tmp_path)
        text = (tmp_path / "results.md").read_text()
        assert ("Trainings compared after 4, 12 epochs" in text) == (method == "asha")
    assert "| `random` | 1 | 8 |" in text
    assert "| `asha` | 1 | 4 |" in text


def test_searches_of_a_seed_are_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = Epochs()
    monkeypatch.setattr(training, "make_evaluator", lambda text: evaluator)
    monkeypatch.setattr(training, "BUDGET", 4)
    rows = Rows(tmp_path / "results.csv")
    said = list(training.run_training(rows, ("random", "asha", "nsga2"), 2, "counts", quick=False))
    assert [(r["method"], r["seed"], r["budget"]) for r in rows.rows] == [
        (method, seed, budget) for seed in "01" for method, budget in (("random", "4"), ("asha", "2"))
    ]
    assert said[0] == f"digits random seed 0: accuracy {rows.rows[0]['accuracy']} (4 whole trainings)"
    assert float(rows.rows[0]["accuracy"]) == pytest.approx(max(evaluator.whole[:4]), abs=1e-4)
    assert list(training.run_training(rows, ("random", "asha"), 2, "counts", quick=False)) == []


def test_trainings_that_end_alike_differ_by_chance() -> None:
    assert training.p_value([1.0, 2.0], [1.0, 2.0]) == 1.0
    ours, others = [3.0, 2.0, 5.0, 4.0, 6.0, 9.0], [1.0, 1.5, 2.0, 3.5, 1.0, 2.0]
    assert training.p_value(ours, others) == pytest.approx(2 / 2**6)  # all six are ahead: the exact distribution


def test_pairs_are_seeds_that_both_have() -> None:
    rows = [
        {"task": task, "method": method, "seed": seed, "accuracy": value}
        for task, method, seed, value in (
            ("digits", "bayesian", "0", "90"), ("digits", "random", "0", "80"), ("digits", "bayesian", "1", "91"),
            ("digits", "random", "2", "82"), ("other", "random", "1", "1"), ("digits", "asha", "0", "5"),
        )
    ]  # fmt: skip
    assert training.pairs(rows, "accuracy") == ([90.0], [80.0])
