"""Measured latency of a network on this machine."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["measure_latency"]


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
    require_torch()
    import torch

    from cg_ir import to_module

    module: Any = to_module(graph).eval()
    inputs = [torch.zeros(node.shape) for node in graph.nodes if node.op == "Input"]
    times = []
    with torch.inference_mode():
        for number in range(warm_up + repeats):
            start = time.perf_counter()
            module(*inputs)
            if number >= warm_up:
                times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)
