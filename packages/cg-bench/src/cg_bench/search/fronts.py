"""Accuracy against multiply-accumulates on MobileNetV3: the evaluator is a scorer fitted to the table of measured sub-networks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_bench.search.methods import FRONT_METHODS, make_method
from cg_bench.search.rows import Row, Rows
from cg_evolve import pareto
from cg_evolve.errors import Exhausted
from cg_evolve.evaluators.benchmark import BenchmarkEvaluator
from cg_evolve.search import Search
from cg_ir import get_scorer, get_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_ir.graph import Graph

__all__ = ["BOUNDS", "SPACE", "covered", "read_front", "run_fronts", "task_name"]

SPACE = "mobilenetv3"
_METRIC = "top1"
#: Most multiply-accumulates, in millions; none is no limit.
BOUNDS = (220, 300, 400, None)
#: Evaluations of every search.
BUDGET = 1000
#: Reference point of hypervolumes: this score (normal scores: the median sub-network has 0), and the bound on the multiply-accumulates.
_WORST_SCORE, _MOST_MACS = -3.0, 600e6


def task_name(bound: int | None) -> str:
    """Name of the task with a bound."""
    return f"{SPACE} under {bound} M" if bound else f"{SPACE} without limit"


class _Model:
    """The scorer as an evaluator of many networks at once, with a memory."""

    def __init__(self, data: Path, scorer: str, rows: int | None) -> None:
        space: Any = get_space(SPACE)
        table = BenchmarkEvaluator(f"{SPACE}={data}", SPACE, _METRIC)
        archs = table.archs()
        if rows is not None and rows < len(archs):
            archs = [archs[i] for i in np.sort(np.random.default_rng(0).permutation(len(archs))[:rows])]
        graphs = [space.graph(arch) for arch in archs]
        made: Any = get_scorer(scorer)
        self._scorer = made
        made.fit(graphs, [table.evaluate(a, g, 0)[_METRIC] for a, g in zip(archs, graphs, strict=True)])
        self.labels = len(archs)
        self._known: dict[str, float] = {}

    def scores(self, graphs: list[Graph]) -> list[float]:
        """The scores of networks, each of its network alone."""
        fresh = {graph.hash: graph for graph in graphs if graph.hash not in self._known}
        if fresh:
            self._known.update(zip(fresh, np.asarray(self._scorer.predict(list(fresh.values()))).tolist(), strict=True))
        return [self._known[graph.hash] for graph in graphs]


def _search(model: _Model, method: str, bound: int | None, seed: int, budget: int, scorer: str) -> dict[str, Any]:
    search = Search(
        SPACE,
        make_method(method, scorer, (SPACE,)),
        seed=seed,
        exclude=(SPACE,),
        objectives=("score", "macs:min"),
        constraints=(f"macs<{bound}e6",) if bound else (),
    )
    started, busy = time.perf_counter(), time.process_time()
    step = {"random": budget, "nsga2": 10}.get(method, 1)
    while len(search.history) < budget:
        try:
            candidates = search.ask(min(step, budget - len(search.history)))
        except Exhausted:
            break
        search.tell(candidates, model.scores([candidate.graph for candidate in candidates]))
    number = len(search.history)
    utilities = [row.utilities for row in search.front]
    best = search.best
    return {
        "task": task_name(bound),
        "method": method,
        "seed": seed,
        "budget": budget,
        "evaluations": number,
        "networks": model.labels,
        "hypervolume": f"{pareto.hypervolume(utilities, _reference(bound)) / 1e6:.5g}",
        "front": json.dumps([[round(score, 4), int(-macs)] for score, macs in sorted(utilities)]),
        "judged": "" if best is None else f"{best.utilities[0]:.4f}",
        "seconds_per_evaluation": f"{(time.perf_counter() - started) / number:.4f}",
        "cpu_per_evaluation": f"{(time.process_time() - busy) / number:.4f}",
    }


def _reference(bound: int | None) -> tuple[float, float]:
    return _WORST_SCORE, -(bound * 1e6 if bound else _MOST_MACS)


def read_front(row: Row) -> NDArray[np.float64]:
    """Scores and multiply-accumulates of a row's front, (n, 2)."""
    return np.array(json.loads(row["front"]), dtype=float).reshape(-1, 2)


def covered(front: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of the points of ``other`` that a point of ``front`` equals or dominates (the coverage of Zitzler and Thiele 1999)."""
    better = (front[None, :, 0] >= other[:, None, 0]) & (front[None, :, 1] <= other[:, None, 1])
    return float(better.any(axis=1).mean())


def run_fronts(data: Path, rows: Rows, methods: tuple[str, ...], seeds: int, scorer: str, quick: bool) -> Iterator[str]:
    """Run what is not among the rows yet; yields a line for each search."""
    model: _Model | None = None
    for bound in BOUNDS[:1] if quick else BOUNDS:
        for method in FRONT_METHODS:
            if method not in methods:
                continue
            budget = (30 if method == "bayesian" else 200) if quick else BUDGET
            for seed in range(seeds):
                if rows.has(task_name(bound), method, seed, budget):
                    continue
                if model is None:
                    model = _Model(data, scorer, 200 if quick else None)
                    yield f"{SPACE}: the scorer is fitted to {model.labels:,} sub-networks"
                row = _search(model, method, bound, seed, budget, scorer)
                rows.add(row)
                yield f"{row['task']} {method} seed {seed}: hypervolume {row['hypervolume']} ({row['evaluations']} evaluations)"
