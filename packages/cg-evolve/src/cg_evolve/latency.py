"""Latency as a metric of a search: measured on this machine, or predicted for a device by a scorer ``latency@DEVICE``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_ir import get_scorer
from cg_ir.errors import CgError, MissingExtra

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["PREDICTED", "measure_latency", "predicted_latency"]

#: Metrics that begin so are predicted from the graph, in milliseconds.
PREDICTED = "latency@"
_REMEMBERED = 200_000


def require_torch() -> None:
    """Make sure that latency can be measured.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-evolve", "torch", "measured latency") from None


def measure_latency(graph: Graph, repeats: int = 11, warm_up: int = 3) -> float:
    """Median time of one forward pass at batch size 1, in milliseconds, on the CPU.

    Args:
        graph: the network.
        repeats: passes that are timed.
        warm_up: passes before.
    """
    from cg_ir.measurement import measure

    return measure(graph, passes=repeats, warm_up=warm_up).median


@lru_cache(maxsize=16)
def _predictor(metric: str) -> tuple[Any, OrderedDict[str, float]]:
    """The scorer of a metric, and what it said of networks by hash."""
    try:
        return get_scorer(metric), OrderedDict()
    except CgError as error:
        raise SearchError(f"'{metric}' cannot be predicted: {error}") from None


def predicted_latency(metric: str, graphs: Sequence[Graph]) -> list[float]:
    """Milliseconds of networks by the scorer ``latency@DEVICE``, whose scores are minus these; each network is predicted once.

    Raises:
        SearchError: no such scorer.
    """
    scorer, known = _predictor(metric)
    fresh = {graph.hash: graph for graph in graphs if graph.hash not in known}
    if fresh:
        known.update(zip(fresh, (-scorer.predict(list(fresh.values()))).tolist(), strict=True))
    result = [known[graph.hash] for graph in graphs]
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
    return result
