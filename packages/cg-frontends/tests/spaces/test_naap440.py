"""NAAP-440: members, and the costs of their table."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.naap440 import Naap440
from cg_ir import ArchError, Graph


def elements(graph: Graph, op: str) -> int:
    return sum(int(np.prod(node.shape)) for node in graph.nodes if node.op == op)


def test_networks_are_canonical() -> None:
    space = Naap440()
    rng = np.random.default_rng(0)
    for _ in range(30):
        graph = space.graph(space.sample(rng))
        again = graph.canonicalize()
        assert (len(again), again.hash) == (len(graph), graph.hash)


def test_there_are_440() -> None:
    space = Naap440()
    archs = list(space.enumerate())
    assert len(set(archs)) == space.size == 440
    assert len({space.graph(arch).hash for arch in archs}) == 440
    assert all(space.neighbors(arch) for arch in archs)


@pytest.mark.parametrize(
    ("arch", "message"),
    [("k3w12s2r0", "is none of the 440"), ("k3w12", "should be layers such as"), ("", "should be"), (3, "should be")],
)
def test_bad_networks_of_naap440_are_refused(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        Naap440().graph(arch)


@pytest.mark.realdata
def test_costs_of_the_table(data_dir: Path) -> None:
    """Its ``macs`` add 4 per output element of batch normalisations, and elements and channels of the global average pooling."""
    space = Naap440()
    with gzip.open(data_dir / "naap440.csv.gz", "rt") as file:
        table = list(csv.DictReader(file))
    assert {row["layers"] for row in table} == set(space.enumerate())
    for row in table:
        graph = space.graph(row["layers"])
        (pool,) = (node for node in graph.nodes if node.op == "GlobalAveragePool")
        pooled = int(np.prod(graph.nodes[pool.inputs[0]].shape)) + pool.shape[1]
        macs = graph.macs + 4 * elements(graph, "BatchNormalization") + pooled
        assert (graph.params, macs) == (int(row["params"]), int(row["macs"])), row["layers"]
