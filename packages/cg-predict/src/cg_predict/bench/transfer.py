"""Running the comparison: every method, target, number of labels and draw, one row each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cg_ir.graph import Graph
from cg_predict.bench.methods import Method, Outcome
from cg_predict.bench.rows import ResultRows
from cg_predict.bench.targets import Target
from cg_predict.metrics import (
    coverage,
    kendall,
    precision_at_top,
    rank_of_best,
    regret,
    spearman,
    spearman_in_top,
)
from cg_predict.tables import LabelledFamily
from cg_predict.targets import normal_scores

__all__ = ["COLUMNS", "COUNTS", "Rows", "run_target"]

#: Numbers of labels.
COUNTS = (0, 10, 20, 50, 100, 400)
_KEYS = ("target", "method", "labels", "draw")
_MEASURES = (
    "spearman", "kendall", "precision_top_5", "regret", "rank_of_best", "spearman_top_10", "coverage_90", "networks", "seconds",
)  # fmt: skip
COLUMNS = (*_KEYS, *_MEASURES)


class Rows(ResultRows):
    """The results file of this comparison.

    Args:
        path: of the CSV.
    """

    def __init__(self, path: Path) -> None:
        kinds = {"target": str, "method": str, "labels": int, "draw": int, "networks": int}
        super().__init__(path, {k: kinds[k] for k in _KEYS}, {k: kinds.get(k, float) for k in _MEASURES})


def run_target(
    target: Target,
    labelled: LabelledFamily,
    graphs: Sequence[Graph],
    methods: Iterable[Method],
    counts: Sequence[int],
    draws: int,
    rows: Rows,
    progress: Callable[[str], None],
) -> None:
    """All methods on one target."""
    labels = labelled.labels
    truth = normal_scores(labels)
    for method in methods:
        for count in counts:
            if count >= len(graphs) or (method.counts is not None and count not in method.counts):
                continue
            for draw in range(min(draws, getattr(method, "draws", draws)) if count else 1):
                if (target.name, method.name, count, draw) in rows.done:
                    continue
                begin = time.perf_counter()
                outcome = method.run(graphs, labels, count, draw)
                row = {"target": target.name, "method": method.name, "labels": count, "draw": draw}
                rows.add(row | _measure(outcome, labels, truth) | {"seconds": time.perf_counter() - begin})
            done = [
                r for r in rows.rows if (r["target"], r["method"], r["labels"]) == (target.name, method.name, count)
            ]
            if done:
                mean = float(np.mean([r["spearman"] for r in done]))
                progress(f"{target.name}: {method.name}, {count} labels: Spearman {mean:.3f} ({len(done)} draws)")


def _measure(outcome: Outcome, labels: Any, truth: Any) -> dict[str, Any]:
    """Metrics over the networks that were not labelled and that have a score."""
    rest = np.isfinite(outcome.score)
    rest[outcome.labelled] = False
    score, true = outcome.score[rest], labels[rest]
    return {
        "spearman": spearman(score, true),
        "kendall": kendall(score, true),
        "precision_top_5": precision_at_top(score, true),
        "regret": regret(score, true),
        "rank_of_best": rank_of_best(score, true),
        "spearman_top_10": spearman_in_top(score, true),
        "coverage_90": float("nan") if outcome.std is None else coverage(score, outcome.std[rest], truth[rest]),
        "networks": int(rest.sum()),
    }
