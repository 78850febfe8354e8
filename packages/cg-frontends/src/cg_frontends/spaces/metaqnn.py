"""Plain CNNs of MetaQNN (Baker, Gupta, Naik and Raskar, ICLR 2017, arXiv 1611.02167)."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from cg_frontends.spaces.blocks import conv
from cg_frontends.spaces.fragments import FragmentCache, Shape, chain
from cg_ir import ArchError, Graph, GraphBuilder

#: Convolutions, poolings and fully connected layers of a network, at most.
MAX_LAYERS = 18

#: Operator and settings: ("C", filters, kernel, stride), ("P", window, stride), ("FC", features), ("GAP", classes), ("SM", classes).
Layer = tuple[Any, ...]

_SIDE, _CLASSES = 32, 10
_CONVOLUTIONS: tuple[Layer, ...] = tuple(("C", f, k, 1) for f in (64, 128, 256, 512) for k in (1, 3, 5))
_POOLS: tuple[Layer, ...] = (("P", 5, 3), ("P", 3, 2), ("P", 2, 2))
_DENSE: tuple[Layer, ...] = (("FC", 512), ("FC", 256), ("FC", 128))
_GAP, _SOFTMAX, _OUTPUT = ("GAP", _CLASSES), ("SM", _CLASSES), ("OUT", _CLASSES)
_BODY = (*_CONVOLUTIONS, *_POOLS)
_KNOWN = frozenset((*_BODY, *_DENSE, _GAP, _SOFTMAX))
#: Fully connected layers are allowed on images of at most this side; two at most, the second no wider than the first.
_DENSE_SIDE = 8
_DENSE_ENDS: tuple[tuple[Layer, ...], ...] = (
    *((layer,) for layer in _DENSE),
    *itertools.combinations_with_replacement(_DENSE, 2),
)
_TOKEN = re.compile(r"([A-Z]+)\((\d{1,4}(?:,\d{1,4})*)\)")
_FORM = "a list such as [C(64,3,1), P(2,2), FC(128), SM(10)]"


class MetaQnn:
    """The search space ``metaqnn``: chains of convolutions, poolings and fully connected layers for CIFAR-10.

    An architecture is the list ``[C(64,3,1), P(2,2), C(128,1,1), GAP(10), SM(10)]``: C(filters, kernel, stride) is a convolution with bias and
    ReLU that keeps the resolution, P(window, stride) max pooling without padding, FC(features) a fully connected layer with ReLU, GAP(10) a
    1x1 convolution to the classes and their means, SM(10) the classifier (of the classes' means it needs no weights). D(i, n), dropout, is
    read and left out.

    A network begins with a convolution; windows are smaller than the image; no pooling follows another; FC stands last, at most twice, never
    wider than before, on images of 8 x 8 or less and not with GAP. There are at most 18 of C, P and FC.
    """

    name = "metaqnn"
    family = "metaqnn"

    def __init__(self) -> None:
        self.size = _count(_SIDE, True, MAX_LAYERS)
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> tuple[Layer, ...]:
        """The layers of an architecture, without dropout.

        Raises:
            ArchError: another form, or a network that the space does not have.
        """
        text = re.sub(r"\s", "", arch) if isinstance(arch, str) else ""
        layers: list[Layer] = []
        for token in text[1:-1].replace("),", ")\n").split("\n") if text[:1] + text[-1:] == "[]" else [""]:
            match = _TOKEN.fullmatch(token)
            if match is None:
                raise ArchError(f"a metaqnn network should be {_FORM}, not {arch!r:.80}")
            layer = (match[1], *map(int, match[2].split(",")))
            if match[1] == "D" and len(layer) == 3:
                continue
            if layer not in _KNOWN:
                raise ArchError(f"metaqnn has no layer {token:.30}")
            layers.append(layer)
        reason = _fault(layers)
        if reason:
            raise ArchError(f"metaqnn: {reason} in {arch!r:.120}")
        return tuple(layers)

    def format(self, layers: tuple[Layer, ...]) -> str:
        """``[C(64,3,1), P(2,2), SM(10)]``."""
        tokens = [f"{layer[0]}({','.join(map(str, layer[1:]))})" for layer in layers]
        return f"[{', '.join(tokens)}]"

    def canonical(self, arch: Any) -> str:
        """The list without dropout."""
        return self.format(self.parse(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """A number of layers, then each layer and the end, uniformly among what is allowed."""
        body: list[Layer] = []
        side = _SIDE
        for _ in range(int(rng.integers(1, MAX_LAYERS + 1))):
            options = _following(side, not body or body[-1][0] == "P")
            if not options:
                break
            body.append(options[int(rng.integers(len(options)))])
            side = _after(body[-1], side)
        ends = _ends(side, MAX_LAYERS - len(body))
        return self.format((*body, *ends[int(rng.integers(len(ends)))]))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""
        options = self.neighbors(arch)
        return options[int(rng.integers(len(options)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """The first layers of one parent and the last ones of the other, counted from either end, where that is a member."""
        first, second = self.parse(a), self.parse(b)
        places = range(1, min(len(first), len(second)))
        cuts = {first[:i] + second[i:] for i in places} | {first[:-i] + second[-i:] for i in places}
        children = sorted([cut for cut in cuts if not _fault(cut)] or [first, second], key=self.format)
        return self.format(children[int(rng.integers(len(children)))])

    def neighbors(self, arch: str) -> list[str]:
        """All networks with one layer changed, added or removed, or with GAP added or removed."""
        layers = self.parse(arch)
        changes: dict[tuple[Layer, ...], None] = {}
        for i in range(len(layers)):
            before, here, after = layers[:i], layers[i], layers[i + 1 :]
            for layer in (*_BODY, *_DENSE, _GAP):
                changes[(*before, layer, here, *after)] = None
                changes[(*before, layer, *after)] = None
            changes[(*before, *after)] = None
        return [self.format(other) for other in changes if other != layers and not _fault(other)]

    def enumerate(self) -> Iterator[str]:
        """All networks, lazily."""
        return (self.format(net) for net in _complete((), _SIDE))

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of an architecture.

        Raises:
            ArchError: see ``parse``.
        """
        layers = self.parse(arch)
        table = self._cache.begin()
        pieces = [
            self._cache.get((layers[0], None), lambda b: _layer(b, b.input((1, 3, _SIDE, _SIDE)), layers[0])).piece
        ]
        shape: Shape = (1, layers[0][1], _SIDE, _SIDE)
        for layer in layers[1:]:
            build = functools.partial(_layer, layer=_OUTPUT if layer == _SOFTMAX and shape == (1, _CLASSES) else layer)
            pieces.append(self._cache.get((layer, shape), build, shape).piece)
            shape = _shape(layer, shape)
        return chain(pieces, _names(len(layers)), table, f"{self.name}/{self.format(layers)}")


@functools.cache
def _names(count: int) -> tuple[str, ...]:
    return (*(f"layer_{i}" for i in range(1, count)), "head")


def _after(layer: Layer, side: int) -> int:
    """Side of the image after a convolution or a pooling."""
    return side if layer[0] == "C" else (side - layer[1]) // layer[2] + 1


@functools.cache
def _following(side: int, pooled: bool) -> tuple[Layer, ...]:
    """Convolutions and poolings that may follow; ``pooled``: at the beginning and after a pooling."""
    found = tuple(layer for layer in _CONVOLUTIONS if layer[2] < side)
    return found if pooled else (*found, *(layer for layer in _POOLS if layer[1] < side))


def _ends(side: int, left: int) -> list[tuple[Layer, ...]]:
    """What may stand after the last convolution or pooling where ``left`` more layers are allowed."""
    dense = [(*end, _SOFTMAX) for end in _DENSE_ENDS if side <= _DENSE_SIDE and len(end) <= left]
    return [(_SOFTMAX,), (_GAP, _SOFTMAX), *dense]


def _fault(layers: tuple[Layer, ...] | list[Layer]) -> str:
    """Why these layers are no network of the space; '' where they are one."""
    side, place = _SIDE, 0
    while place < len(layers) and layers[place][0] in "CP":
        layer = layers[place]
        if layer not in _following(side, place == 0 or layers[place - 1][0] == "P"):
            return f"layer {place + 1} cannot stand there (first a convolution, no two poolings, windows below {side} pixels)"
        side = _after(layer, side)
        place += 1
    if place == 0:
        return "no convolution at the beginning"
    if tuple(layers[place:]) not in _ends(side, MAX_LAYERS - place) or place > MAX_LAYERS:
        return (
            "SM(10), GAP(10) and SM(10), or one or two FC, never wider than before, and SM(10) should end the network "
            f"(FC from {_DENSE_SIDE} pixels on, at most {MAX_LAYERS} layers)"
        )
    return ""


@functools.cache
def _count(side: int, pooled: bool, left: int) -> int:
    """Number of ways to go on, ``left`` layers being allowed."""
    ends = 0 if left == MAX_LAYERS else len(_ends(side, left))
    if left == 0:
        return ends
    return ends + sum(_count(_after(x, side), x[0] == "P", left - 1) for x in _following(side, pooled))


def _complete(body: tuple[Layer, ...], side: int) -> Iterator[tuple[Layer, ...]]:
    if body:
        for end in _ends(side, MAX_LAYERS - len(body)):
            yield (*body, *end)
    if len(body) < MAX_LAYERS:
        for layer in _following(side, not body or body[-1][0] == "P"):
            yield from _complete((*body, layer), _after(layer, side))


def _shape(layer: Layer, shape: Shape) -> Shape:
    if layer[0] == "C":
        return (1, layer[1], *shape[2:])
    if layer[0] == "P":
        return (1, shape[1], *[_after(layer, side) for side in shape[2:]])
    return (1, layer[1])


def _layer(b: GraphBuilder, x: int, layer: Layer) -> int:
    kind, size = layer[:2]
    if kind == "OUT":
        return b.output(x)
    if kind == "C":
        return b.add("Relu", conv(b, x, size, layer[2], layer[3], bias=True))
    if kind == "P":
        return b.add("MaxPool", x, kernel_shape=(size, size), strides=(layer[2],) * 2)
    if kind == "GAP":
        x = b.add("GlobalAveragePool", conv(b, x, size, 1, bias=True))
        return b.add("Flatten", x, shape=(1, size))
    shape = b.shape(x)
    if len(shape) == 4:
        x = b.add("Flatten", x, shape=(1, shape[1] * shape[2] * shape[3]))
    x = b.add("Gemm", x, channels=size, bias=True)
    return b.output(x) if kind == "SM" else b.add("Relu", x)


SPACE = MetaQnn
