"""Cells of NAS-Bench-201 with labels that a formula gives, and a small scorer of an outsider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from cg_ir import Graph, get_space, registry
from cg_ir.plugins import hookimpl

_WORTH = {"Conv": 1.0, "Relu": 0.2, "AveragePool": -0.6, "Add": 0.4}


def counts(graphs: Sequence[Graph]) -> np.ndarray:
    """How often the operators of the formula occur, (n, 4)."""
    return np.array([[sum(node.op == op for node in g.nodes) for op in _WORTH] for g in graphs], dtype=float)


def worth(graphs: Sequence[Graph]) -> np.ndarray:
    """The made-up labels of cells, (n,)."""
    scaled = counts(graphs) / 10 @ np.array(list(_WORTH.values()))
    return scaled + np.array([0.1 * np.log10(g.macs) for g in graphs])


def distinct_cells(count: int) -> dict[str, Graph]:
    """Seeded cells that are different networks, by architecture."""
    space, rng = get_space("nb201"), np.random.default_rng(0)
    found: dict[str, tuple[str, Graph]] = {}
    while len(found) < count:
        graph = space.graph(arch := space.sample(rng))
        found.setdefault(graph.hash, (arch, graph))
    return dict(found.values())


class CountScorer:
    """Bayesian linear regression on counts of operators."""

    name = "counts"

    def __init__(self, exclude: tuple[str, ...] = ()) -> None:
        self.sources = tuple(family for family in ("elsewhere",) if family not in exclude)
        self._mean, self._scale = 0.0, 1.0
        self._covariance, self._weights = np.eye(5), np.zeros(5)

    @staticmethod
    def _columns(graphs: Sequence[Graph]) -> np.ndarray:
        return np.column_stack([counts(graphs) / 10, np.ones(len(graphs))])

    def fit(self, graphs: Sequence[Graph], y: Any) -> CountScorer:
        x, self._mean, self._scale = self._columns(graphs), float(np.mean(y)), float(np.std(y)) or 1.0
        self._covariance = np.linalg.inv(np.eye(5) + 100 * x.T @ x)
        self._weights = 100 * self._covariance @ x.T @ ((np.asarray(y) - self._mean) / self._scale)
        return self

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> Any:
        x = self._columns(graphs)
        mean = self._mean + self._scale * (x @ self._weights)
        std = self._scale * np.sqrt(np.einsum("ij,jk,ik->i", x, self._covariance, x))
        return (mean, std) if return_std else mean


class Outsider:
    """What the plugin of a third party registers; tests fill the lists."""

    def __init__(self) -> None:
        self.targets: list[Any] = []
        self.methods: list[Any] = []
        self.metrics: list[Any] = []

    @hookimpl
    def cg_scorers(self) -> list[type]:
        return [CountScorer]

    @hookimpl
    def cg_bench_targets(self) -> list[Any]:
        return self.targets

    @hookimpl
    def cg_bench_methods(self) -> list[Any]:
        return self.methods

    @hookimpl
    def cg_bench_metrics(self) -> list[Any]:
        return self.metrics


@pytest.fixture
def outsider() -> Iterator[Outsider]:
    """A registered plugin with the scorer ``counts``."""
    plugin = Outsider()
    registry().register(plugin, "outsider")
    yield plugin
    registry().unregister(plugin)


@pytest.fixture(scope="session")
def cells() -> dict[str, Graph]:
    """160 different cells."""
    return distinct_cells(160)


@pytest.fixture(scope="session")
def family(cells: dict[str, Graph]) -> tuple[list[Graph], np.ndarray]:
    """160 networks and their labels."""
    graphs = list(cells.values())
    return graphs, worth(graphs)
