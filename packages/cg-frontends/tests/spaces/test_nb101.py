"""NAS-Bench-101: notation, canonical cells, and networks equal to a plain construction of the official one."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.nb101 import NasBench101, vertex_channels
from cg_frontends.spaces.nb101_cell import OPERATIONS, Cell, cells, module_hash
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


def respell(cell: Cell, order: tuple[int, ...]) -> Cell | None:
    """The cell with its inner vertices moved, None where an edge would point backwards."""
    place = (0, *order, cell.vertices - 1)
    matrix = np.zeros((cell.vertices, cell.vertices), dtype=int)
    for i, j in cell.edges():
        matrix[place[i], place[j]] = 1
    if np.tril(matrix).any():
        return None
    ops = dict(zip(order, cell.ops, strict=True))
    return Cell("".join(map(str, matrix[np.triu_indices(len(matrix), 1)])), "".join(ops[v] for v in sorted(ops)))


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


def test_isomorphic_cells_are_one() -> None:
    space = NasBench101()
    for arch in CELLS:
        cell = space.parse(arch)
        spellings = {respell(cell, order) for order in itertools.permutations(range(1, cell.vertices - 1))} - {None}
        assert {space.canonical(str(s)) for s in spellings} == {str(cell)}
        assert len({s.generated() for s in spellings}) == 1
        assert len({space.graph(str(s)).hash for s in spellings}) == 1
        assert len({module_hash(s) for s in spellings}) == 1


def test_useless_vertices_are_pruned() -> None:
    # the input feeds a vertex that nothing reads, and another one stands alone
    assert NasBench101().canonical("1001000000:012") == "1:"
    with pytest.raises(ArchError, match="no path leads"):
        NasBench101().graph("000:1")
    with pytest.raises(ArchError, match="15 edges, but at most 9"):
        NasBench101().graph("1" * 15 + ":0000")


def test_channels_are_shared_with_the_remainder_first() -> None:
    assert vertex_channels("1110001011", 5, 128) == (0, 43, 43, 42, 128)
    # vertex 1 feeds only vertex 2
    assert vertex_channels("1010110011", 5, 256)[1:] == (128, 128, 128, 256)


@pytest.mark.parametrize("outer", [False, True])
def test_other_notations(outer: bool) -> None:
    space = NasBench101()
    cell = space.parse(CELL)
    names = [OPERATIONS[int(op)] for op in cell.ops]
    if outer:
        names = ["input", *names, "output"]
    matrix = cell.matrix()
    forms = [
        (matrix, names),
        (np.array(matrix), names),
        {"module_adjacency": matrix, "module_operations": names},
        {"matrix": np.array(matrix), "ops": names},
        json.dumps([matrix, names]),
        json.dumps({"matrix": matrix, "ops": names}),
        str((matrix, names)),
        f"{cell.adjacency}:{','.join(names)}",
    ]
    for form in forms:
        assert space.canonical(form) == CELL


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("110010010000010101101:00203", r"no operator '3' \(vertex 5\); it has 0 conv3x3-bn-relu"),
        ("110:conv7x7-bn-relu", r"no operator 'conv7x7-bn-relu' \(vertex 1\)"),
        ("11001001000001010110:00201", "has 1, 3, 6, 10, 15, 21 digits, not 20"),
        ("110010010000010101101:0020", "5 operators between input and output, not 4"),
        ("", "should look like adj_upper:ops"),
        ("[[0, 1]", "no valid JSON"),
        ([[[0, 1], [1, 0]], []], "upper triangular"),
        ([[[0, 1, 0], [0, 0]], [0]], "square"),
        ([[[0, 2], [0, 0]], []], "0 and 1"),
        ([np.triu(np.ones((8, 8)), 1), [0] * 6], "8 vertices"),
        (5, "should look like"),
    ],
)
def test_bad_cells_are_refused_in_one_line(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        NasBench101().graph(arch)
    assert "\n" not in str(caught.value)


def test_enumeration_is_the_whole_space() -> None:
    seen = set(cells())
    assert len(seen) == NasBench101.size == 423_624
    some = [cell for i, cell in enumerate(cells()) if i % 4001 == 0]
    assert all(NasBench101().parse(str(cell)) == cell for cell in some)
    assert len({module_hash(cell) for cell in itertools.islice(seen, 3000)}) == 3000


def test_neighbours_are_other_cells() -> None:
    space = NasBench101()
    for arch in CELLS:
        neighbours = space.neighbors(arch)
        assert arch not in neighbours
        assert len(set(neighbours)) == len(neighbours) > 2
        assert all(space.canonical(n) == n for n in neighbours)
    assert "101:0" in space.neighbors("111:0")
    assert "111:2" in space.neighbors("1:")


@pytest.mark.realdata
def test_parameters_hashes_and_spelling_of_the_table(data_dir: Path) -> None:
    space = NasBench101()
    with gzip.open(data_dir / "nb101.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20_001
    for row in rows:
        arch = f"{row['adj_upper']}:{row['ops']}"
        assert space.graph(arch).params == int(float(row["params"])), arch
        assert space.module_hash(arch) == row["hash"], arch
        assert space.canonical(arch) == arch


@pytest.mark.slow
def test_cells_have_hashes_of_their_own() -> None:
    space = NasBench101()
    archs, seen, count = itertools.islice(space.enumerate(), 0, None, 7), set[str](), 0
    while chunk := list(itertools.islice(archs, 4096)):
        seen.update(hash_all([space.graph(arch) for arch in chunk]))
        count += len(chunk)
    assert len(seen) == count == -(-space.size // 7)
