"""The Once-for-All MobileNetV3 space: notation, the space, and networks equal to a plain construction."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.mobilenetv3 import RESOLUTIONS, MobileNetV3
from cg_ir import ArchError, Graph, GraphBuilder, PluginError, get_space

ARCH = "57553337553773335555:43444634434336664344:23243@224"
SMALL = ":".join(("3" * 20, "3" * 20, "2" * 5)) + "@128"


def plain_network(kernels: str, expansions: str, depths: str, side: int) -> Graph:
    """The sub-network node by node, after the description of the papers."""
    b = GraphBuilder()

    def conv(x: int, channels: int, kernel: int, stride: int = 1, group: int = 1, bias: bool = False) -> int:
        pad = (kernel // 2,) * 4
        size, step = (kernel, kernel), (stride, stride)
        return b.add("Conv", x, channels=channels, kernel_shape=size, strides=step, pads=pad, group=group, bias=bias)

    def block(x: int, out: int, kernel: int, stride: int, inner: int, squeeze: int, act: str) -> int:
        before = b.shape(x)[1]
        y = x
        if inner != before:
            y = b.add(act, b.add("BatchNormalization", conv(y, inner, 1)))
        y = b.add(act, b.add("BatchNormalization", conv(y, inner, kernel, stride, inner)))
        if squeeze:
            z = b.add("Relu", conv(b.add("GlobalAveragePool", y), squeeze, 1, bias=True))
            z = conv(z, inner, 1, bias=True)
            # relu6(z + 3) / 6, spelled out
            z = b.add("Div", b.add("Relu6", b.add("Add", z, b.constant((), [3.0]))), b.constant((), [6.0]))
            y = b.add("Mul", y, z)
        y = b.add("BatchNormalization", conv(y, out, 1))
        return b.add("Add", y, x) if stride == 1 and out == before else y

    def rounded(width: int) -> int:
        return min((m for m in range(8, width + 8, 8) if m >= 0.9 * width), key=lambda m: (abs(m - width), -m))

    x = b.input((1, 3, side, side))
    x = b.add("HardSwish", b.add("BatchNormalization", conv(x, 16, 3, 2)))
    x = block(x, 16, 3, 1, 16, 0, "Relu")
    stages = [
        (24, 2, 0, "Relu"),
        (40, 2, 1, "Relu"),
        (80, 2, 0, "HardSwish"),
        (112, 1, 1, "HardSwish"),
        (160, 2, 1, "HardSwish"),
    ]
    for stage, (out, stride, squeezed, act) in enumerate(stages):
        for i in range(int(depths[stage])):
            inner = b.shape(x)[1] * int(expansions[4 * stage + i])
            squeeze = rounded(inner // 4) if squeezed else 0
            x = block(x, out, int(kernels[4 * stage + i]), stride if i == 0 else 1, inner, squeeze, act)
    x = b.add("GlobalAveragePool", b.add("HardSwish", b.add("BatchNormalization", conv(x, 960, 1))))
    x = b.add("HardSwish", conv(x, 1280, 1))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 1280)), channels=1000, bias=True))
    return b.build()


def test_network_equals_plain_construction() -> None:
    space = MobileNetV3()
    rng = np.random.default_rng(0)
    for arch in [ARCH, SMALL, *(space.sample(rng) for _ in range(12))]:
        digits, side = arch.split("@")
        graph, oracle = space.graph(arch), plain_network(*digits.split(":"), int(side))
        assert len(graph) == len(oracle)
        assert graph.hash == oracle.hash == graph.canonicalize().hash
        assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


def test_unused_blocks_mean_nothing() -> None:
    space = MobileNetV3()
    other = "57773337553773335555" + ARCH[20:]
    assert other != ARCH
    assert space.canonical(other) == space.canonical(ARCH)
    assert space.canonical(ARCH).startswith("5733" + "3333" + "5533")
    assert space.graph(other).hash == space.graph(ARCH).hash


def test_fixed_resolution() -> None:
    fixed = get_space("mobilenetv3?resolution=224")
    free = MobileNetV3()
    assert fixed.size * len(RESOLUTIONS) == free.size == (9**2 + 9**3 + 9**4) ** 5 * 25
    assert fixed.graph(ARCH.removesuffix("@224")).hash == free.graph(ARCH).hash
    assert fixed.canonical(ARCH.removesuffix("@224")) == free.canonical(ARCH)
    assert all(n.endswith("@224") for n in fixed.neighbors(ARCH))
    with pytest.raises(ArchError, match="resolution should be 224, not '128'"):
        fixed.graph(SMALL)
    with pytest.raises(PluginError, match="resolution should be one of 128 to 224"):
        get_space("mobilenetv3?resolution=225")


def test_once_for_all_settings_are_read() -> None:
    text, side = ARCH.split("@")
    ks, e, d = ([int(c) for c in part] for part in text.split(":"))
    settings = {"ks": ks, "e": e, "d": d, "r": [int(side)], "wid": None}
    assert MobileNetV3().canonical(settings) == MobileNetV3().canonical(ARCH)
    assert MobileNetV3().canonical(json.dumps(settings)) == MobileNetV3().canonical(ARCH)


def test_neighbours() -> None:
    space = MobileNetV3()
    neighbours = space.neighbors(SMALL)
    # ten blocks with two other kernels and two other expansions, nine kinds of third block in five stages, 24 resolutions
    assert len(set(neighbours)) == 10 * 4 + 5 * 9 + 24
    assert SMALL in {n for near in neighbours[::20] for n in space.neighbors(near)}


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (ARCH.replace("57553", "97553"), r"kernels are 3, 5, 7, not '9' \(position 1\)"),
        (ARCH.replace(":4344", ":5344"), r"expansions are 3, 4, 6, not '5' \(position 1\)"),
        (ARCH.replace("23243", "23245"), r"depths are 2, 3, 4, not '5' \(position 5\)"),
        (ARCH.replace("23243", "2324"), "5 depths expected, not 4"),
        (ARCH.replace("@224", "@225"), "resolution should be 128 to 224 in steps of 4, not '225'"),
        (ARCH.removesuffix("@224"), "should end in @resolution"),
        ("", "should look like"),
        ("{}", "'ks' is missing"),
        ("{", "no valid JSON"),
    ],
)
def test_bad_networks_are_refused(arch: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        MobileNetV3().graph(arch)


@pytest.mark.realdata
def test_parameters_and_macs_of_the_whole_table(data_dir: Path) -> None:
    space = MobileNetV3(224)
    with gzip.open(data_dir / "ofa_mbv3_imagenet.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1_492
    for row in rows:
        graph = space.graph(f"{row['ks20']}:{row['e20']}:{row['d5']}")
        assert (graph.params, graph.macs) == (int(float(row["params"])), int(float(row["macs"])))
