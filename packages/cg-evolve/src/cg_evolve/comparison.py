"""Several runs side by side on one self-contained HTML page: what ``cg report RUN RUN ...`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cg_evolve.errors import SearchError
from cg_evolve.report import Read, read, run_facts
from cg_ir.page import asset, page

__all__ = ["comparison_data", "comparison_page"]

#: Runs whose curves the page still tells apart.
MOST = 12


def comparison_page(runs: Sequence[Path], refresh: float | None = None) -> str:
    """The page of several runs as HTML text.

    Args:
        runs: their folders.
        refresh: seconds after which a browser reads the page anew; it does not by default.
    """
    data = comparison_data(runs)
    return page(
        f"Comparison of {len(runs)} searches",
        '<div id="report"></div>',
        data={"comparison-data": data},
        scripts=[
            *map(asset, ("vendor/uPlot.min.js", "base.js", "plot.js")),
            *(asset(name, "cg_evolve") for name in ("evaluations.js", "choice.js", "compare.js")),
        ],
        styles=[
            *map(asset, ("vendor/uPlot.min.css", "base.css", "plot.css")),
            *(asset(name, "cg_evolve") for name in ("report.css", "compare.css")),
        ],
        body_class="report-page",
        refresh=refresh,
    )


def comparison_data(runs: Sequence[Path]) -> dict[str, Any]:
    """What the page shows: of each run its settings, its evaluations in the order in which they finished, and its best.

    Raises:
        SearchError: a folder holds no readable run, or the runs measure different things.
    """
    if not 2 <= len(runs) <= MOST:
        raise SearchError(f"between 2 and {MOST} runs can be compared, not {len(runs)}")
    there = [read(run) for run in runs]
    objectives = [run.problem.objectives[0] for run in there]
    for folder, objective in zip(runs[1:], objectives[1:], strict=True):
        if objective != objectives[0]:
            raise SearchError(
                f"{folder}: is about {objective}, {runs[0]} about {objectives[0]}; they cannot be compared"
            )
    return {
        "objective": {"metric": objectives[0].metric, "maximize": objectives[0].maximize},
        "runs": [_side(name, run) for name, run in zip(_names(runs), there, strict=True)],
    }


def _names(runs: Sequence[Path]) -> list[str]:
    """The folders' names, as long as they tell them apart."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _side(name: str, run: Read) -> dict[str, Any]:
    good, best = {row.id for row in run.good}, run.best
    times = run.ended
    ended = [row for row in run.rows if times[row.id] is not None]
    ended.sort(key=lambda row: (times[row.id], row.id))
    return {
        "name": name,
        "facts": run_facts(run),
        "values": [row.value if row.id in good else None for row in ended],
        "seconds": [times[row.id] for row in ended],
        "cost": round(sum(row.cost for row in ended), 3),
        "failed": sum(row.status == "failed" for row in ended),
        "best": None if best is None else {"id": best.id, "arch": best.arch, "value": best.value},
    }
