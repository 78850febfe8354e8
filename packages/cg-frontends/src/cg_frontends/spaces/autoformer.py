"""Vision transformers of the AutoFormer space (Chen et al., ICCV 2021, arXiv 2107.00651), as Auto-Prox trained them (Wei et al., AAAI 2024)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cg_frontends.spaces.fragments import FragmentCache, Piece, Shape, chain
from cg_frontends.spaces.options import read_choice, read_object
from cg_ir import ArchError, Graph, GraphBuilder

#: Classes of the data sets that the networks were trained on.
CLASSES = {"imagenet": 1000, "cifar100": 100, "flowers": 102, "chaoyang": 4}

_WIDTHS, _DEPTHS, _HEADS, _RATIOS = (192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4.0)
_LAYERS = tuple(itertools.product(_HEADS, _RATIOS))
_SIDE, _PATCH = 224, 16
_TOKENS = (_SIDE // _PATCH) ** 2 + 1
_FORM = "width:heads:ratios, such as 192:343434343434:787878787878"


class Transformer(NamedTuple):
    """Choices of a vision transformer.

    Attributes:
        width: of the tokens (``hidden_dim``).
        layers: heads and ratio of the MLP's width to the tokens' of each block.
    """

    width: int
    layers: tuple[tuple[int, float], ...]


class AutoFormer:
    """The search space ``autoformer``: width, depth, and heads and MLP ratio of every block of a small vision transformer.

    An architecture is ``width:heads:ratios``: 192, 216 or 240; a digit a block for its heads, 3 or 4; a digit a block for *twice* its MLP
    ratio, 7 or 8 (3.5 or 4). There are 12 to 14 blocks. The published mappings ``{"hidden_dim": 192, "depth": 12, "num_heads": [...],
    "mlp_ratio": [...]}``, or their JSON text, are read too.

    Patches of 16 x 16 of a 224 px image, a class token, position embeddings; pre-norm blocks whose queries, keys and values have the tokens'
    width in all, whatever the number of heads; layer normalisation, the mean of the patches' tokens, a classifier.

    Args:
        dataset: ``imagenet``, ``cifar100``, ``flowers`` or ``chaoyang``: number of classes.
    """

    name = "autoformer"
    family = "autoformer"
    size = len(_WIDTHS) * sum(len(_LAYERS) ** depth for depth in _DEPTHS)

    def __init__(self, dataset: str = "imagenet") -> None:
        self.dataset = read_choice(self.name, "dataset", dataset, CLASSES)
        self.classes = CLASSES[self.dataset]
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> Transformer:
        """The choices of an architecture.

        Raises:
            ArchError: another form, or a choice that the space does not have.
        """
        arch = read_object(self.name, arch)
        if isinstance(arch, Mapping):
            width, heads, ratios = _from_mapping(arch)
        else:
            parts = arch.strip().split(":") if isinstance(arch, str) else ()
            if len(parts) != 3 or not all(part.isdecimal() and len(part) < 20 for part in parts):
                raise ArchError(f"an autoformer network should look like {_FORM}, not {arch!r:.80}")
            width, heads, ratios = int(parts[0]), list(map(int, parts[1])), [int(digit) / 2 for digit in parts[2]]
        if width not in _WIDTHS:
            raise ArchError(f"autoformer: the width should be 192, 216 or 240, not {width!r:.20}")
        if len(heads) not in _DEPTHS or len(ratios) != len(heads):
            raise ArchError(
                f"autoformer: heads and MLP ratios of 12 to 14 blocks expected, not of {len(heads)} and {len(ratios)}"
            )
        for values, allowed, what in ((heads, _HEADS, "heads"), (ratios, _RATIOS, "MLP ratio")):
            for block, value in enumerate(values, 1):
                if type(value) not in (int, float) or value not in allowed:
                    raise ArchError(
                        f"autoformer: {what} should be {allowed[0]} or {allowed[1]}, not {value!r:.20} (block {block})"
                    )
        return Transformer(width, tuple(zip(map(int, heads), map(float, ratios), strict=True)))

    def format(self, net: Transformer) -> str:
        """``width:heads:ratios``."""
        heads = "".join([str(heads) for heads, _ in net.layers])
        return f"{net.width}:{heads}:{''.join([str(int(2 * ratio)) for _, ratio in net.layers])}"

    def canonical(self, arch: Any) -> str:
        """The space's own notation of a network."""
        return self.format(self.parse(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """Width, depth and each block uniformly at random."""
        width, depth = _WIDTHS[int(rng.integers(len(_WIDTHS)))], _DEPTHS[int(rng.integers(len(_DEPTHS)))]
        return self.format(
            Transformer(width, tuple(_LAYERS[i] for i in rng.integers(len(_LAYERS), size=depth).tolist()))
        )

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour; what changes (the width, the depth, a block) is drawn first, blocks half of the time."""
        net = self.parse(arch)
        change = (self._widths, self._depths, self._blocks, self._blocks)[int(rng.integers(4))]
        options = list(change(net))
        return self.format(options[int(rng.integers(len(options)))])

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Width and depth from either parent, each block from either of those that have it."""
        parents = self.parse(a), self.parse(b)
        width, depth = (int(i) for i in rng.integers(2, size=2))
        layers = []
        for place in range(len(parents[depth].layers)):
            having = [parent for parent in parents if place < len(parent.layers)]
            layers.append(having[int(rng.integers(len(having)))].layers[place])
        return self.format(Transformer(parents[width].width, tuple(layers)))

    def neighbors(self, arch: str) -> list[str]:
        """All networks one change away: another width, heads or MLP ratio of a block, a last block more (of any kind) or less."""
        net = self.parse(arch)
        return [self.format(other) for change in (self._widths, self._depths, self._blocks) for other in change(net)]

    def enumerate(self) -> Iterator[str]:
        """All networks (10^9), lazily."""
        for width in _WIDTHS:
            for depth in _DEPTHS:
                for layers in itertools.product(_LAYERS, repeat=depth):
                    yield self.format(Transformer(width, layers))

    def _widths(self, net: Transformer) -> Iterator[Transformer]:
        return (net._replace(width=width) for width in _WIDTHS if width != net.width)

    def _depths(self, net: Transformer) -> Iterator[Transformer]:
        if len(net.layers) > _DEPTHS[0]:
            yield net._replace(layers=net.layers[:-1])
        if len(net.layers) < _DEPTHS[-1]:
            for layer in _LAYERS:
                yield net._replace(layers=(*net.layers, layer))

    def _blocks(self, net: Transformer) -> Iterator[Transformer]:
        for place, (heads, ratio) in enumerate(net.layers):
            for other in (*((h, ratio) for h in _HEADS if h != heads), *((heads, r) for r in _RATIOS if r != ratio)):
                yield net._replace(layers=(*net.layers[:place], other, *net.layers[place + 1 :]))

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of an architecture.

        Raises:
            ArchError: see ``parse``.
        """
        net = self.parse(arch)
        table = self._cache.begin()
        width = net.width
        tokens = (1, _TOKENS, width)
        pieces = [self._cache.get(("embedding", width), lambda b: _embedding(b, width)).piece]
        pieces += [self._block(tokens, heads, ratio) for heads, ratio in net.layers]
        pieces.append(self._cache.get(("head", width), lambda b, x: _head(b, x, self.classes), tokens).piece)
        return chain(pieces, _names(len(net.layers)), table, f"{self.name}/{self.format(net)}")

    def _block(self, tokens: Shape, heads: int, ratio: float) -> Piece:
        return self._cache.get((tokens, heads, ratio), lambda b, x: _block(b, x, heads, ratio), tokens).piece


def _from_mapping(arch: Mapping[str, Any]) -> tuple[Any, list[Any], list[Any]]:
    width, heads, ratios = (arch.get(key) for key in ("hidden_dim", "num_heads", "mlp_ratio"))
    lists = all(isinstance(values, Sequence) and not isinstance(values, str) for values in (heads, ratios))
    if type(width) is not int or not lists:
        raise ArchError("an autoformer network should have 'hidden_dim' and lists 'num_heads' and 'mlp_ratio'")
    depth = arch.get("depth", len(heads))  # type: ignore[arg-type]
    if depth != len(heads):  # type: ignore[arg-type]
        raise ArchError(f"autoformer: depth {depth!r:.20}, but {len(heads)} numbers of heads")  # type: ignore[arg-type]
    return width, list(heads), list(ratios)  # type: ignore[arg-type]


@functools.cache
def _names(depth: int) -> tuple[str, ...]:
    return ("embedding", *(f"block_{i}" for i in range(1, depth + 1)), "head")


def _embedding(b: GraphBuilder, width: int) -> int:
    x = b.input((1, 3, _SIDE, _SIDE))
    x = b.add("Conv", x, channels=width, kernel_shape=(_PATCH,) * 2, strides=(_PATCH,) * 2, bias=True)
    x = b.add("Reshape", x, shape=(1, width, _TOKENS - 1))
    x = b.add("Concat", b.parameter((1, 1, width)), b.add("Transpose", x, perm=(0, 2, 1)), axis=1)
    return b.add("Add", x, b.parameter((1, _TOKENS, width)))


def _block(b: GraphBuilder, x: int, heads: int, ratio: float) -> int:
    width = b.shape(x)[2]
    x = b.add("Add", x, _attention(b, b.add("LayerNormalization", x, axis=2), heads))
    y = b.add("Gemm", b.add("LayerNormalization", x, axis=2), channels=int(width * ratio), bias=True)
    return b.add("Add", x, b.add("Gemm", b.add("Gelu", y), channels=width, bias=True))


def _attention(b: GraphBuilder, x: int, heads: int) -> int:
    """Multi-head self-attention; one affine map gives queries, keys and values."""
    _, tokens, width = b.shape(x)
    size = width // heads
    x = b.add("Gemm", x, channels=3 * width, bias=True)
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, tokens, 3, heads, size)), perm=(2, 0, 3, 1, 4))
    parts = []
    for part in range(3):
        y = b.add("Slice", x, starts=(part, 0, 0, 0, 0), ends=(part + 1, 1, heads, tokens, size), steps=(1,) * 5)
        parts.append(b.add("Squeeze", y, shape=(1, heads, tokens, size)))
    x = b.add("Transpose", b.add("Attention", *parts), perm=(0, 2, 1, 3))
    return b.add("Gemm", b.add("Reshape", x, shape=(1, tokens, width)), channels=width, bias=True)


def _head(b: GraphBuilder, x: int, classes: int) -> int:
    x = b.add("LayerNormalization", x, axis=2)
    _, tokens, width = b.shape(x)
    x = b.add("Slice", x, starts=(0, 1, 0), ends=(1, tokens, width), steps=(1, 1, 1))
    return b.output(b.add("Gemm", b.add("ReduceMean", x, axes=(1,), keepdims=False), channels=classes, bias=True))


SPACE = AutoFormer
