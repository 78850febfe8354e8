"""The MnasNet space: notation and networks."""

from __future__ import annotations

import csv
import gzip
from math import prod
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.mnasnet import MnasNet
from cg_ir import ArchError, Graph, GraphBuilder, get_space

ARCH = "6166464:3533355:1321212:0101010"
#: The stages of EfficientNet-B0, which the space was cut from, with one layer less where that has five or four.
B0 = "1666666:3353553:1223341:1111111"


def plain_network(arch: str) -> Graph:
    """The network node by node."""
    expansions, kernels, layers, squeezes = ([int(c) for c in part] for part in arch.split(":"))
    b = GraphBuilder()

    def conv_bn(x: int, channels: int, kernel: int, stride: int = 1, group: int = 1) -> int:
        size, step, pads = (kernel, kernel), (stride, stride), (kernel // 2,) * 4
        x = b.add("Conv", x, channels=channels, kernel_shape=size, strides=step, pads=pads, group=group)
        return b.add("BatchNormalization", x)

    def silu(x: int) -> int:
        return b.add("Mul", x, b.add("Sigmoid", x))

    x = silu(conv_bn(b.input((1, 3, 224, 224)), 32, 3, 2))
    for stage, (width, stride) in enumerate(zip((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1), strict=True)):
        for layer in range(layers[stage]):
            before = b.shape(x)[1]
            y = x if expansions[stage] == 1 else silu(conv_bn(x, before * expansions[stage], 1))
            inner = b.shape(y)[1]
            y = silu(conv_bn(y, inner, kernels[stage], stride if layer == 0 else 1, inner))
            if squeezes[stage]:
                z = b.add(
                    "Conv", b.add("GlobalAveragePool", y), channels=int(0.25 * before), kernel_shape=(1, 1), bias=True
                )
                z = b.add("Conv", silu(z), channels=inner, kernel_shape=(1, 1), bias=True)
                y = b.add("Mul", y, b.add("Sigmoid", z))
            y = conv_bn(y, width, 1)
            x = b.add("Add", x, y) if b.shape(x) == b.shape(y) else y
    x = b.add("GlobalAveragePool", silu(conv_bn(x, 1280, 1)))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 1280)), channels=1000, bias=True))
    return b.build()


def table_macs(graph: Graph) -> int:
    """What the table counts: products, 4 an element of a batch normalisation, inputs and outputs of global pooling."""
    total = graph.macs
    for node in graph.nodes:
        if node.op == "BatchNormalization":
            total += 4 * prod(node.shape)
        elif node.op == "GlobalAveragePool":
            total += prod(node.signature.input_shapes[0]) + node.shape[1]
    return total


def test_network_equals_plain_construction() -> None:
    space = MnasNet()
    rng = np.random.default_rng(0)
    for arch in [ARCH, B0, *(space.sample(rng) for _ in range(8))]:
        graph, oracle = space.graph(arch), plain_network(arch)
        assert len(graph) == len(oracle)
        assert graph.hash == oracle.hash == graph.canonicalize().hash
        assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


def test_resolution() -> None:
    assert get_space("mnasnet?resolution=128").graph(ARCH).nodes[0].shape == (1, 3, 128, 128)
    assert get_space("mnasnet?resolution=128").graph(ARCH).params == MnasNet().graph(ARCH).params


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (ARCH.replace("6166", "2166"), r"expansions are 1, 4, 6, not '2' \(position 1\)"),
        (ARCH.replace("1321212", "4321212"), "stage 1 has 1, 2, 3 layers, not 4"),
        (ARCH.replace("1321212", "0321212"), "layers are 1, 2, 3, 4, not '0'"),
        (ARCH.replace(":0101010", ""), "should look like"),
        (ARCH[:-1], "7 squeeze-excitation flags expected, not 6"),
    ],
)
def test_bad_networks_are_refused(arch: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        MnasNet().graph(arch)


@pytest.mark.realdata
def test_parameters_and_macs_of_the_whole_table(data_dir: Path) -> None:
    space = MnasNet()
    with gzip.open(data_dir / "mnasnet_imagenet.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3_063
    for row in rows:
        graph = space.graph(":".join(row[key] for key in ("expand7", "kernel7", "layers7", "se7")))
        assert f"{graph.params / 1e6:.4f}" == f"{float(row['params_m']):.4f}"
        assert f"{table_macs(graph) / 1e6:.4f}" == f"{float(row['macs_m']):.4f}"
