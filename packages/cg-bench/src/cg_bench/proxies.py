"""``cg bench proxies``: the zero-cost proxies of this package against the columns that NAS-Bench-Suite-Zero published for the same cells."""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cg_bench.rows import ResultRows
from cg_ir import get_scorer, get_space
from cg_ir.errors import CgError
from cg_ir.files import write_text
from cg_predict.metrics import spearman

__all__ = ["COLUMNS", "markdown", "proxy_rows", "run", "sample_cells", "write_report"]

Row = dict[str, Any]
#: The published column of each proxy.
COLUMNS = {
    "synflow": "synflow",
    "jacov": "jacov",
    "snip": "snip",
    "grasp": "grasp",
    "fisher": "fisher",
    "grad_norm": "grad_norm",
    "naswot": "nwot",
    "zen": "zen",
}
#: Proxies whose published values were measured on images, with their labels where they use a loss.
ON_IMAGES = ("jacov", "snip", "grasp", "fisher", "grad_norm", "naswot")
_LABELS, _PUBLISHED, _METRIC = "nb201_cifar10.csv.gz", "nb201_zero_cost_cifar10.csv.gz", "cifar10_test"


def _table(path: Path) -> dict[str, dict[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return {row["index"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError):
        raise CgError(f"{path} should be a gzipped table of NAS-Bench-201 cells with a column 'index'") from None


def sample_cells(data: Path, size: int) -> list[Row]:
    """A seeded sample of the cells that have every published value: index, architecture, accuracy and the published values by proxy."""
    cells, published = _table(data / _LABELS), _table(data / _PUBLISHED)
    whole = [i for i, row in published.items() if i in cells and all(row.get(c) for c in COLUMNS.values())]
    if not whole:
        raise CgError(f"{data / _PUBLISHED} has no cell with all of {', '.join(COLUMNS.values())}")
    order = np.random.default_rng(0).permutation(len(whole))[:size]  # a larger sample begins with a smaller one
    return [
        {
            "cell": int(whole[i]),
            "arch": cells[whole[i]]["arch_str"],
            "accuracy": float(cells[whole[i]][_METRIC]),
            **{name: float(published[whole[i]][column]) for name, column in COLUMNS.items()},
        }
        for i in order
    ]


def proxy_rows(folder: Path) -> ResultRows:
    """``results.csv``: our score of each cell."""
    return ResultRows(folder / "results.csv", {"proxy": str, "cell": int}, {"score": float, "seconds": float})


def run(cells: Sequence[Row], rows: ResultRows, progress: Callable[[str], None]) -> None:
    """Score the cells that the result file lacks, with every proxy."""
    space = get_space("nb201")
    for name in COLUMNS:
        scorer = get_scorer(name)
        for cell in cells:
            if (name, cell["cell"]) not in rows.done:
                begin = time.perf_counter()
                score = float(scorer.predict([space.graph(cell["arch"])])[0])
                seconds = time.perf_counter() - begin
                rows.add({"proxy": name, "cell": cell["cell"], "score": score, "seconds": seconds})
        progress(f"{name}: {len(cells)} cells")


def _interval(a: Any, b: Any) -> tuple[float, float]:
    """90 % bootstrap interval of the rank correlation."""
    rng = np.random.default_rng(0)
    picks = rng.integers(len(a), size=(1000, len(a)))
    low, high = np.quantile([spearman(a[p], b[p]) for p in picks], [0.05, 0.95])
    return float(low), float(high)


def markdown(cells: Sequence[Row], rows: Sequence[Row]) -> str:
    """The table."""
    scores = {(r["proxy"], r["cell"]): r["score"] for r in rows}
    seconds: dict[str, list[float]] = {}
    for row in rows:
        seconds.setdefault(row["proxy"], []).append(row["seconds"])
    accuracy = np.array([cell["accuracy"] for cell in cells])
    lines = [
        "# Zero-cost proxies against published values",
        "",
        "Written by `cg bench proxies`. Spearman's rank correlation of each proxy of `cg rank --scorer` with the values of NAS-Bench-Suite-Zero, over",
        f"{len(cells)} random NAS-Bench-201 cells, with a 90 % bootstrap interval, and of both with the test accuracy on CIFAR-10 of these cells.",
        f"The published values of {', '.join(f'`{name}`' for name in ON_IMAGES)} come from batches of",
        "CIFAR-10 images; the project ships no images, and its proxies see batches of",
        "normal noise with random labels, so that for these the correlation also measures what the images matter. `synflow` and `zen` need no images.",
        "",
        "| proxy | with the published values | interval | with accuracy | published, with accuracy | median seconds a cell |",
        "|---|---|---|---|---|---|",
    ]
    for name in COLUMNS:
        known = [cell for cell in cells if (name, cell["cell"]) in scores]
        if len(known) < len(cells):
            continue
        ours = np.array([scores[name, cell["cell"]] for cell in cells])
        theirs = np.array([cell[name] for cell in cells])
        low, high = _interval(ours, theirs)
        lines.append(
            f"| {name} | {spearman(ours, theirs):.3f} | {low:.3f} to {high:.3f} | {spearman(ours, accuracy):.3f} | "
            f"{spearman(theirs, accuracy):.3f} | {np.median(seconds[name]):.2f} |"
        )
    return "\n".join(lines) + "\n"


def write_report(folder: Path, cells: Sequence[Row], rows: Sequence[Row]) -> None:
    """Write ``results.md``, whole or not at all."""
    write_text(folder / "results.md", markdown(cells, rows))
