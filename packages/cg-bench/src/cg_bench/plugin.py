"""Entry-point module of cg-bench in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cg_ir.plugins import LazyCommand, hookimpl

if TYPE_CHECKING:
    from cg_bench.ranking.metrics import Metric
    from cg_bench.ranking.suite import Contender
    from cg_bench.ranking.targets import Target


@hookimpl
def cg_bench_targets() -> Iterable[Target]:
    """The label tables."""
    from cg_bench.ranking.targets import TARGETS

    return TARGETS


@hookimpl
def cg_bench_methods() -> Iterable[Contender]:
    """The predictor, what it is compared with, and the paper's recipe."""
    from cg_bench.ranking.suite import METHODS

    return METHODS


@hookimpl
def cg_bench_metrics() -> Iterable[Metric]:
    """Correlations, precision among the best, regret, coverage."""
    from cg_bench.ranking.metrics import METRICS

    return METRICS


@hookimpl
def cg_commands() -> Iterable[LazyCommand]:
    """``cg bench``."""
    return [LazyCommand("bench", "cg_bench.commands:bench", "Rebuild the benchmark tables.")]
