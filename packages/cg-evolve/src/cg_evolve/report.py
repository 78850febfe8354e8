"""A run as one self-contained HTML page: what ``cg report`` writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cg_evolve import pareto
from cg_evolve.config import CONFIG, Config
from cg_evolve.errors import SearchError
from cg_evolve.evaluators import make_evaluator
from cg_evolve.history import Evaluation
from cg_evolve.objectives import COSTS, Objective, Problem
from cg_evolve.runs import HISTORY
from cg_evolve.store import Store
from cg_ir.errors import CgError, MissingExtra
from cg_ir.files import write_text
from cg_ir.page import asset, page
from cg_ir.page.graph import GRAPH_SCRIPTS, graph_data, graph_styles

__all__ = ["Read", "read", "report_data", "report_page", "run_facts", "write_report"]

#: Networks whose drawing the page carries, the winner first.
_DRAWN = 6


def write_report(run: Path, output: Path) -> None:
    """Write the page of a run; the file appears whole or not at all.

    Raises:
        SearchError: the folder holds no run.
        GraphError: the file cannot be written.
    """
    write_text(output, report_page(run))


def report_page(run: Path, refresh: float | None = None) -> str:
    """The page of a run as HTML text.

    Args:
        run: its folder.
        refresh: seconds after which a browser reads the page anew; it does not by default.
    """
    data = report_data(run)
    scripts = ["vendor/uPlot.min.js", *GRAPH_SCRIPTS, "plot.js"]
    own = ["evaluations.js", "choice.js", "charts.js", "lineage.js", "table.js", "report.js"]
    return page(
        f"Search of {data['run']['space']}",
        '<div id="report"></div>',
        data={"report-data": data},
        scripts=[*map(asset, scripts), *(asset(name, "cg_evolve") for name in own)],
        styles=[asset("vendor/uPlot.min.css"), *graph_styles(), asset("plot.css"), asset("report.css", "cg_evolve")],
        body_class="report-page",
        refresh=refresh,
    )


@dataclass(frozen=True)
class Read:
    """What the folder of a run holds, without the networks.

    Attributes:
        finished: when each evaluation had finished, in seconds since 1970.
    """

    config: Config
    problem: Problem
    rows: list[Evaluation]
    finished: list[float | None]

    @property
    def ended(self) -> list[float | None]:
        """When each evaluation ended, in seconds since the first of them began."""
        begin = min(
            (t - row.cost for row, t in zip(self.rows, self.finished, strict=True) if t is not None), default=0.0
        )
        return [None if t is None else _number(round(t - begin, 3)) for t in self.finished]

    @property
    def good(self) -> list[Evaluation]:
        """The successful evaluations within the constraints, where trainings are divided into steps those of whole trainings."""
        last = self.config.steps[-1] if self.config.steps else None
        return [row for row in self.rows if row.good and row.value is not None and row.candidate.step == last]

    @property
    def best(self) -> Evaluation | None:
        """The best of them by the first objective."""
        utility = self.problem.objectives[0].utility
        return max(self.good, key=lambda row: utility(row.value or 0.0), default=None)


def read(run: Path, store: Store | None = None) -> Read:
    """What a run has done so far; nothing that it names is run.

    Args:
        run: its folder.
        store: its history, where it is open already.

    Raises:
        SearchError: the folder holds no readable run.
    """
    if store is None:
        opened = _history(run)
        try:
            return read(run, opened)
        finally:
            opened.close()
    config = Config.read(run / CONFIG)
    rows, finished = store.rows(), store.finish_times()
    problem = Problem.make(config.objectives, config.constraints)
    return Read(config, problem.named(next((row.metrics for row in rows if row.metrics), ())), rows, finished)


def _history(run: Path) -> Store:
    if not (run / CONFIG).exists() or not (run / HISTORY).exists():
        raise SearchError(f"{run}: holds no run; cg search -o {run} makes one")
    return Store(run / HISTORY, create=False)


def run_facts(run: Read) -> dict[str, Any]:
    """The settings of a run, as a page shows them."""
    config = run.config
    return {
        "space": config.space,
        "evaluator": config.evaluator,
        "algorithm": config.algorithm,
        "scorer": config.scorer,
        "exclude": list(config.exclude),
        "seed": config.seed,
        "budget": config.budget,
        "steps": list(config.steps),
        "compare": config.compare,
        "objectives": [{"metric": o.metric, "maximize": o.maximize} for o in run.problem.objectives],
        "constraints": [str(c) for c in run.problem.constraints],
        "lower": sorted({*COSTS, "latency", *run.problem.predicted}),
    }


def report_data(run: Path) -> dict[str, Any]:
    """What the page shows: settings, evaluations as columns, the best that the labels hold, and drawings.

    Raises:
        SearchError: the folder holds no readable run.
    """
    store = _history(run)
    try:
        there = read(run, store)
        objectives, best = there.problem.objectives, there.best
        graphs, note = _drawings(store, best, _shown(there.good, best, objectives))
    finally:
        store.close()
    return {
        "run": run_facts(there),
        "columns": _columns(there),
        "best": None if best is None else best.id,
        "optimum": _optimum(there.config, objectives, there.problem),
        "graphs": graphs,
        "note": note,
    }


def _number(value: float | None) -> float | int | None:
    """A value that JSON has, short."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else float(f"{value:.8g}")


