"""NAS-Bench-301: networks equal to a plain construction, and the space."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from darts import DARTS_V2

from cg_frontends.spaces.nb301 import NasBench301
from cg_frontends.spaces.nb301_genotype import OPERATIONS, read_genotype
from cg_ir import Graph, GraphBuilder, get_space

COMPACT = "[[[0,3],[1,3],[0,3],[1,3],[0,2],[1,3],[0,2],[2,5]],[[0,0],[1,0],[1,0],[2,2],[0,0],[2,2],[1,0],[2,2]]]"
SKIPS = json.dumps([[[0, 2], [1, 2], [0, 2], [2, 2], [2, 2], [3, 2], [3, 2], [4, 2]]] * 2, separators=(",", ":"))


def plain_network(genotype: object, layers: int = 8, channels: int = 32) -> Graph:
    """The network node by node, after the description of the DARTS paper."""
    cells = read_genotype(genotype)
    b = GraphBuilder()

    def conv(x: int, out: int, kernel: int = 1, stride: int = 1, group: int = 1, dilation: int = 1) -> int:
        pads = (dilation * (kernel // 2),) * 4
        return b.add(
            "Conv", x, channels=out, kernel_shape=(kernel, kernel), strides=(stride, stride), pads=pads,
            dilations=(dilation, dilation), group=group,
        )  # fmt: skip

    def bn(x: int) -> int:
        return b.add("BatchNormalization", x)

    def reduced(x: int, out: int) -> int:
        x = b.add("Relu", x)
        side = b.shape(x)[2]
        other = b.add("Slice", x, starts=(0, 0, 1, 1), ends=(1, b.shape(x)[1], side, side), steps=(1, 1, 1, 1))
        return bn(b.add("Concat", conv(x, out // 2, stride=2), conv(other, out // 2, stride=2), axis=1))

    def depthwise(x: int, kernel: int, stride: int, dilation: int = 1) -> int:
        c = b.shape(x)[1]
        return bn(conv(conv(b.add("Relu", x), c, kernel, stride, c, dilation), c))

    def operator(op: str, x: int, stride: int) -> int:
        if op == "skip_connect":
            return x if stride == 1 else reduced(x, b.shape(x)[1])
        kernel = int(op[-1])
        if op.endswith(f"pool_{kernel}x{kernel}"):
            window = {"kernel_shape": (3, 3), "strides": (stride, stride), "pads": (1, 1, 1, 1)}
            if op.startswith("max"):
                return b.add("MaxPool", x, **window)
            return b.add("AveragePool", x, count_include_pad=False, **window)
        if op.startswith("sep"):
            return depthwise(depthwise(x, kernel, stride), kernel, 1)
        return depthwise(x, kernel, stride, 2)

    x = bn(conv(b.input((1, 3, 32, 32)), 3 * channels, 3))
    s0 = s1 = x
    for layer in range(layers):
        reduction = layer in (layers // 3, 2 * layers // 3)
        channels *= 2 if reduction else 1
        a = s0
        a = reduced(a, channels) if b.shape(a)[2] != b.shape(s1)[2] else bn(conv(b.add("Relu", a), channels))
        states = [a, bn(conv(b.add("Relu", s1), channels))]
        for node in range(4):
            pair = cells[reduction][2 * node : 2 * node + 2]
            terms = [operator(OPERATIONS[op], states[i], 2 if reduction and i < 2 else 1) for i, op in pair]
            states.append(b.add("Add", *terms))
        s0, s1 = s1, b.add("Concat", *states[2:], axis=1)
    x = b.add("GlobalAveragePool", s1)
    b.output(b.add("Gemm", b.add("Flatten", x, shape=b.shape(x)[:2]), channels=10, bias=True))
    return b.build()


def test_network_equals_plain_construction() -> None:
    space = NasBench301()
    rng = np.random.default_rng(0)
    for arch in [COMPACT, SKIPS, *(space.sample(rng) for _ in range(10))]:
        graph, oracle = space.graph(arch), plain_network(arch)
        assert len(graph) == len(oracle)
        assert graph.hash == oracle.hash == graph.canonicalize().hash
        assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


def test_published_parameters_of_darts() -> None:
    space = get_space("nb301?layers=20&channels=36")
    graph = space.graph(DARTS_V2)
    assert graph.params == 3_349_342  # "param size = 3.349342MB" of the authors' evaluation of their network
    assert graph.hash == plain_network(DARTS_V2, 20, 36).hash


def test_neighbours() -> None:
    space = NasBench301()
    neighbours = set(space.neighbors(COMPACT))
    # six other operators on 16 edges; node k has k - 2 free inputs for each of two edges in two cells
    assert len(neighbours) == 16 * 6 + 2 * 2 * (0 + 1 + 2 + 3)
    assert all(space.canonical(n) == n for n in neighbours)


@pytest.mark.realdata
def test_every_genotype_of_the_table_is_read(data_dir: Path) -> None:
    space = NasBench301()
    with gzip.open(data_dir / "nb301_surrogate.csv.gz", "rt") as file:
        genotypes = [row["genotype"] for row in csv.DictReader(file)]
    assert len(genotypes) == 9_377
    assert len({space.canonical(g) for g in genotypes}) == len(genotypes)
    for genotype in genotypes[::50]:
        assert space.graph(genotype).params > 0
