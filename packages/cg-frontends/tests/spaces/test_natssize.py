"""The NATS-Bench size space: notation and networks."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.natssize import NatsBenchSize
from cg_ir import ArchError, Graph, GraphBuilder, get_space


def plain_network(widths: list[int]) -> Graph:
    """The network node by node."""
    b = GraphBuilder()

    def conv(x: int, channels: int, kernel: int, stride: int = 1) -> int:
        pads = (kernel // 2,) * 4
        return b.add("Conv", x, channels=channels, kernel_shape=(kernel, kernel), strides=(stride, stride), pads=pads)

    def unit(x: int, channels: int, stride: int = 1) -> int:
        return b.add("BatchNormalization", conv(b.add("Relu", x), channels, 3, stride))

    x = b.add("BatchNormalization", conv(b.input((1, 3, 32, 32)), widths[0], 3))
    for layer, width in enumerate(widths):
        if layer in (1, 3):
            short = b.add("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2), count_include_pad=False)
            x = b.add("Add", conv(short, width, 1), unit(unit(x, width, 2), width))
        else:
            skip = x
            if b.shape(x)[1] != width:
                skip = b.add("BatchNormalization", conv(b.add("Relu", x), width, 1))
            one = unit(x, width)
            two = b.add("Add", unit(x, width), unit(one, width))
            x = b.add("Add", skip, unit(one, width), unit(two, width))
    x = b.add("GlobalAveragePool", b.add("Relu", b.add("BatchNormalization", x)))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, widths[-1])), channels=10, bias=True))
    return b.build()


def test_network_equals_plain_construction() -> None:
    space = NatsBenchSize()
    rng = np.random.default_rng(0)
    for arch in ["8:8:8:8:8", "64:64:64:64:64", "8:16:24:32:40", *(space.sample(rng) for _ in range(20))]:
        graph, oracle = space.graph(arch), plain_network([int(w) for w in arch.split(":")])
        assert len(graph) == len(oracle)
        assert graph.hash == oracle.hash == graph.canonicalize().hash
        assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


def test_notations() -> None:
    space = NatsBenchSize()
    assert space.canonical([8, 16, 24, 32, 40]) == space.canonical("[8, 16, 24, 32, 40]") == "8:16:24:32:40"
    assert get_space("natssize?dataset=cifar100").graph("8:16:24:32:40").nodes[-1].shape == (1, 100)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("8:16:24:32:41", r"no width 41 \(layer 5\); it has 8, 16"),
        ("8:16:24:32:x", "no width 'x'"),
        ("8:16:24:32", "should be five widths"),
        ("[8, 16", "should be five widths"),
        ("[8, 16, 24, 32, true]", "no width True"),
    ],
)
def test_bad_networks_are_refused(arch: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        NatsBenchSize().graph(arch)


@pytest.mark.realdata
def test_the_table_holds_the_whole_space(data_dir: Path) -> None:
    with gzip.open(data_dir / "nats_size_cifar10.csv.gz", "rt") as file:
        archs = {row["channels"] for row in csv.DictReader(file)}
    assert archs == set(NatsBenchSize().enumerate())
