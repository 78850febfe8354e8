"""NAS-Bench-101: networks equal to a plain construction of the official one, the space, its hashes."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.nb101 import NasBench101, vertex_channels
from cg_ir import ArchError, Graph, GraphBuilder
from cg_ir.batch_hashing import hash_all

#: The best cell of the benchmark's paper, and cells whose channels do not divide, that truncate, that are linear or empty.
CELL = "110010010000010101101:00201"
CELLS = [
    CELL,
    "1:",
    "101:1",
    "111:2",
    "111000100000101001101:01022",
    "100000100001111100011:10220",
    "110000011001010001011:02221",
    "111100001000010000101:01201",
]


def plain_network(matrix: np.ndarray, ops: list[int]) -> Graph:
    """The official network node by node, for a cell in the order that the benchmark trained."""
    b = GraphBuilder()
    last = len(matrix) - 1

    def conv_bn_relu(x: int, channels: int, kernel: int) -> int:
        x = b.add("Conv", x, channels=channels, kernel_shape=(kernel, kernel), pads=(kernel // 2,) * 4)
        return b.add("Relu", b.add("BatchNormalization", x))

    def truncate(x: int, channels: int) -> int:
        side = b.shape(x)[2]
        return b.add("Slice", x, starts=(0, 0, 0, 0), ends=(1, channels, side, side), steps=(1, 1, 1, 1))

    def module(x: int, channels: int) -> int:
        feeding = [v for v in range(1, last) if matrix[v, last]]
        width = {last: channels}
        for v in reversed(range(1, last)):
            if v in feeding:
                width[v] = channels // len(feeding) + (feeding.index(v) < channels % len(feeding))
            else:
                width[v] = max(width[w] for w in range(v + 1, last) if matrix[v, w])
        values = {0: x}
        for v in range(1, last):
            terms = [truncate(values[s], width[v]) for s in range(1, v) if matrix[s, v]]
            if matrix[0, v]:
                terms.append(conv_bn_relu(x, width[v], 1))
            total = b.add("Add", *terms) if len(terms) > 1 else terms[0]
            if ops[v - 1] == 2:
                values[v] = b.add("MaxPool", total, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
            else:
                values[v] = conv_bn_relu(total, width[v], (3, 1)[ops[v - 1]])
        if not feeding:
            return conv_bn_relu(x, channels, 1)
        out = b.add("Concat", *(values[v] for v in feeding), axis=1)
        return b.add("Add", out, conv_bn_relu(x, channels, 1)) if matrix[0, last] else out

    x = conv_bn_relu(b.input((1, 3, 32, 32)), 128, 3)
    for channels in (128, 256, 512):
        if channels > 128:
            x = b.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        for _ in range(3):
            x = module(x, channels)
    x = b.add("ReduceMean", x, axes=(2, 3), keepdims=False)
    b.output(b.add("Gemm", x, channels=10, bias=True))
    return b.build()


def test_network_equals_plain_construction() -> None:
    space = NasBench101()
    rng = np.random.default_rng(0)
    for arch in [*CELLS, *(space.sample(rng) for _ in range(60))]:
        trained = space.parse(arch).generated()
        oracle = plain_network(np.array(trained.matrix()), [int(op) for op in trained.ops])
        graph = space.graph(arch)
        assert len(graph) == len(oracle), arch
        assert graph.hash == oracle.hash == graph.canonicalize().hash, arch
        assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


def test_isomorphic_cells_are_one_network() -> None:
    space = NasBench101()
    for arch in CELLS:
        matrix, ops = np.array(space.parse(arch).matrix()), space.parse(arch).ops
        found = set()
        for order in itertools.permutations(range(1, len(matrix) - 1)):
            kept = [0, *order, len(matrix) - 1]
            moved = matrix[np.ix_(kept, kept)]
            if not np.tril(moved).any():
                other = (moved, [ops[v - 1] for v in order])
                found.add((space.canonical(other), space.graph(other).hash, space.module_hash(other)))
        assert found == {(space.canonical(arch), space.graph(arch).hash, space.module_hash(arch))}


def test_cells_that_are_none_are_refused() -> None:
    with pytest.raises(ArchError, match="no path leads"):
        NasBench101().graph("000:1")


def test_channels_are_shared_with_the_remainder_first() -> None:
    assert vertex_channels("1110001011", 5, 128) == (0, 43, 43, 42, 128)
    # vertex 1 feeds only vertex 2
    assert vertex_channels("1010110011", 5, 256)[1:] == (128, 128, 128, 256)


def test_neighbours_are_other_cells() -> None:
    space = NasBench101()
    for arch in CELLS:
        neighbours = space.neighbors(arch)
        assert arch not in neighbours
        assert len(set(neighbours)) == len(neighbours) > 2
        assert all(space.canonical(n) == n for n in neighbours)
    assert "101:0" in space.neighbors("111:0")
    assert "111:2" in space.neighbors("1:")


def look_alikes(archs: list[str], count: int) -> list[str]:
    """Cells of seven vertices that differ neither in degrees nor in operators from another one, at least ``count``: some classes of them, whole."""
    texts = [arch for arch in archs if len(arch) == 27]
    digits = np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(-1, 27) & 15
    sources, targets = np.array(list(itertools.combinations(range(7), 2))).T
    vertex = np.eye(8, dtype=np.uint8)
    labels = digits[:, :21] @ (8 * vertex[sources] + vertex[targets])
    labels[:, 1:6] += 64 * digits[:, 22:]
    labels[:, 1:6].sort(axis=1)
    _, kind, size = np.unique(labels.view(np.uint64), return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(np.flatnonzero(size > 1))
    chosen = order[: np.searchsorted(size[order].cumsum(), count) + 1]
    return [texts[i] for i in np.flatnonzero(np.isin(kind, chosen))]


@pytest.fixture(scope="module")
def archs() -> list[str]:
    return list(NasBench101().enumerate())


def test_enumeration_is_the_whole_space(archs: list[str]) -> None:
    space = NasBench101()
    assert len(set(archs)) == len(archs) == space.size == 423_624
    assert all(space.canonical(arch) == arch for arch in archs[::401])


def test_cells_that_look_alike_have_hashes_of_their_own(archs: list[str]) -> None:
    space = NasBench101()
    some = [arch for arch in archs if len(arch) < 16] + look_alikes(archs, 3000)
    assert len(set(some)) == len(some) > 5000
    assert len(set(hash_all([space.graph(arch) for arch in some]))) == len(some)
    assert len({space.module_hash(arch) for arch in some[::2]}) == len(some[::2])


@pytest.mark.attack
def test_cells_have_hashes_of_their_own(archs: list[str]) -> None:
    space = NasBench101()
    seen = set[str]()
    for begin in range(0, len(archs), 28_672):
        seen.update(hash_all([space.graph(arch) for arch in archs[begin : begin + 28_672 : 7]]))
    assert len(seen) == -(-space.size // 7)


@pytest.mark.realdata
@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.attack)])
def test_parameters_hashes_and_spelling_of_the_table(data_dir: Path, step: int) -> None:
    space = NasBench101()
    with gzip.open(data_dir / "nb101.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20_001
    for row in rows[::step]:
        arch = f"{row['adj_upper']}:{row['ops']}"
        assert space.graph(arch).params == int(float(row["params"])), arch
        assert space.module_hash(arch) == row["hash"], arch
        assert space.canonical(arch) == arch
