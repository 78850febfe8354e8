"""Latency as a metric: measured here, or predicted for a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from toy_plugin import ToySpace

from cg_evolve import SearchError, latency
from cg_evolve.latency import measure_latency, predicted_latency
from cg_ir import Graph, MissingExtra, registry
from cg_ir.plugins import hookimpl

SPACE = ToySpace()


class Clock:
    """A device on which a network takes a millisecond a node."""

    name = "latency@clock"
    asked: list[int] = []

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> np.ndarray:
        self.asked.append(len(graphs))
        return np.array([-float(len(graph)) for graph in graphs])


class Plugin:
    @hookimpl
    def cg_scorers(self) -> list[type]:
        return [Clock]


@pytest.fixture
def clock() -> Iterator[list[int]]:
    """The device is registered; how many networks its predictor is asked for, each time."""
    plugin = Plugin()
    registry().register(plugin, "clock")
    latency._predictor.cache_clear()
    Clock.asked.clear()
    yield Clock.asked
    latency._predictor.cache_clear()
    registry().unregister(plugin)


def test_scores_turned_round_are_milliseconds_and_each_network_is_predicted_once(clock: list[int]) -> None:
    graphs = [SPACE.graph(arch) for arch in ("cckkpp", "kkkkkk", "icckkp", "cckkpp", "cckkpi")]
    assert predicted_latency("latency@clock", graphs) == [float(len(graph)) for graph in graphs]
    assert clock == [len({graph.hash for graph in graphs})]
    assert predicted_latency("latency@clock", graphs[:2]) == [float(len(graph)) for graph in graphs[:2]]
    assert predicted_latency("latency@clock", []) == []
    assert len(clock) == 1


def test_what_is_remembered_is_bounded(clock: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_REMEMBERED", 2)
    graphs = [SPACE.graph(arch) for arch in ("cccccc", "kkkkkk", "wwwwww", "pppppp")]
    assert predicted_latency("latency@clock", graphs) == [float(len(graph)) for graph in graphs]
    predicted_latency("latency@clock", graphs[2:])
    assert clock == [4]  # the latest two are still known
    predicted_latency("latency@clock", graphs[:1])
    assert clock == [4, 1]


def test_a_device_that_nobody_predicts_is_named() -> None:
    with pytest.raises(SearchError, match=r"^'latency@toaster' cannot be predicted: no scorer is called"):
        predicted_latency("latency@toaster", [SPACE.graph("cccccc")])


def test_a_larger_network_takes_longer() -> None:
    pytest.importorskip("torch")
    small, large = (ToySpace(channels).graph("kkkkkk") for channels in (1, 96))
    assert 0 < measure_latency(small, repeats=3, warm_up=1) < measure_latency(large, repeats=3, warm_up=1)


def test_without_torch_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"cg-evolve\[torch\]"):
        latency.require_torch()
