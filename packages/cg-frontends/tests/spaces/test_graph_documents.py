"""The networks of one file as a space: ids, and neighbours of similar costs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.benchmarks.graph_labels import LabelledGraph, write_graphs
from cg_frontends.spaces.graph_documents import GraphDocuments
from cg_ir import ArchError, SourceError, get_space
from cg_ir.plugins import SearchSpace
from cg_ir.testing import SpaceSuite

ARCHS = [f"{width}:8:8:8:{last}" for width in (8, 16, 24, 32, 40, 48, 56, 64) for last in (8, 16, 24)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "nets.jsonl"
    graphs = [get_space("natssize").graph(arch) for arch in ARCHS]
    write_graphs([LabelledGraph(f"net {i}", graph, {"acc": float(i)}) for i, graph in enumerate(graphs)], path)
    return path


@pytest.fixture(scope="module")
def space(path: Path) -> GraphDocuments:
    return GraphDocuments(str(path))


def test_ids_name_the_networks_of_the_file(space: GraphDocuments) -> None:
    assert space.family == "graphs:nets.jsonl"
    assert list(space.enumerate()) == [f"net {i}" for i in range(len(ARCHS))]
    assert space.size == len(ARCHS)
    assert space.graph("net 7").hash == get_space("natssize").graph(ARCHS[7]).hash


def test_neighbours_are_those_whose_costs_are_nearest(space: GraphDocuments) -> None:
    costs = {name: (space.graph(name).params, space.graph(name).macs) for name in space.enumerate()}

    def distance(a: str, b: str) -> float:
        return sum(abs(math.log1p(x) - math.log1p(y)) for x, y in zip(costs[a], costs[b], strict=True))

    for name in ("net 0", "net 11", "net 23"):
        nearest = sorted((other for other in costs if other != name), key=lambda other: distance(name, other))
        assert space.neighbors(name) == nearest[:16]


def test_a_small_file_has_fewer_neighbours(tmp_path: Path) -> None:
    graphs = [get_space("natssize").graph(arch) for arch in ARCHS[:3]]
    write_graphs(
        [LabelledGraph(name, g, {"acc": 1.0}) for name, g in zip("abc", graphs, strict=True)], tmp_path / "x.jsonl"
    )
    assert sorted(GraphDocuments(str(tmp_path / "x.jsonl")).neighbors("b")) == ["a", "c"]


def test_mutants_are_neighbours_and_children_their_parents(space: GraphDocuments) -> None:
    rng = np.random.default_rng(0)
    assert {space.mutate("net 3", rng) for _ in range(300)} == set(space.neighbors("net 3"))
    assert {space.crossover("net 3", "net 9", rng) for _ in range(20)} == {"net 3", "net 9"}
    assert {space.sample(rng) for _ in range(400)} == set(space.enumerate())


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("net 300", r"graphs:nets.jsonl has no network 'net 300'; did you mean 'net 30?'\?"),
        ("", "has no network ''$"),
        (3, "has no network 3$"),
        (["net 3"], r"has no network \['net 3'\]; did you mean 'net 3'\?"),
        ("x" * 10**6, "has no network 'x{60,80}$"),
    ],
)
def test_other_ids_are_refused(space: GraphDocuments, arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        space.graph(arch)


def test_the_space_needs_a_file() -> None:
    with pytest.raises(SourceError, match="needs a file"):
        get_space("graphs")


class TestGraphDocuments(SpaceSuite):
    @pytest.fixture(autouse=True)
    def _file(self, path: Path) -> None:
        self.path = path

    def make(self) -> SearchSpace:
        return get_space("graphs", file=str(self.path))
