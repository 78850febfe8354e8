"""Random networks from a grammar of blocks, for pre-training on more than known search spaces hold.

    network     -> stem stage+ head  |  patches transformer+ head
    stage       -> (reduction)? block+
    block       -> unit  |  residual(chain)  |  branches(chain+)  |  gated(block)  |  pooling  |  inverted bottleneck
    chain       -> unit{1,3}
    unit        -> convolution, normalisation and activation, in the order of the network

Every network draws its own normalisation, activation, order of a unit and mixture of blocks, so that its blocks belong together. Shapes are
valid by construction: blocks keep the resolution and end with the width of their stage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cg_ir import Graph, GraphBuilder

_SIDES = (32, 48, 64, 96, 128, 160, 192, 224, 256)
_WIDTHS = (8, 12, 16, 24, 32, 40, 48, 64, 96, 128)
_CLASSES = (10, 16, 100, 120, 1000)
_ACTIVATIONS = ("Relu", "Relu", "Silu", "Gelu", "HardSwish", "Mish", "LeakyRelu", "Elu", "PRelu", "Tanh")
_TRANSFORMERS = 0.25
_LARGEST_WIDTH = 1024


def random_network(rng: np.random.Generator) -> Graph:
    """A network drawn from the grammar: a convolutional one, or, a quarter of the time, a vision transformer.

    Args:
        rng: source of every choice.
    """
    return _transformer(rng) if rng.random() < _TRANSFORMERS else _Convolutional(rng).network()


def _one_of(rng: np.random.Generator, options: tuple[int, ...]) -> int:
    return options[int(rng.integers(len(options)))]


class _Convolutional:
    """One network in the making, with the style that its blocks share."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.b = GraphBuilder("random convolutional network")
        self.activation = str(rng.choice(_ACTIVATIONS))
        self.norm = str(rng.choice(["BatchNormalization"] * 4 + ["GroupNormalization", "none"]))
        self.before = rng.random() < 0.3  # normalisation and activation before the convolution
        self.kernels = tuple(rng.choice([1, 3, 3, 3, 5, 7], size=3).tolist())
        blocks = (self.unit, self.residual, self.branches, self.gated, self.pooled, self.inverted)
        self.blocks = [blocks[int(i)] for i in rng.choice(len(blocks), size=int(rng.integers(1, 4)), replace=False)]

    def network(self) -> Graph:
        """Stem, one to four stages and the classifier."""
        rng, b = self.rng, self.b
        width = _one_of(rng, _WIDTHS)
        side = _one_of(rng, _SIDES)
        x = self.conv(b.input((1, 3, side, side)), width, 3, 2 if side > 64 else 1)
        for stage in range(int(rng.integers(1, 5))):
            if stage and b.shape(x)[2] > 4:
                width = min(int(width * rng.choice([1, 1.5, 2, 2])) // 4 * 4, _LARGEST_WIDTH)
                x = self.reduced(x, width)
            for _ in range(int(rng.integers(1, 6))):
                x = self.blocks[int(rng.integers(len(self.blocks)))](x, width)
        if self.before:
            x = self.activate(x)
        x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, width))
        b.output(b.add("Gemm", x, channels=_one_of(rng, _CLASSES), bias=True))
        return b.build()

    # --- parts --------------------------------------------------------------------------------------------------------

    def conv(self, x: int, width: int, kernel: int, stride: int = 1, group: int = 1) -> int:
        """A convolution that keeps the resolution but for its stride; some kernels of 3 are dilated."""
        dilation = 2 if kernel == 3 and stride == 1 and self.rng.random() < 0.05 else 1
        return self.b.add(
            "Conv", x, channels=width, kernel_shape=(kernel,) * 2, strides=(stride,) * 2, pads=(dilation * (kernel - 1) // 2,) * 4,
            dilations=(dilation,) * 2, group=group, bias=self.norm == "none",
        )  # fmt: skip

    def activate(self, x: int) -> int:
        """Normalisation and activation."""
        width = self.b.shape(x)[1]
        if self.norm == "GroupNormalization":
            x = self.b.add(self.norm, x, num_groups=4 if width % 4 == 0 else 1)
        elif self.norm != "none":
            x = self.b.add(self.norm, x)
        return self.b.add(self.activation, x)

    def around(self, x: int, convolution: Callable[[int], int]) -> int:
        """A convolution with normalisation and activation, in the order of this network."""
        return convolution(self.activate(x)) if self.before else self.activate(convolution(x))

    def reduced(self, x: int, width: int) -> int:
        """Half the resolution, another width: a convolution of stride 2, or a pooling before one."""
        if self.rng.random() < 0.5:
            return self.around(x, lambda y: self.conv(y, width, 3, 2))
        return self.around(self.pool(x, 2, 2, 0), lambda y: self.conv(y, width, 1))

    def pool(self, x: int, kernel: int, stride: int, pad: int) -> int:
        """A maximum or a mean over a window."""
        window: dict[str, Any] = {"kernel_shape": (kernel,) * 2, "strides": (stride,) * 2, "pads": (pad,) * 4}
        if self.rng.random() < 0.5:
            return self.b.add("MaxPool", x, **window)
        return self.b.add("AveragePool", x, count_include_pad=False, **window)

    # --- blocks: a node and the width of the stage to a node of that width --------------------------------------------

    def unit(self, x: int, width: int) -> int:
        """One convolution: plain, grouped, or depthwise with a pointwise one after it."""
        kernel = _one_of(self.rng, self.kernels)
        kind = self.rng.random()
        if kind < 0.2 and kernel > 1:
            x = self.around(x, lambda y: self.conv(y, self.b.shape(y)[1], kernel, group=self.b.shape(y)[1]))
            kernel = 1
        fits = width % 4 == 0 and self.b.shape(x)[1] % 4 == 0
        return self.around(x, lambda y: self.conv(y, width, kernel, group=4 if 0.2 <= kind < 0.3 and fits else 1))

    def chain(self, x: int, width: int) -> int:
        """One to three units."""
        for _ in range(int(self.rng.integers(1, 4))):
            x = self.unit(x, width)
        return x

    def residual(self, x: int, width: int) -> int:
        """A chain beside a shortcut; a bottleneck half of the time."""
        inner = max(4, width // 4) if self.rng.random() < 0.5 else width
        y = self.chain(x, inner)
        if inner != width:
            y = self.around(y, lambda z: self.conv(z, width, 1))
        return self.b.add("Add", x, y)

    def branches(self, x: int, width: int) -> int:
        """Two to four chains, added up, or joined along the channels and brought back to the width."""
        count = int(self.rng.integers(2, 5))
        if self.rng.random() < 0.5:
            return self.b.add("Add", *(self.chain(x, width) for _ in range(count)))
        parts = [self.chain(x, max(4, width // count)) for _ in range(count)]
        joined = self.b.add("Concat", *parts, axis=1)
        return self.around(joined, lambda y: self.conv(y, width, 1))

    def gated(self, x: int, width: int) -> int:
        """A unit whose channels are scaled by squeeze and excitation."""
        x = self.unit(x, width)
        y = self.b.add(
            "Conv", self.b.add("GlobalAveragePool", x), channels=max(4, width // 4), kernel_shape=(1, 1), bias=True
        )
        y = self.b.add("Conv", self.b.add("Relu", y), channels=width, kernel_shape=(1, 1), bias=True)
        return self.b.add("Mul", x, self.b.add(str(self.rng.choice(["Sigmoid", "HardSigmoid"])), y))

    def pooled(self, x: int, width: int) -> int:
        """A pooling of stride 1 beside a unit."""
        return self.b.add("Add", self.pool(x, 3, 1, 1), self.unit(x, width))

    def inverted(self, x: int, width: int) -> int:
        """A wide depthwise convolution between two pointwise ones, with a shortcut."""
        inner = width * int(self.rng.integers(2, 7))
        y = self.around(x, lambda z: self.conv(z, inner, 1))
        y = self.around(y, lambda z: self.conv(z, inner, _one_of(self.rng, (3, 5, 7)), group=inner))
        return self.b.add("Add", x, self.conv(y, width, 1))


def _transformer(rng: np.random.Generator) -> Graph:
    """Patches, blocks of attention and perceptron, the mean over tokens and the classifier."""
    b = GraphBuilder("random transformer")
    patch = _one_of(rng, (8, 16, 32))
    side = patch * int(rng.integers(4, 15))
    heads, size = int(rng.integers(2, 9)), _one_of(rng, (16, 32, 48, 64))
    width, tokens = heads * size, (side // patch) ** 2
    norm = str(rng.choice(["LayerNormalization", "LayerNormalization", "RMSNormalization"]))
    activation = str(rng.choice(["Gelu", "Gelu", "Silu", "Relu"]))
    first = rng.random() < 0.8  # normalisation before each half of a block, or after it
    x = b.add(
        "Conv", b.input((1, 3, side, side)), channels=width, kernel_shape=(patch,) * 2, strides=(patch,) * 2, bias=True
    )
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, width, tokens)), perm=(0, 2, 1))
    if rng.random() < 0.7:
        x = b.add("Add", x, b.parameter((1, tokens, width)))
    for _ in range(int(rng.integers(2, 17))):
        inner = int(width * rng.choice([1, 2, 3, 4, 4]))
        for half in (lambda y: _attention(b, y, heads), lambda y, k=inner: _perceptron(b, y, k, activation)):
            y = half(b.add(norm, x, axis=2) if first else x)
            x = b.add("Add", x, y)
            x = x if first else b.add(norm, x, axis=2)
    x = b.add("ReduceMean", b.add(norm, x, axis=2), axes=(1,), keepdims=False)
    b.output(b.add("Gemm", x, channels=_one_of(rng, _CLASSES), bias=True))
    return b.build()


def _attention(b: GraphBuilder, x: int, heads: int) -> int:
    """Self-attention of several heads."""
    _, tokens, width = b.shape(x)
    parts = []
    for _ in range(3):
        y = b.add("Reshape", b.add("Gemm", x, channels=width, bias=True), shape=(1, tokens, heads, width // heads))
        parts.append(b.add("Transpose", y, perm=(0, 2, 1, 3)))
    y = b.add("Transpose", b.add("Attention", *parts), perm=(0, 2, 1, 3))
    return b.add("Gemm", b.add("Reshape", y, shape=(1, tokens, width)), channels=width, bias=True)


def _perceptron(b: GraphBuilder, x: int, inner: int, activation: str) -> int:
    """Two affine maps of every token."""
    width = b.shape(x)[2]
    y = b.add("Gemm", x, channels=inner, bias=True)
    return b.add("Gemm", b.add(activation, y), channels=width, bias=True)
