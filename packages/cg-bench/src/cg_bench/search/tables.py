"""Searches on tables of labels: same pools, same seeds, same budgets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_bench.search.methods import GUIDED, HALVING, TABLE_METHODS, make_method
from cg_bench.search.rows import POINTS, Rows
from cg_evolve.evaluators.benchmark import BenchmarkEvaluator
from cg_evolve.pool import Pool
from cg_evolve.search import Search
from cg_evolve.surrogate import make_scorer
from cg_ir import get_space, hash_all

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["LABELS", "PLACED", "TASKS", "Table", "Task", "place_of_best", "run_halving", "run_search", "run_tables"]

#: Labels of `place_of_best`, and its name among the rows.
LABELS = 500
PLACED = "place of the best"


@dataclass(frozen=True)
class Task:
    """A table to search.

    Args:
        name: of its reader and its space, whose family the predictor leaves out.
        metric: what is searched; ``judged`` is what the best is judged by in the end.
        budget: evaluations of the algorithms that a predictor guides; ``plain`` of the others.
            Those that compare trainings before they end have half of its epochs.
        curve: numbers of epochs after which the table has a value, with its metric, upwards; the last is a whole training.
    """

    name: str
    metric: str
    judged: str
    budget: int
    plain: int
    curve: tuple[tuple[int, str], ...] = ()


TASKS = (
    Task("nb201", "cifar10_valid", "cifar10_test", 100, 1000, ((12, "cifar10_valid_12ep"), (200, "cifar10_valid"))),
    Task(
        "nb101",
        "valid_108ep",
        "valid_108ep",
        150,
        2000,
        ((4, "valid_4ep"), (12, "valid_12ep"), (36, "valid_36ep"), (108, "valid_108ep")),
    ),
    Task("nb301", "val_acc_yahpo", "val_acc_yahpo", 100, 500),
)


@dataclass
class Table:
    """A task's table in memory, shared by all searches.

    Attributes:
        pool: the distinct networks.
        labels: metrics by architecture.
        ranks: values of the metric, best first.
    """

    task: Task
    space: Any
    pool: Pool
    labels: dict[str, dict[str, float]] = field(repr=False)
    ranks: np.ndarray = field(repr=False)

    @classmethod
    def read(cls, task: Task, data: Path) -> Table:
        """The table of a task in a folder of tables."""
        evaluator = BenchmarkEvaluator(f"{task.name}={data}", task.name, task.metric)
        space: Any = get_space(task.name)
        archs = evaluator.archs()
        graphs = [space.graph(arch) for arch in archs]
        distinct: dict[str, tuple[str, Graph]] = {}
        for arch, graph, digest in zip(archs, graphs, hash_all(graphs), strict=True):
            distinct.setdefault(digest, (arch, graph))  # a search proposes the first spelling of a network
        built = dict(distinct.values())
        pool = Pool(list(built), _remembering(built, space.graph), getattr(space, "canonical", str))
        labels = {arch: evaluator.evaluate(arch, graph, 0) for arch, graph in built.items()}
        values = np.sort([row[task.metric] for row in labels.values()])[::-1]
        return cls(task, space, pool, labels, values)

    def rank(self, value: float) -> int:
        """Place of a value among all networks of the table, 1 is the best."""
        return int(np.searchsorted(-self.ranks, -value)) + 1


def _remembering(built: dict[str, Graph], build: Callable[[str], Graph]) -> Callable[[str], Graph]:
    return lambda arch: built[arch] if arch in built else build(arch)


def run_search(table: Table, method: str, seed: int, budget: int, scorer: str) -> dict[str, Any]:
    """One search on one table, one result at a time.

    Returns:
        evaluations until the best of the table and until the top 0.1 %, value and rank of the best after each of ``POINTS``, the judged value in the end.
    """
    task = table.task
    algorithm = make_method(method, scorer, (task.name,))
    search = Search(table.space, algorithm, seed=seed, exclude=(task.name,), pool=table.pool, q=1)
    networks = len(table.pool)
    row: dict[str, Any] = {"task": task.name, "method": method, "seed": seed, "budget": budget, "networks": networks}
    started, busy = time.perf_counter(), time.process_time()
    top = max(1, networks // 1000)
    best, best_arch = -np.inf, ""
    for number in range(1, budget + 1):
        candidate = search.ask()[0]
        value = table.labels[candidate.arch][task.metric]
        search.tell([candidate], [value])
        if value > best:
            best, best_arch = value, candidate.arch
            if table.rank(best) <= top:
                row.setdefault("top_at", number)
        found = table.rank(best) == 1
        if found:
            row["optimum_at"] = number
        for point in POINTS if found else (number,):  # nothing better can come
            if point in POINTS and number <= point <= budget:
                row[f"best_{point}"], row[f"rank_{point}"] = f"{best:.6g}", table.rank(best)
        if found:
            break
    row["evaluations"] = number
    row["judged"] = f"{table.labels[best_arch].get(task.judged, np.nan):.6g}"
    row["seconds_per_evaluation"] = f"{(time.perf_counter() - started) / number:.4f}"
    row["cpu_per_evaluation"] = f"{(time.process_time() - busy) / number:.4f}"
    return row


def run_halving(table: Table, method: str, seed: int, budget: int, scorer: str) -> dict[str, Any]:
    """One search that compares trainings before they end; the best is among whole trainings.

    Returns:
        as of :func:`run_search`, where evaluations are counted in whole trainings: their epochs, by those of one.
    """
    task = table.task
    steps = [epochs for epochs, _ in task.curve]
    metric = dict(task.curve)
    algorithm = make_method(method, scorer, (task.name,), steps)
    search = Search(table.space, algorithm, seed=seed, exclude=(task.name,), pool=table.pool, q=1, steps=steps)
    row: dict[str, Any] = {"task": task.name, "method": method, "seed": seed, "budget": budget}
    row["networks"] = len(table.pool)
    started, busy = time.perf_counter(), time.process_time()
    top = max(1, len(table.pool) // 1000)
    while search.spent < budget * steps[-1] and "optimum_at" not in row:
        candidate = search.ask()[0]
        value = table.labels[candidate.arch][metric[candidate.step or 0]]
        search.tell([candidate], [value])
        if search.best is None or candidate.step != steps[-1]:
            continue
        best, trainings = float(search.best.value or 0.0), math.ceil(search.spent / steps[-1])
        row |= {f"best_{p}": f"{best:.6g}" for p in POINTS if trainings <= p <= budget}
        row |= {f"rank_{p}": table.rank(best) for p in POINTS if trainings <= p <= budget}
        for name, rank in (("top_at", top), ("optimum_at", 1)):
            if table.rank(best) <= rank:
                row.setdefault(name, trainings)
    row["evaluations"] = math.ceil(search.spent / steps[-1])
    judged = np.nan if search.best is None else table.labels[search.best.arch].get(task.judged, np.nan)
    row["judged"] = f"{judged:.6g}"
    row["seconds_per_evaluation"] = f"{(time.perf_counter() - started) / row['evaluations']:.4f}"
    row["cpu_per_evaluation"] = f"{(time.process_time() - busy) / row['evaluations']:.4f}"
    return row


def place_of_best(table: Table, seed: int, scorer: str) -> dict[str, Any]:
    """Where a predictor that learned from random labels of the table itself places the table's best network, whose label it did not see.

    Returns:
        a row whose ``optimum_at`` is that place among all networks, 1 the first.
    """
    task, archs = table.task, table.pool.archs
    values = np.array([table.labels[arch][task.metric] for arch in archs])
    best = int(values.argmax())
    others = np.flatnonzero(np.arange(len(archs)) != best)
    chosen = np.random.default_rng([seed, 5]).choice(others, size=min(LABELS, len(others)), replace=False)
    graphs = table.pool.graphs
    made = make_scorer(scorer, (task.name,))
    made.fit([graphs[i] for i in chosen], values[chosen])
    scores = np.asarray(made.predict(graphs))
    place = int((scores > scores[best]).sum()) + 1
    return {"task": task.name, "method": PLACED, "seed": seed, "budget": LABELS, "optimum_at": place}


def run_tables(
    data: Path, rows: Rows, tasks: tuple[str, ...], methods: tuple[str, ...], seeds: int, scorer: str, quick: bool
) -> Iterator[str]:
    """Run what is not among the rows yet; yields a line for each search."""
    for task in TASKS:
        if task.name not in tasks:
            continue
        table: Table | None = None
        for seed in range(min(seeds, 5) if "bayesian" in methods and not quick else 0):
            if not rows.has(task.name, PLACED, seed, LABELS):
                table = table or Table.read(task, data)
                row = place_of_best(table, seed, scorer)
                rows.add(row)
                yield f"{task.name}: {LABELS} of its labels place the best network at {row['optimum_at']}"
        for method in (*TABLE_METHODS, *HALVING):
            if method not in methods or (method in HALVING and not task.curve):
                continue
            run_one = run_halving if method in HALVING else run_search
            budget = task.budget // 2 if method in HALVING else task.budget if method in GUIDED else task.plain
            budget = min(budget, 200 if method in TABLE_METHODS and method not in GUIDED else 64) if quick else budget
            for seed in range(seeds):
                if rows.has(task.name, method, seed, budget):
                    continue
                if table is None:
                    table = Table.read(task, data)
                    yield f"{task.name}: {len(table.pool):,} distinct networks, best {table.ranks[0]:.6g}"
                row = run_one(table, method, seed, budget, scorer)
                rows.add(row)
                found = f"best network at {row['optimum_at']}" if "optimum_at" in row else "best network not found"
                yield f"{task.name} {method} seed {seed}: {found} ({row['evaluations']} evaluations)"