def _columns(there: Read) -> dict[str, Any]:
    rows = there.rows
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    return {
        "arch": [row.arch for row in rows],
        "hash": [row.hash for row in rows],
        "status": [row.status for row in rows],
        "value": [_number(row.value) for row in rows],
        "metrics": {name: [_number(row.metrics.get(name)) for row in rows] for name in names},
        "step": [row.candidate.step for row in rows],
        "origin": [row.candidate.origin for row in rows],
        "parents": [list(row.candidate.parents) for row in rows],
        "mean": [_number(row.candidate.mean) for row in rows],
        "std": [_number(row.candidate.std) for row in rows],
        "feasible": [row.feasible for row in rows],
        "cost": [_number(row.cost) for row in rows],
        "attempts": [row.attempts for row in rows],
        "seed": [row.candidate.seed for row in rows],
        "error": {str(row.id): row.error for row in rows if row.error},
        "finished": there.ended,
    }


def _optimum(config: Config, objectives: Sequence[Objective], problem: Problem) -> dict[str, Any] | None:
    """The best label of a table, where the search is of one objective without constraints and the table can still be read."""
    if len(objectives) > 1 or problem.constraints or objectives[0].known:
        return None
    if not config.evaluator.startswith("benchmark:"):
        return None
    try:
        evaluator: Any = make_evaluator(config.evaluator)  # without the space: a report builds none, and runs nothing
        if not hasattr(evaluator, "archs") or config.pool is not None:
            return None
        values = {arch: evaluator.table.query(arch, objectives[0].metric) for arch in evaluator.archs()}
    except (CgError, KeyError, AttributeError):
        return None
    arch = max(values, key=lambda a: objectives[0].utility(values[a]), default=None)
    return None if arch is None else {"value": _number(values[arch]), "arch": arch, "among": len(values)}


def _shown(good: Sequence[Evaluation], best: Evaluation | None, objectives: Sequence[Objective]) -> list[Evaluation]:
    """The winner, and the most different of the front (several objectives) or the next best (one)."""
    if best is None:
        return []
    several = len(objectives) > 1
    utilities = [[o.utility(row.metrics.get(o.metric, row.value or 0.0)) for o in objectives] for row in good]
    try:
        front = [good[i] for i in pareto.front(utilities).tolist()] if several else []
    except MissingExtra:
        front = []
    key: Callable[[Evaluation], float] = lambda row: -objectives[0].utility(row.value or 0.0)  # noqa: E731
    order = sorted(front or good, key=key)
    if front and len(order) > _DRAWN:
        order = [order[round(i * (len(order) - 1) / (_DRAWN - 1))] for i in range(_DRAWN)]
    shown: dict[str, Evaluation] = {best.hash: best}
    for row in order:
        shown.setdefault(row.hash, row)
    return list(shown.values())[:_DRAWN]


def _drawings(store: Store, best: Evaluation | None, rows: Sequence[Evaluation]) -> tuple[list[dict[str, Any]], str]:
    """The networks by evaluation, as the history holds them, and why there are none."""
    if best is None:
        return [], "No evaluation has succeeded within the constraints."
    try:
        networks = [(row.id, store.network(row.id)) for row in rows]
    except SearchError as error:
        return [], str(error)
    found = [{"id": number, "graph": graph_data(graph)} for number, graph in networks if graph is not None]
    return found, "" if found else "The history holds no networks: it was written before networks were kept in it."
