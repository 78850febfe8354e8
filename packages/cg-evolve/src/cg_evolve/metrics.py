"""What an evaluator returns, checked."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from cg_evolve.errors import SearchError

__all__ = ["checked_metrics"]


def checked_metrics(result: Any) -> dict[str, float]:
    """What an evaluator returned, as metrics by name.

    Raises:
        SearchError: it is nothing of the kind.
    """
    if not isinstance(result, Mapping):
        raise SearchError(f"the evaluator should return metrics by name, not {reprlib.repr(result)}")
    metrics = {}
    for name, value in result.items():
        try:
            if isinstance(value, str):
                raise TypeError
            metrics[str(name)] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise SearchError(f"the metric '{str(name)[:60]}' is no number but {reprlib.repr(value)}") from None
    return metrics
