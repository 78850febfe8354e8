"""A small family of networks for tests: stacks of convolutions with skips, whose labels a formula gives, and a machine that runs them."""

from __future__ import annotations

import numpy as np

from cg_ir import Graph, GraphBuilder
from cg_predict.roofline import COLUMNS


def network(widths: list[int], skips: list[bool], kernel: int = 3) -> Graph:
    """Convolutions of these widths; where ``skips`` says so a second one of the same width is added to the first."""
    b = GraphBuilder("-".join(map(str, widths)))
    x = b.input((1, 3, 16, 16))
    for width, skip in zip(widths, skips, strict=True):
        pad = (kernel - 1) // 2
        x = b.add("Conv", x, channels=width, kernel_shape=(kernel, kernel), pads=(pad,) * 4)
        x = b.add("Relu", b.add("BatchNormalization", x))
        if skip:
            y = b.add("Conv", x, channels=width, kernel_shape=(1, 1))
            x = b.add("Add", x, b.add("BatchNormalization", y))
    x = b.add("GlobalAveragePool", x)
    x = b.add("Flatten", x, shape=(1, widths[-1]))
    b.output(b.add("Gemm", x, channels=10, bias=True))
    return b.build()


def family(count: int, seed: int = 0, kernel: int = 3) -> tuple[list[Graph], np.ndarray]:
    """Different networks and their labels: a smooth function of depth, widths and skips."""
    rng = np.random.default_rng(seed)
    graphs, labels, seen = [], [], set()
    while len(graphs) < count:
        depth = int(rng.integers(1, 6))
        widths = [int(w) for w in rng.choice([4, 8, 12, 16, 24], size=depth)]
        skips = [bool(s) for s in rng.random(depth) < 0.5]
        if (tuple(widths), tuple(skips)) in seen:
            continue
        seen.add((tuple(widths), tuple(skips)))
        graphs.append(network(widths, skips, kernel))
        labels.append(float(np.log(np.mean(widths)) + 0.4 * depth + 0.3 * sum(skips)))
    return graphs, np.array(labels)


def machine(columns, seed=0, noise=0.0):
    """Milliseconds on a made-up machine: work, traffic and launches, each at a price."""
    prices = dict.fromkeys(COLUMNS, 0.0) | {
        "macs/convk": 2e-6,
        "fused/convk": 1e-5,
        "fused/pointwise": 2e-5,
        "launches/conv1": 0.01,
        "once": 0.1,
    }
    ms = columns @ np.array([prices[name] for name in COLUMNS])
    return ms * np.exp(noise * np.random.default_rng(seed).standard_normal(len(ms)))


def bottlenecks(blocks):
    """Blocks with an inner width of their own (16) on a width that all share (8), and one block without."""
    b = GraphBuilder("bottlenecks")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=8, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="stem")
    for number in range(blocks):
        region = f"block_{number}"
        y = b.add("Relu", b.add("Conv", x, channels=16, kernel_shape=(1, 1), region=region), region=region)
        y = b.add("Conv", y, channels=8, kernel_shape=(1, 1), region=region)
        x = b.add("Add", x, y, region=region)
    y = b.add("Relu", b.add("Conv", x, channels=8, kernel_shape=(1, 1), region="plain"), region="plain")
    b.output(b.add("Add", x, y, region="plain"))
    return b.build()


def chain(blocks, width=8):
    b = GraphBuilder(f"chain of {blocks}")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="stem")
    for number in range(blocks):
        kernel = 3 if number % 2 else 1
        region = f"block_{number}"
        y = b.add("Conv", x, channels=width, kernel_shape=(kernel, kernel), pads=(kernel // 2,) * 4, region=region)
        y = b.add("Relu", b.add("BatchNormalization", y, region=region), region=region)
        x = b.add("Add", x, y, region=region)
    x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, width))
    b.output(b.add("Gemm", x, channels=10))
    return b.build()
