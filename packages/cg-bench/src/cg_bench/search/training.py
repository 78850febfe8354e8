"""Real training: our search against random search at the same budget, seed by seed, on few images of handwritten digits."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cg_bench.search.methods import HALVING, TRAIN_METHODS, make_method
from cg_bench.search.rows import POINTS, Row, Rows
from cg_evolve.algorithms.base import Algorithm
from cg_evolve.evaluators import make_evaluator
from cg_evolve.evaluators.train import TrainEvaluator
from cg_evolve.graph_space import GraphSpace
from cg_evolve.history import Candidate
from cg_evolve.search import Search
from cg_evolve.steps import Progress
from cg_ir import Graph, GraphBuilder

__all__ = [
    "BUDGET",
    "EVALUATOR",
    "STEPS",
    "TASK",
    "Trainings",
    "p_value",
    "run_training",
    "search_space",
    "search_with",
    "start_network",
]

TASK = "digits"
#: Few images and epochs, so that accuracies do not saturate.
EVALUATOR = "train:digits?train=100&epochs=12&batch=25&lr=0.05"
#: Whole trainings of a search; those that compare trainings before they end have half of the epochs.
BUDGET = 40
#: Epochs at which these compare them, before the last by the loss. Chosen on seeds that do not count: an epoch says nothing of how a training will end.
STEPS = (4, 12)


def start_network() -> Graph:
    """The network around which architectures lie: three residual blocks of two convolutions on images of 8 x 8 pixels."""
    b = GraphBuilder("digits")

    def convolution(x: int, channels: int, stride: int = 1) -> int:
        x = b.add("Conv", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride], channels=channels)
        return b.add("BatchNormalization", x)

    x = b.add("Relu", convolution(b.input((1, 1, 8, 8)), 8))
    for channels, stride in ((8, 1), (16, 2), (16, 1)):
        y = b.add("Relu", convolution(x, channels, stride))
        y = convolution(y, channels)
        shortcut = x if b.shape(x) == b.shape(y) else convolution(x, channels, stride)
        x = b.add("Relu", b.add("Add", y, shortcut))
    x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, 16))
    b.output(b.add("Gemm", x, channels=10, bias=True))
    return b.build()


class Trainings:
    """The trainings of one search, all from the same initial weights; one that was stopped goes on from where it was.

    Args:
        evaluator: trains.
        seed: of the weights and the batches.
        folder: for the states of trainings.
    """

    def __init__(self, evaluator: Any, seed: int, folder: Path) -> None:
        self.evaluator, self.seed, self.folder = evaluator, seed, folder
        self.seconds = 0.0

    def metrics(self, candidate: Candidate) -> dict[str, float]:
        """What a network has reached at the candidate's step, or at the end."""
        begin = time.perf_counter()
        state = self.folder / candidate.hash.partition(":")[2]
        progress = None if candidate.step is None else Progress(candidate.step, state)
        metrics: dict[str, float] = self.evaluator.evaluate(candidate.arch, candidate.graph, self.seed, progress)
        self.seconds += time.perf_counter() - begin
        return metrics


def run_training(rows: Rows, methods: tuple[str, ...], seeds: int, scorer: str, quick: bool) -> Iterator[str]:
    """Run what is not among the rows yet; yields a line for each search.

    All methods train every network from the same initial weights, those of the seed.
    """
    evaluator: Any = None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.cg.json"
        start_network().save(file)
        space = GraphSpace(str(file))
        for seed in range(seeds):
            for method in (*TRAIN_METHODS, *HALVING):
                budget = (16 if quick else BUDGET) // (2 if method in HALVING else 1)
                if method not in methods or rows.has(TASK, method, seed, budget):
                    continue
                evaluator = evaluator or make_evaluator(EVALUATOR)
                trainings = Trainings(evaluator, seed, Path(folder) / f"{method}-{seed}")
                row = search_space(space, method, trainings, budget, scorer)
                rows.add(row)
                yield f"{TASK} {method} seed {seed}: accuracy {row['accuracy']} ({budget} whole trainings)"


def search_space(space: GraphSpace, method: str, trainings: Trainings, budget: int, scorer: str) -> dict[str, Any]:
    """One search by the name of its algorithm."""
    steps = STEPS if method in HALVING else ()
    algorithm = make_method(method, scorer, (), steps, TrainEvaluator.compare)
    return {"method": method, **search_with(space, algorithm, steps, trainings, budget)}


def search_with(
    space: GraphSpace, algorithm: Algorithm, steps: Sequence[int], trainings: Trainings, budget: int
) -> dict[str, Any]:
    """One search; evaluations are counted in whole trainings, by their epochs.

    Args:
        space: around the network.
        algorithm: what proposes.
        steps: epochs at which it compares trainings; none trains each to its end.
        trainings: of this search.
        budget: whole trainings.
    """
    search = Search(space, algorithm, seed=trainings.seed, q=1, steps=steps)
    started, busy = time.perf_counter(), time.process_time()
    row: dict[str, Any] = {"task": TASK, "seed": trainings.seed, "budget": budget}
    spent = 0.0
    while spent < budget:
        candidate = search.ask()[0]
        search.tell([candidate], [trainings.metrics(candidate)])
        spent = search.spent / STEPS[-1] if steps else len(search.history)
        if search.best is not None:
            row |= {f"best_{p}": f"{search.best.metrics['accuracy']:.4f}" for p in POINTS if spent <= p <= budget}
    best = search.best
    assert best is not None
    return row | {
        "evaluations": math.ceil(spent),
        "accuracy": f"{best.metrics['accuracy']:.4f}",
        "test_accuracy": f"{best.metrics['test_accuracy']:.4f}",
        "seconds_per_evaluation": f"{(time.perf_counter() - started - trainings.seconds) / spent:.4f}",
        "cpu_per_evaluation": f"{(time.process_time() - busy) / spent:.4f}",
    }


def pairs(rows: list[Row], measure: str) -> tuple[list[float], list[float]]:
    """A measure of our search and of random search, seed by seed."""
    found = {(row["method"], row["seed"]): float(row[measure]) for row in rows if row["task"] == TASK}
    seeds = [seed for method, seed in found if method == "bayesian" and ("random", seed) in found]
    return [found["bayesian", seed] for seed in seeds], [found["random", seed] for seed in seeds]


def p_value(ours: list[float], others: list[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1 where all pairs are equal."""
    from scipy.stats import wilcoxon

    if all(a == b for a, b in zip(ours, others, strict=True)):
        return 1.0
    return float(wilcoxon(ours, others).pvalue)
