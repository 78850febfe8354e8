"""MetaQNN: notation, members, and the weights of its table."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.metaqnn import MAX_LAYERS, MetaQnn
from cg_ir import ArchError


def test_networks_are_canonical() -> None:
    space = MetaQnn()
    rng = np.random.default_rng(0)
    for _ in range(30):
        graph = space.graph(space.sample(rng))
        again = graph.canonicalize()
        assert (len(again), again.hash) == (len(graph), graph.hash)


def test_dropout_is_left_out() -> None:
    space = MetaQnn()
    text = "[C(64,1,1), C(128,1,1), D(1,2), P(2,2), D(2,2), GAP(10), SM(10)]"
    assert space.canonical(text) == "[C(64,1,1), C(128,1,1), P(2,2), GAP(10), SM(10)]"
    assert space.graph(text).hash == space.graph(space.canonical(text)).hash


def test_every_kind_of_end() -> None:
    graph = MetaQnn().graph("[C(64,3,1), P(5,3), P(2,2), SM(10)]".replace("P(2,2), ", "C(64,1,1), "))
    assert graph.params == 27 * 64 + 64 + 64 * 64 + 64 + 6400 * 10 + 10
    graph = MetaQnn().graph("[C(64,3,1), GAP(10), SM(10)]")
    assert graph.params == 27 * 64 + 64 + 64 * 10 + 10
    graph = MetaQnn().graph("[C(64,3,1), P(5,3), C(64,1,1), P(3,2), FC(256), FC(128), SM(10)]")
    assert graph.params == 27 * 64 + 64 + 64 * 64 + 64 + 1024 * 256 + 256 + 256 * 128 + 128 + 1280 + 10


def test_neighbours_are_what_the_rules_allow() -> None:
    space = MetaQnn()
    arch = "[C(64,3,1), SM(10)]"
    # eleven other convolutions in its place, twelve before or after it (one of these the same both ways), three poolings, GAP
    assert len(space.neighbors(arch)) == 11 + 12 + 11 + 3 + 1
    longest = f"[{', '.join(['C(64,1,1)'] * MAX_LAYERS)}, SM(10)]"
    assert all(other.count("C(") <= MAX_LAYERS for other in space.neighbors(longest))


def test_enumeration_starts_with_members() -> None:
    space = MetaQnn()
    first = list(itertools.islice(space.enumerate(), 2000))
    assert len(set(first)) == 2000
    assert [space.canonical(arch) for arch in first] == first


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("[P(2,2), SM(10)]", "no convolution|cannot stand there"),
        ("[C(64,3,1), P(2,2), P(2,2), SM(10)]", "layer 3 cannot stand there"),
        ("[C(64,3,1), FC(128), SM(10)]", "should end the network"),
        ("[C(64,3,1), P(5,3), P(2,2), FC(128), FC(256), SM(10)]", "cannot stand there"),
        ("[C(64,3,1), P(5,3), C(64,1,1), P(2,2), FC(128), FC(256), SM(10)]", "should end the network"),
        ("[C(64,3,1)]", "should end the network"),
        ("[C(65,3,1), SM(10)]", r"no layer C\(65,3,1\)"),
        ("[C(64,3,1), D(1), SM(10)]", r"no layer D\(1\)"),
        ("C(64,3,1), SM(10)", "should be a list"),
        (f"[{'C(64,1,1),' * (MAX_LAYERS + 1)}SM(10)]", "at most 18 layers"),
        ([], "should be a list"),
    ],
)
def test_bad_networks_of_metaqnn_are_refused(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        MetaQnn().graph(arch)


@pytest.mark.realdata
def test_weights_of_the_table(data_dir: Path) -> None:
    """The table counts weights without biases, and the classifier as its last layer's output times itself (times the window)."""
    space = MetaQnn()
    with gzip.open(data_dir / "metaqnn_cifar10.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        graph, layers = space.graph(row["net"]), space.parse(row["net"])
        weights = {node.index: node.params - node.shape[1] for node in graph.nodes if node.op in ("Conv", "Gemm")}
        last = layers[-2]
        if last[0] != "GAP":
            del weights[max(weights)]
        square = {"C": lambda x: x[1] ** 2 * x[2] ** 2, "FC": lambda x: x[1] ** 2}.get(last[0], lambda x: 0)(last)
        assert sum(weights.values()) + square == int(row["num_params"]), row["net"]
