"""What rankings are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.plugin_registry import registry
from cg_predict import metrics

__all__ = ["METRICS", "Judged", "Metric", "registered_metrics"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Judged:
    """A ranking beside the truth, over the n networks that were not labelled and that have a score.

    Attributes:
        score: (n,), higher is better.
        labels: true ones, (n,).
        normal: the normal scores of the labels among all networks, (n,).
        std: standard deviations of the scores on the scale of normal scores, (n,), where the method has them.
    """

    score: Floats
    labels: Floats
    normal: Floats
    std: Floats | None = None


@dataclass(frozen=True)
class Metric:
    """A column of ``results.csv`` and a table of ``results.md``.

    Args:
        name: of the column.
        title: of the table.
        measure: the number; NaN where there is none.
        digits: after the point, in the table.
    """

    name: str
    title: str
    measure: Callable[[Judged], float]
    digits: int = 3


def _coverage(judged: Judged) -> float:
    if judged.std is None:
        return float("nan")
    return metrics.coverage(judged.score, judged.std, judged.normal)


METRICS = (
    Metric("spearman", "Spearman's rank correlation", lambda j: metrics.spearman(j.score, j.labels)),
    Metric("kendall", "Kendall's tau", lambda j: metrics.kendall(j.score, j.labels)),
    Metric("precision_top_5", "Precision among the best 5 %", lambda j: metrics.precision_at_top(j.score, j.labels)),
    Metric("regret", "Regret of the predicted best, in the label's unit", lambda j: metrics.regret(j.score, j.labels)),
    Metric(
        "rank_of_best",
        "True rank of the predicted best, as a share of all",
        lambda j: metrics.rank_of_best(j.score, j.labels),
        4,
    ),
    Metric(
        "spearman_top_10",
        "Spearman's rank correlation within the true best 10 %",
        lambda j: metrics.spearman_in_top(j.score, j.labels),
    ),
    Metric("coverage_90", "Share of networks inside their 90 % interval", _coverage),
)


def registered_metrics() -> tuple[Metric, ...]:
    """Those of all plugins."""
    return tuple(entry.make for entry in registry().entries("bench metric").values())
