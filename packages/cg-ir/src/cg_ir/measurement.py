"""Measured latency of a network on this machine, by PyTorch or ONNX Runtime on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cg_ir.errors import CgError, MissingExtra
from cg_ir.graph import Graph


@dataclass(frozen=True)
class Timing:
    """Times of one forward pass, in milliseconds an example.

    Attributes:
        median: of the passes.
        low, high: a tenth of the passes were faster, a tenth slower.
        passes: how many were timed.
    """

    median: float
    low: float
    high: float
    passes: int


def measure(
    graph: Graph, runtime: str = "torch", batch: int = 1, passes: int = 30, warm_up: int = 5, seconds: float = 20.0
) -> Timing:
    """Time forward passes in evaluation mode, with random weights, after a warm-up.

    Args:
        runtime: ``torch`` or ``onnxruntime``.
        batch: examples a pass.
        passes: how many to time, after those of ``warm_up``; fewer where they take longer than ``seconds`` together, three at least.

    Raises:
        CgError: no such runtime, or it cannot run the network; MissingExtra: it is not installed.
    """
    if runtime not in RUNTIMES:
        raise CgError(f"there is no runtime '{runtime}'; there are {', '.join(RUNTIMES)}")
    run = RUNTIMES[runtime](graph, batch)
    for _ in range(warm_up):
        run()
    times: list[float] = []
    while len(times) < passes and (len(times) < 3 or sum(times) < seconds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    low, median, high = (float(q) for q in 1e3 / batch * np.quantile(times, [0.1, 0.5, 0.9]))
    return Timing(median, low, high, len(times))


def _torch(graph: Graph, batch: int) -> Callable[[], Any]:
    try:
        import torch
    except ImportError:
        raise MissingExtra("cg-ir", "torch", "measuring with PyTorch") from None
    from cg_ir import to_module

    module: Any = to_module(graph).eval()
    inputs = [
        torch.zeros((batch, *node.shape[1:]), dtype=getattr(torch, str(node.attrs["dtype"])))
        for node in graph.nodes
        if node.op == "Input"
    ]

    def run() -> None:
        with torch.inference_mode():
            module(*inputs)

    return run


def _onnxruntime(graph: Graph, batch: int) -> Callable[[], Any]:
    try:
        import onnxruntime
    except ImportError:
        raise CgError("measuring with ONNX Runtime needs it: pip install onnxruntime") from None
    from cg_ir import to_onnx

    if batch != 1:
        raise CgError("ONNX models are written for one example; measure at batch 1 or with torch")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            to_onnx(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except CgError:
        raise
    except Exception as error:  # what it raises has no base class of its own
        raise CgError(f"ONNX Runtime cannot run the network: {' '.join(str(error).split())[:200]}") from error
    named = zip(session.get_inputs(), (node for node in graph.nodes if node.op == "Input"), strict=True)
    inputs = {given.name: np.zeros(node.shape, dtype=str(node.attrs["dtype"])) for given, node in named}
    return lambda: session.run(None, inputs)


#: What can run a network, by name.
RUNTIMES: dict[str, Callable[[Graph, int], Callable[[], Any]]] = {"torch": _torch, "onnxruntime": _onnxruntime}
