"""Timing of forward passes: what is timed, how often, and what is said of it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from cg_ir import CgError, Graph, GraphBuilder, MissingExtra, measurement
from cg_ir.measurement import Timing, measure


def graph(dtype: str = "float32") -> Graph:
    b = GraphBuilder("tiny")
    x, other = b.input((1, 3), dtype=dtype), b.input((1, 3))
    b.output(b.add("Add", b.add("Cast", x, to="float32") if dtype != "float32" else x, other))
    return b.build()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A runtime ``fake`` whose passes take the given seconds, one after the other, the last for ever."""

    def start(*seconds: float) -> list[int]:
        now, ran = [0.0], []

        def make(graph: Graph, batch: int) -> Any:
            def run() -> None:
                now[0] += seconds[min(len(ran), len(seconds) - 1)]
                ran.append(batch)

            return run

        monkeypatch.setitem(measurement.RUNTIMES, "fake", make)
        monkeypatch.setattr(measurement.time, "perf_counter", lambda: now[0])
        return ran

    return start


def test_quantiles_are_in_milliseconds_an_example(clock: Any) -> None:
    seconds = [1.0, 2.0, 4.0, 7.0, 11.0]
    clock(*seconds)
    found = measure(graph(), "fake", batch=4, passes=5, warm_up=0, seconds=1e9)
    low, median, high = 250 * np.quantile(seconds, [0.1, 0.5, 0.9])
    assert (found.low, found.median, found.high) == pytest.approx((low, median, high))
    assert found.passes == 5


def test_the_warm_up_is_not_timed(clock: Any) -> None:
    ran = clock(100.0, 100.0, 1.0)
    assert measure(graph(), "fake", passes=4, warm_up=2) == Timing(1000.0, 1000.0, 1000.0, 4)
    assert len(ran) == 6


@pytest.mark.parametrize(("seconds", "passes"), [(0.0, 3), (2.9, 3), (4.0, 4), (4.5, 5), (1e9, 10)])
def test_passes_end_when_time_is_up_but_for_three(seconds: float, passes: int, clock: Any) -> None:
    clock(1.0)
    assert measure(graph(), "fake", passes=10, seconds=seconds).passes == passes


def test_fewer_passes_than_three_where_they_are_asked_for(clock: Any) -> None:
    clock(1.0)
    assert measure(graph(), "fake", passes=2).passes == 2


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_real_runtimes_take_inputs_of_every_type(runtime: str, dtype: str) -> None:
    pytest.importorskip(runtime)
    if runtime == "onnxruntime":
        pytest.importorskip("onnx")
    found = measure(graph(dtype), runtime, passes=3, warm_up=0)
    assert 0 < found.low <= found.median <= found.high
    assert found.passes == 3


def test_torch_runs_the_batch_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    seen = []
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda self, *xs: seen.append([tuple(x.shape) for x in xs]))
    measure(graph(), "torch", batch=5, passes=3, warm_up=0)
    assert seen == [[(5, 3), (5, 3)]] * 3


def test_what_is_wrong_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CgError, match=r"^there is no runtime 'tvm'; there are torch, onnxruntime$"):
        measure(graph(), "tvm")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"^measuring with PyTorch needs .* 'cg-ir\[torch\]'$"):
        measure(graph(), "torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CgError, match=r"^measuring with ONNX Runtime needs it: pip install onnxruntime$"):
        measure(graph(), "onnxruntime")


def test_onnx_models_are_for_one_example() -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(CgError, match=r"^ONNX models are written for one example; measure at batch 1 or with torch$"):
        measure(graph(), "onnxruntime", batch=2)


def test_a_network_that_a_runtime_cannot_run_is_an_error_of_one_line() -> None:
    pytest.importorskip("onnxruntime")
    b = GraphBuilder()
    b.output(b.add("Custom", b.input((1, 3)), name="Strange", shape=(1, 3)))
    with pytest.raises(CgError, match=r"^ONNX Runtime cannot run the network: [^\n]+$"):
        measure(b.build(), "onnxruntime")
