"""Search any space of neural networks: algorithms with ask and tell, evaluators, resumable runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cg_evolve.algorithms import ALGORITHMS
    from cg_evolve.api import Result, run
    from cg_evolve.errors import Exhausted, SearchError
    from cg_evolve.history import Candidate, Evaluation, History, Proposal
    from cg_evolve.objectives import Constraint, Objective
    from cg_evolve.runs import Run
    from cg_evolve.search import Search

_WHERE = {
    "run": "api",
    "Result": "api",
    "Search": "search",
    "ALGORITHMS": "algorithms",
    "Candidate": "history",
    "Evaluation": "history",
    "History": "history",
    "Proposal": "history",
    "Objective": "objectives",
    "Constraint": "objectives",
    "Run": "runs",
    "Exhausted": "errors",
    "SearchError": "errors",
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "run",
    "Result",
    "Search",
    "ALGORITHMS",
    "Candidate",
    "Evaluation",
    "History",
    "Proposal",
    "Objective",
    "Constraint",
    "Run",
    "Exhausted",
    "SearchError",
]

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
