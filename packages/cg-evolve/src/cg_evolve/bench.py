"""``cg bench search``: the algorithms on tables of labels, all with the same seeds and budgets."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.evaluators.benchmark import BenchmarkEvaluator
from cg_evolve.pool import Pool
from cg_evolve.search import Search
from cg_ir import get_space, hash_all, registry
from cg_ir.terminal import json_option, say_written

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["METHODS", "TASKS", "Task", "run_search", "search_bench"]

#: Evaluations at which curves are recorded.
POINTS = (4, 8, 12, 16, 24, 32, 48, 64, 100, 150, 200, 300, 500, 1000, 2000)
METHODS = ("random", "local", "regularized", "nsga2", "guided", "bayesian")
_GUIDED = ("guided", "bayesian")


@dataclass(frozen=True)
class Task:
    """A table to search.

    Args:
        name: of the task.
        benchmark: name of the table's reader; also of the space, which the predictor leaves out.
        metric: what is searched; ``judged`` is what the best is judged by in the end.
        budget: evaluations of the algorithms that a predictor guides; ``plain`` of the others.
    """

    name: str
    benchmark: str
    metric: str
    judged: str
    budget: int
    plain: int


TASKS = (
    Task("nb201", "nb201", "cifar10_valid", "cifar10_test", 100, 1000),
    Task("nb101", "nb101", "valid_108ep", "valid_108ep", 150, 2000),
    Task("nb301", "nb301", "val_acc_yahpo", "val_acc_yahpo", 100, 500),
)


@dataclass
class _Table:
    """A task's table in memory, shared by all searches."""

    task: Task
    space: Any
    pool: Pool
    labels: dict[str, dict[str, float]]
    best: float
    ranks: np.ndarray = field(repr=False)

    @classmethod
    def read(cls, task: Task, target: str) -> _Table:
        evaluator = BenchmarkEvaluator(target, task.benchmark, task.metric)
        space: Any = get_space(task.benchmark)
        labels = {arch: evaluator.evaluate(arch, None, 0) for arch in evaluator.archs()}  # type: ignore[arg-type]
        pool = Pool(list(labels), space.graph, getattr(space, "canonical", str))
        distinct: dict[str, str] = {}
        for arch, digest in zip(pool.archs, hash_all(pool.graphs), strict=True):
            distinct.setdefault(digest, arch)  # a search proposes the first spelling of a network
        pool = Pool(list(distinct.values()), _remembered(pool), getattr(space, "canonical", str))
        values = np.sort([labels[arch][task.metric] for arch in pool.archs])[::-1]
        return cls(task, space, pool, labels, float(values[0]), values)

    def rank(self, value: float) -> int:
        """Place of a value among all networks of the table, 1 is the best."""
        return int(np.searchsorted(-self.ranks, -value)) + 1


def _remembered(pool: Pool) -> Callable[[str], Graph]:
    def build(arch: str) -> Graph:
        graph = pool.graph(arch)
        return pool._build(arch) if graph is None else graph

    return build


