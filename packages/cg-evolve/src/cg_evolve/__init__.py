"""Search any space of neural networks: algorithms with ask and tell, evaluators, resumable runs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cg_evolve.algorithms import ALGORITHMS
    from cg_evolve.errors import Exhausted, SearchError
    from cg_evolve.history import Candidate, Evaluation, History, Proposal
    from cg_evolve.objectives import Constraint, Objective
    from cg_evolve.runs import Run
    from cg_evolve.search import Search

_WHERE = {
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


def __getattr__(name: str) -> Any:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'cg_evolve' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"cg_evolve.{module}"), name)
    globals()[name] = value
    return value
