"""Real training: our search against random search at the same budget, seed by seed, on few images of handwritten digits."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cg_bench.search.methods import TRAIN_METHODS, make_method
from cg_bench.search.rows import Row, Rows
from cg_evolve.evaluators import make_evaluator
from cg_evolve.graph_space import GraphSpace
from cg_evolve.search import Search
from cg_ir import Graph, GraphBuilder

__all__ = ["BUDGET", "EVALUATOR", "TASK", "p_value", "run_training", "start_network"]

TASK = "digits"
#: Few images and epochs, so that accuracies do not saturate.
EVALUATOR = "train:digits?train=100&epochs=12&batch=25&lr=0.05"
BUDGET = 40


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


def run_training(rows: Rows, methods: tuple[str, ...], seeds: int, scorer: str, quick: bool) -> Iterator[str]:
    """Run what is not among the rows yet; yields a line for each search.

    Both methods of a pair train every network from the same initial weights, those of the pair's seed; a network that both propose is trained once.
    """
    evaluator: Any = None
    budget = 16 if quick else BUDGET
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.cg.json"
        start_network().save(file)
        space = GraphSpace(str(file))
        for seed in range(seeds):
            trained: dict[str, dict[str, float]] = {}
            for method in TRAIN_METHODS:
                if method not in methods or rows.has(TASK, method, seed, budget):
                    continue
                evaluator = evaluator or make_evaluator(EVALUATOR)
                search = Search(space, make_method(method, scorer, ()), seed=seed, q=1)
                own, busy = 0.0, time.process_time()
                started = time.perf_counter()
                while len(search.history) < budget:
                    candidate = search.ask()[0]
                    begin = time.perf_counter()
                    if candidate.hash not in trained:
                        trained[candidate.hash] = evaluator.evaluate(candidate.arch, candidate.graph, seed)
                    own += time.perf_counter() - begin
                    search.tell([candidate], [trained[candidate.hash]])
                best = search.best
                assert best is not None
                row = {
                    "task": TASK,
                    "method": method,
                    "seed": seed,
                    "budget": budget,
                    "evaluations": budget,
                    "accuracy": f"{best.metrics['accuracy']:.4f}",
                    "test_accuracy": f"{best.metrics['test_accuracy']:.4f}",
                    "seconds_per_evaluation": f"{(time.perf_counter() - started - own) / budget:.4f}",
                    "cpu_per_evaluation": f"{(time.process_time() - busy) / budget:.4f}",
                }
                rows.add(row)
                yield f"{TASK} {method} seed {seed}: accuracy {row['accuracy']} ({budget} networks trained)"


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