def run_search(table: _Table, method: str, seed: int, budget: int, scorer: Any) -> dict[str, Any]:
    """One search on one table.

    Returns:
        evaluations until the best of the table and until the top 0.1 %, the best value and its judged value after each of ``POINTS`` evaluations.
    """
    task = table.task
    search = Search(table.space, method, seed=seed, exclude=(task.benchmark,), pool=table.pool, scorer=scorer, q=1)
    row: dict[str, Any] = {
        "task": task.name,
        "method": method,
        "seed": seed,
        "budget": budget,
        "optimum_at": "",
        "top_at": "",
    }
    started = time.perf_counter()
    top = max(1, len(table.pool) // 1000)
    best, best_arch = -np.inf, ""
    for number in range(1, budget + 1):
        try:
            candidate = search.ask()[0]
        except Exhausted:
            break
        value = table.labels[candidate.arch][task.metric]
        search.tell([candidate], [value])
        if value > best:
            best, best_arch = value, candidate.arch
            rank = table.rank(best)
            if rank <= top and row["top_at"] == "":
                row["top_at"] = number
            if rank == 1:
                row["optimum_at"] = number
        if number in POINTS:
            row[f"best_{number}"] = best
            row[f"rank_{number}"] = table.rank(best)
            row[f"judged_{number}"] = table.labels[best_arch].get(task.judged, "")
        if table.rank(best) == 1:  # nothing better can come
            for point in POINTS:
                if number < point <= budget:
                    row[f"best_{point}"], row[f"rank_{point}"] = best, 1
                    row[f"judged_{point}"] = table.labels[best_arch].get(task.judged, "")
            break
    row["evaluations"] = number
    row["seconds_per_evaluation"] = round((time.perf_counter() - started) / number, 4)
    return row


# --- results ----------------------------------------------------------------------------------------------------------


class _Rows:
    """Results of finished searches in ``runs.csv``; a second run of the command goes on after them."""

    _columns = (
        "task", "method", "seed", "budget", "evaluations", "optimum_at", "top_at", "seconds_per_evaluation",
        *(f"{kind}_{point}" for kind in ("best", "rank", "judged") for point in POINTS),
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))

    def has(self, task: Task, method: str, seed: int, budget: int) -> bool:
        """Whether this search was done."""
        key = (task.name, method, str(seed), str(budget))
        return any((r["task"], r["method"], r["seed"], r["budget"]) == key for r in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Add and write; the file is whole at every moment."""
        self.rows.append({name: str(row.get(name, "")) for name in self._columns})
        temporary = self.path.with_name(self.path.name + ".tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(temporary, self.path)


def _quartiles(values: Iterable[float], digits: int = 0) -> str:
    """Median (first to third quartile); searches that never came there count as infinite."""
    low, middle, high = (float(np.quantile(list(values), q, method="inverted_cdf")) for q in (0.25, 0.5, 0.75))

    def text(value: float) -> str:
        return "never" if np.isinf(value) else f"{value:.{digits}f}"

    return f"{text(middle)} ({text(low)} to {text(high)})"


def write_tables(rows: list[dict[str, str]], folder: Path) -> None:
    """``search.md``: one table for each task, medians and quartiles over the seeds."""
    lines = []
    for task in TASKS:
        mine = [row for row in rows if row["task"] == task.name]
        if not mine:
            continue
        points = [p for p in (16, 32, 64, 100, 150, 500) if any(row[f"best_{p}"] for row in mine)]
        lines += [
            f"## {task.name}: search on {task.metric}, judged by {task.judged}",
            "",
            "| method | seeds | evaluations to the optimum | within 24 | within 64 | evaluations to the top 0.1 % | "
            + " | ".join(f"best after {p}" for p in points)
            + " | judged at the end | s an evaluation |",
            "|---" * (8 + len(points)) + "|",
        ]
        for method in METHODS:
            own = [row for row in mine if row["method"] == method]
            if not own:
                continue
            optimum = [float(row["optimum_at"] or "inf") for row in own]
            top = [float(row["top_at"] or "inf") for row in own]
            cells = [method, str(len(own)), _quartiles(optimum)]
            cells += [f"{sum(v <= n for v in optimum)}/{len(own)}" for n in (24, 64)]
            cells.append(_quartiles(top))
            for p in points:
                values = [float(row[f"best_{p}"]) for row in own if row[f"best_{p}"]]
                cells.append(_quartiles(values, 4) if len(values) == len(own) else "")
            last = [next((row[f"judged_{p}"] for p in reversed(POINTS) if row[f"judged_{p}"]), "") for row in own]
            judged = [float(v) for v in last if v]
            cells.append(_quartiles(judged, 4) if judged else "")
            cells.append(f"{np.median([float(row['seconds_per_evaluation']) for row in own]):.3f}")
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    path = folder / "search.md"
    temporary = path.with_name("search.md.tmp")
    temporary.write_text("\n".join(lines), encoding="utf-8")
    os.replace(temporary, path)


def write_plot(rows: list[dict[str, str]], folder: Path) -> bool:
    """``search.svg``: median rank of the best found against evaluations, quartiles shaded; whether matplotlib was there to draw it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    tasks = [task for task in TASKS if any(row["task"] == task.name for row in rows)]
    figure = Figure(figsize=(5.2 * len(tasks), 4), layout="constrained")
    for axes, task in zip(np.atleast_1d(figure.subplots(1, len(tasks))), tasks, strict=True):
        for method in METHODS:
            own = [row for row in rows if row["task"] == task.name and row["method"] == method]
            x = [p for p in POINTS if own and all(row[f"rank_{p}"] for row in own)]
            if not x:
                continue
            values = np.array([[float(row[f"rank_{p}"]) for p in x] for row in own])
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
            (line,) = axes.plot(x, middle, label=method)
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.set(xscale="log", yscale="log", title=task.name, xlabel="evaluations", ylabel="rank of the best found")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False)
    temporary = folder / "search.svg.tmp"
    figure.savefig(temporary, format="svg", metadata={"Date": None})
    os.replace(temporary, folder / "search.svg")
    return True


