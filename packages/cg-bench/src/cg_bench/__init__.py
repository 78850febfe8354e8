"""The benchmark tables of the documentation, rebuilt from label tables: ``cg bench``.

Targets, methods and metrics of the ranking table come through the hooks ``cg_bench_targets``, ``cg_bench_methods`` and ``cg_bench_metrics``, the
built-in ones too. Names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

if TYPE_CHECKING:
    from cg_bench.ranking.methods import Method, Outcome
    from cg_bench.ranking.metrics import Judged, Metric
    from cg_bench.ranking.suite import Contender, ScorerMethod
    from cg_bench.ranking.targets import Target, Task
    from cg_bench.rows import ResultRows

__version__ = "0.1.0"

_WHERE = {
    "Target": "ranking.targets",
    "Task": "ranking.targets",
    "Method": "ranking.methods",
    "Outcome": "ranking.methods",
    "Contender": "ranking.suite",
    "ScorerMethod": "ranking.suite",
    "Metric": "ranking.metrics",
    "Judged": "ranking.metrics",
    "ResultRows": "rows",
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "__version__",
    # what is ranked
    "Target",
    "Task",
    # what ranks it
    "Method",
    "Outcome",
    "Contender",
    "ScorerMethod",
    # what it is judged by
    "Metric",
    "Judged",
    # results
    "ResultRows",
]

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
