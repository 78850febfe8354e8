"""NAAP-440: small plain and residual CNNs (Hakim, 2022, arXiv 2209.06626)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cg_frontends.spaces.blocks import classifier, conv_bn
from cg_frontends.spaces.fragments import FragmentCache, chain
from cg_ir import ArchError, Graph, GraphBuilder

_SIDE, _CLASSES = 32, 10
_LAYER = re.compile(r"k(\d)w(\d{1,3})s(\d)r([01])")
_FORM = "layers such as k3w12s2r0;k3w16s2r0;k1w16s1r1"


class Layer(NamedTuple):
    """A convolution, batch normalisation and ReLU; with ``residual`` the layer's input is added before the ReLU."""

    kernel: int
    width: int
    stride: int
    residual: bool

    def __str__(self) -> str:
        return f"k{self.kernel}w{self.width}s{self.stride}r{int(self.residual)}"


def _next(before: Layer, widths: tuple[int, ...], strides: tuple[int, ...]) -> Iterator[Layer]:
    for kernel in (1, 3):
        for width in widths:
            for stride in strides:
                yield Layer(kernel, width, stride, False)
            if width == before.width:
                yield Layer(kernel, width, 1, True)


def _networks() -> Iterator[tuple[Layer, ...]]:
    """The 440 networks: two layers of stride 2, a third one of any kind, and a fourth one unless it ends there."""
    for first in (12, 16):
        for second in (16, 24):
            stem = Layer(3, first, 2, False), Layer(3, second, 2, False)
            for third in _next(stem[1], (16, 24, 32), (1, 2)):
                yield (*stem, third)
                for fourth in _next(third, (32, 40), (1, 2) if third.stride == 1 else (1,)):
                    yield (*stem, third, fourth)


def _spell(layers: tuple[Layer, ...]) -> str:
    return ";".join(map(str, layers))


#: The layers of each network, by its notation.
_NETWORKS = {_spell(layers): layers for layers in _networks()}


class Naap440:
    """The search space ``naap440``: 440 CNNs of three or four layers for CIFAR-10.

    An architecture lists its layers as ``k3w12s2r0;k3w16s2r0;k1w16s1r1``: kernel, width, stride, and 1 where the input is added before the
    ReLU. Global average pooling and a classifier follow.
    """

    name = "naap440"
    family = "naap440"
    size = len(_NETWORKS)

    def __init__(self) -> None:
        self._cache = FragmentCache()

    def parse(self, arch: Any) -> tuple[Layer, ...]:
        """The layers of an architecture.

        Raises:
            ArchError: another form, or a network that the space does not have.
        """
        text = re.sub(r"\s", "", arch) if isinstance(arch, str) else ""
        found = _NETWORKS.get(text)
        if found is None:
            known = bool(text) and all(map(_LAYER.fullmatch, text.split(";")))
            reason = "is none of the 440 networks" if known else f"should be {_FORM}"
            raise ArchError(f"naap440: {arch!r:.80} {reason}")
        return found

    def canonical(self, arch: Any) -> str:
        """The notation without blanks."""
        return _spell(self.parse(arch))

    def sample(self, rng: np.random.Generator) -> str:
        """Uniform."""
        return list(_NETWORKS)[int(rng.integers(self.size))]

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""
        options = self.neighbors(arch)
        return options[int(rng.integers(len(options)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """The first layers of one parent and the last ones of the other, where that is a member."""
        first, second = self.parse(a), self.parse(b)
        cuts = {_spell(first[:i] + second[i:]) for i in range(1, len(first))} | {a, b}
        children = sorted(cut for cut in cuts if cut in _NETWORKS)
        return children[int(rng.integers(len(children)))]

    def neighbors(self, arch: str) -> list[str]:
        """All networks that differ in one layer, or have a last layer more or less."""
        layers = self.parse(arch)
        return [text for text, other in _NETWORKS.items() if _distance(layers, other) == 1]

    def enumerate(self) -> Iterator[str]:
        """All networks."""
        return iter(_NETWORKS)

    def graph(self, arch: Any) -> Graph:
        """The network of an architecture.

        Raises:
            ArchError: see ``parse``.
        """
        layers = self.parse(arch)
        table = self._cache.begin()
        first = layers[0]
        pieces = [self._cache.get(first, lambda b: _layer(b, b.input((1, 3, _SIDE, _SIDE)), first)).piece]
        width, side = first.width, _SIDE // first.stride
        for layer in layers[1:]:
            shape = (1, width, side, side)
            pieces.append(self._cache.get((layer, shape), lambda b, x, of=layer: _layer(b, x, of), shape).piece)
            width, side = layer.width, side // layer.stride
        shape = (1, width, side, side)
        pieces.append(self._cache.get(("head", shape), lambda b, x: classifier(b, x, _CLASSES), shape).piece)
        names = (*(f"layer_{i}" for i in range(1, len(layers) + 1)), "head")
        return chain(pieces, names, table, f"{self.name}/{_spell(layers)}")


def _distance(a: tuple[Layer, ...], b: tuple[Layer, ...]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))


def _layer(b: GraphBuilder, x: int, layer: Layer) -> int:
    y = conv_bn(b, x, layer.width, layer.kernel, layer.stride)
    return b.add("Relu", b.add("Add", x, y) if layer.residual else y)


SPACE = Naap440