# --- the command ------------------------------------------------------------------------------------------------------


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the label tables.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for runs.csv, search.md, search.svg; goes on with what is there.",
)
@click.option("--quick", is_flag=True, help="5 seeds and small budgets: a check that takes minutes.")
@click.option(
    "--task", "tasks", multiple=True, type=click.Choice([task.name for task in TASKS]), help="Only these tables."
)
@click.option("--method", "methods", multiple=True, type=click.Choice(METHODS), help="Only these algorithms.")
@click.option("--seeds", type=int, help="Seeds a method; 30, or 5 in a quick run.")
@click.option(
    "--scorer",
    default="predictor",
    show_default=True,
    help="The predictor that guides; the searched family is left out of it.",
)
@json_option
def search_bench(
    data: Path,
    output: Path,
    quick: bool,
    tasks: tuple[str, ...],
    methods: tuple[str, ...],
    seeds: int | None,
    scorer: str,
    as_json: bool,
) -> None:
    """Compare the search algorithms on tables of labels: same pools, same seeds, same budgets."""
    count = seeds if seeds is not None else 5 if quick else 30
    if count < 1:
        raise SearchError(f"seeds should be at least 1, not {count}")
    output.mkdir(parents=True, exist_ok=True)
    results = _Rows(output / "runs.csv")
    known = registry().entries("benchmark")
    for task in TASKS:
        if tasks and task.name not in tasks:
            continue
        if task.benchmark not in known:
            click.echo(f"{task.name}: no installed plugin reads this table; left out", err=True)
            continue
        table: _Table | None = None
        for method in methods or METHODS:
            budget = task.budget if method in _GUIDED else task.plain
            budget = min(budget, 64 if method in _GUIDED else 200) if quick else budget
            for seed in range(count):
                if results.has(task, method, seed, budget):
                    continue
                if table is None:
                    table = _Table.read(task, f"{task.benchmark}={data}")
                    click.echo(f"{task.name}: {len(table.pool):,} distinct networks, best {table.best:.6g}", err=True)
                row = run_search(table, method, seed, budget, scorer)
                results.add(row)
                found = row["optimum_at"] or "not"
                click.echo(
                    f"{task.name} {method} seed {seed}: optimum {found} ({row['evaluations']} evaluations)", err=True
                )
    if not results.rows:
        raise SearchError(f"{output}: no result; is there a table in {data} that an installed plugin reads?")
    write_tables(results.rows, output)
    if not write_plot(results.rows, output):
        click.echo("no plot: pip install matplotlib", err=True)
    if as_json:
        say_written(output / "search.md", "", as_json, runs=len(results.rows))
    else:
        click.echo(str(output / "search.md"))
