"""Running the comparison: every method, target, number of labels and draw, one row each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cg_bench.ranking.methods import Method, Outcome
from cg_bench.ranking.metrics import Judged, registered_metrics
from cg_bench.ranking.targets import Task
from cg_bench.rows import ResultRows
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.targets import normal_scores

__all__ = ["COUNTS", "Rows", "run_task", "told"]

#: Numbers of labels.
COUNTS = (0, 10, 20, 50, 100, 400)
_KEYS: Mapping[str, type] = {"target": str, "method": str, "labels": int, "draw": int}


class Rows(ResultRows):
    """The results file of this comparison: a column for the metrics of every plugin.

    Args:
        path: of the CSV.
    """

    def __init__(self, path: Path) -> None:
        metrics = {metric.name: float for metric in registered_metrics()}
        super().__init__(path, _KEYS, {**metrics, "networks": int, "seconds": float})


@contextmanager
def told(what: str) -> Iterator[None]:
    """Within it whatever goes wrong, also in a plugin, is one line that says with what.

    Raises:
        CgError: that line.
    """
    try:
        yield
    except Exception as error:
        raise CgError(f"{what}: {error if isinstance(error, CgError) else repr(error)}") from error


def run_task(
    task: Task,
    graphs: Sequence[Graph],
    methods: Iterable[Method],
    counts: Sequence[int],
    draws: int,
    rows: Rows,
    progress: Callable[[str], None],
) -> None:
    """All methods on one target.

    Args:
        task: the target.
        graphs: its networks.
        methods: what ranks them.
        counts: numbers of labels; draws: of these labels, at most.
        rows: where results go; what they have already is not computed again.
        progress: told what has been done.
    """
    target, labels = task.target, task.labelled.labels
    truth = normal_scores(labels)
    for method in methods:
        for count in counts:
            if count >= len(graphs) or (method.counts is not None and count not in method.counts):
                continue
            for draw in range(min(draws, getattr(method, "draws", draws)) if count else 1):
                if (target.name, method.name, count, draw) in rows.done:
                    continue
                begin = time.perf_counter()
                with told(f"{target.name}: {method.name}, {count} labels"):
                    measured = _measure(method.run(graphs, labels, count, draw), labels, truth)
                row = {"target": target.name, "method": method.name, "labels": count, "draw": draw}
                rows.add(row | measured | {"seconds": time.perf_counter() - begin})
            done = [
                r for r in rows.rows if (r["target"], r["method"], r["labels"]) == (target.name, method.name, count)
            ]
            if done:
                mean = float(np.mean([r["spearman"] for r in done]))
                progress(f"{target.name}: {method.name}, {count} labels: Spearman {mean:.3f} ({len(done)} draws)")


def _measure(outcome: Outcome, labels: Any, normal: Any) -> dict[str, Any]:
    """Metrics over the networks that were not labelled and that have a score."""
    rest = np.isfinite(outcome.score)
    rest[outcome.labelled] = False
    if not rest.any():
        raise CgError("no network without a label has a score")
    judged = Judged(outcome.score[rest], labels[rest], normal[rest], None if outcome.std is None else outcome.std[rest])
    measured = {metric.name: metric.measure(judged) for metric in registered_metrics()}
    return measured | {"networks": int(rest.sum())}
