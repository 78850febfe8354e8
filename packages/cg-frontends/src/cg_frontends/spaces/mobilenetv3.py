"""Sub-networks of the Once-for-All MobileNetV3 supernet (Cai et al., ICLR 2020, arXiv 1908.09791; Howard et al., 2019)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cg_frontends.spaces.blocks import conv, conv_bn, mbconv
from cg_frontends.spaces.digits import read_digits
from cg_frontends.spaces.fragments import FragmentCache, Piece, chain
from cg_frontends.spaces.options import read_integer, read_object
from cg_ir import ArchError, Graph, GraphBuilder

#: Image sizes that the supernet was trained for.
RESOLUTIONS = tuple(range(128, 225, 4))

_KERNELS, _EXPANSIONS, _DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
_STAGES, _BLOCKS = 5, 4
_WIDTHS = (24, 40, 80, 112, 160)
_STRIDES = (2, 2, 2, 1, 2)
_ACTIVATIONS = ("Relu", "Relu", "HardSwish", "HardSwish", "HardSwish")
_SQUEEZED = (False, True, False, True, True)
_STEM, _FINAL, _FEATURES, _CLASSES = 16, 960, 1280, 1000
_FORM = "ks20:e20:d5@resolution, such as 57553337553773335555:43444634434336664344:23243@224"
_UNUSED = 3


class SubNetwork(NamedTuple):
    """Choices of a sub-network; entries of blocks past a stage's depth are 3 and mean nothing.

    Attributes:
        kernels: window of each block's depthwise convolution, stage by stage, (20,).
        expansions: expansion of each block, (20,).
        depths: blocks in use in each stage, (5,).
        resolution: side of the image in pixels.
    """

    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    depths: tuple[int, ...]
    resolution: int

    def used(self) -> list[int]:
        """Positions of the blocks in use."""
        return [_BLOCKS * s + i for s, depth in enumerate(self.depths) for i in range(depth)]

    def cleared(self) -> SubNetwork:
        """The same network with a fixed entry for each block that is not in use."""
        used = set(self.used())
        kernels = [k if i in used else _UNUSED for i, k in enumerate(self.kernels)]
        expansions = [e if i in used else _UNUSED for i, e in enumerate(self.expansions)]
        return self._replace(kernels=tuple(kernels), expansions=tuple(expansions))


class MobileNetV3:
    """The search space ``mobilenetv3``: kernel, expansion, depth and resolution of Once-for-All's MobileNetV3 of width 1.0.

    An architecture is ``ks20:e20:d5@resolution``: kernel (3, 5, 7) and expansion (3, 4, 6) of five stages of up to four blocks, a depth (2
    to 4) for each stage, and the side of the image, 128 to 224 in steps of 4. Blocks past the depth are not in use; the canonical
    spelling has 3 in their places.

    Args:
        resolution: fix the resolution; architectures may then leave it out.
    """

    name = "mobilenetv3"
    family = "mobilenetv3"

    def __init__(self, resolution: int | str | None = None) -> None:
        self.resolution = None if resolution is None else read_integer(self.name, "resolution", resolution, RESOLUTIONS)
        self.resolutions = RESOLUTIONS if self.resolution is None else (self.resolution,)
        options = len(_KERNELS) * len(_EXPANSIONS)
        self.size = sum(options**d for d in _DEPTHS) ** _STAGES * len(self.resolutions)
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> SubNetwork:
        """The choices of an architecture, entries of unused blocks cleared.

        Reads ``ks20:e20:d5@resolution`` and mappings with ``ks``, ``e``, ``d`` and ``r`` (lists, as Once-for-All samples them) or their
        JSON text. The resolution may be left out where the space fixes it.

        Raises:
            ArchError: another form, or a choice that the space does not have.
        """
        arch = read_object(self.name, arch)
        if isinstance(arch, Mapping):
            arch = self._from_mapping(arch)
        text, at, resolution = arch.strip().partition("@") if isinstance(arch, str) else ("", "", "")
        parts = text.split(":")
        if len(parts) != 3:
            raise ArchError(f"a mobilenetv3 network should look like {_FORM}, not {arch!r:.120}")
        kernels = read_digits(self.name, "kernels", parts[0], 20, "357", _FORM)
        expansions = read_digits(self.name, "expansions", parts[1], 20, "346", _FORM)
        depths = read_digits(self.name, "depths", parts[2], 5, "234", _FORM)
        if at:
            side = int(resolution) if resolution.isdecimal() and len(resolution) < 6 else -1
        elif self.resolution is not None:
            side = self.resolution
        else:
            raise ArchError(f"a mobilenetv3 network should end in @resolution, such as {text:.50}@224")
        if side not in self.resolutions:
            allowed = str(self.resolution) if self.resolution else "128 to 224 in steps of 4"
            raise ArchError(f"mobilenetv3: the resolution should be {allowed}, not {resolution!r:.20}")
        return SubNetwork(kernels, expansions, depths, side).cleared()

    def _from_mapping(self, arch: Mapping[str, Any]) -> str:
        digits = []
        for key, long in (("ks", "kernels"), ("e", "expansions"), ("d", "depths")):
            values = arch.get(key, arch.get(long))
            if not isinstance(values, Sequence):
                raise ArchError(f"a mobilenetv3 network should have lists 'ks', 'e' and 'd'; {key!r} is missing")
            digits.append("".join(map(str, values)))
        side = arch.get("r", arch.get("resolution"))
        side = side[0] if isinstance(side, Sequence) and not isinstance(side, str) and side else side
        return ":".join(digits) + ("" if side is None else f"@{side}")

    def format(self, net: SubNetwork) -> str:
        """``ks20:e20:d5@resolution``."""
        kernels, expansions, depths = ("".join(map(str, digits)) for digits in net[:3])
        return f"{kernels}:{expansions}:{depths}@{net.resolution}"

    def canonical(self, arch: Any) -> str:
        """The spelling with 3 in the places of blocks that are not in use, and with the resolution."""
        return self.format(self.parse(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """Each choice uniformly at random, as Once-for-All samples."""
        blocks = _STAGES * _BLOCKS
        kernels = [_KERNELS[i] for i in rng.integers(3, size=blocks).tolist()]
        expansions = [_EXPANSIONS[i] for i in rng.integers(3, size=blocks).tolist()]
        depths = [_DEPTHS[i] for i in rng.integers(3, size=_STAGES).tolist()]
        side = self.resolutions[int(rng.integers(len(self.resolutions)))]
        return self.format(SubNetwork(tuple(kernels), tuple(expansions), tuple(depths), side).cleared())

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour; what changes (a kernel, an expansion, a depth, the resolution) is drawn first."""
        net = self.parse(arch)
        kinds = [self._kernels, self._expansions, self._depths, *([self._sides] if len(self.resolutions) > 1 else [])]
        options = list(kinds[int(rng.integers(len(kinds)))](net))
        return self.format(options[int(rng.integers(len(options)))])

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each stage (depth and blocks) and the resolution from either parent."""
        parents = self.parse(a), self.parse(b)
        choice = rng.integers(2, size=_STAGES + 1).tolist()
        kernels: list[int] = []
        expansions: list[int] = []
        depths: list[int] = []
        for stage in range(_STAGES):
            parent = parents[choice[stage]]
            blocks = slice(_BLOCKS * stage, _BLOCKS * (stage + 1))
            kernels += parent.kernels[blocks]
            expansions += parent.expansions[blocks]
            depths.append(parent.depths[stage])
        side = parents[choice[-1]].resolution
        return self.format(SubNetwork(tuple(kernels), tuple(expansions), tuple(depths), side))

    def neighbors(self, arch: str) -> list[str]:
        """All networks one change away: a kernel, an expansion, one block more (of any kind) or less in a stage, the resolution."""
        net = self.parse(arch)
        changes = (self._kernels, self._expansions, self._depths, self._sides)
        return [self.format(other) for change in changes for other in change(net)]

    def enumerate(self) -> Iterator[str]:
        """All networks (10^19 at each resolution), lazily."""
        block = list(itertools.product(_KERNELS, _EXPANSIONS))
        unused = (_UNUSED, _UNUSED)
        stages = itertools.product(
            *[
                [
                    (d, blocks + (unused,) * (_BLOCKS - d))
                    for d in _DEPTHS
                    for blocks in itertools.product(block, repeat=d)
                ]
                for _ in range(_STAGES)
            ]
        )
        for net in stages:
            kernels, expansions = zip(*[pair for _, blocks in net for pair in blocks], strict=True)
            depths = tuple(depth for depth, _ in net)
            for side in self.resolutions:
                yield self.format(SubNetwork(kernels, expansions, depths, side))

    def _kernels(self, net: SubNetwork) -> Iterator[SubNetwork]:
        for i in net.used():
            for kernel in _KERNELS:
                if kernel != net.kernels[i]:
                    yield net._replace(kernels=_with(net.kernels, i, kernel))

    def _expansions(self, net: SubNetwork) -> Iterator[SubNetwork]:
        for i in net.used():
            for expansion in _EXPANSIONS:
                if expansion != net.expansions[i]:
                    yield net._replace(expansions=_with(net.expansions, i, expansion))

    def _depths(self, net: SubNetwork) -> Iterator[SubNetwork]:
        for stage, depth in enumerate(net.depths):
            if depth > _DEPTHS[0]:
                yield net._replace(depths=_with(net.depths, stage, depth - 1)).cleared()
            if depth < _DEPTHS[-1]:
                place = _BLOCKS * stage + depth
                for kernel in _KERNELS:
                    for expansion in _EXPANSIONS:
                        yield SubNetwork(
                            _with(net.kernels, place, kernel),
                            _with(net.expansions, place, expansion),
                            _with(net.depths, stage, depth + 1),
                            net.resolution,
                        )

    def _sides(self, net: SubNetwork) -> Iterator[SubNetwork]:
        return (net._replace(resolution=side) for side in self.resolutions if side != net.resolution)

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The sub-network.

        Raises:
            ArchError: see ``parse``.
        """
        net = self.parse(arch)
        table = self._cache.begin()
        side = net.resolution
        pieces = [self._cache.get(("stem", side), lambda b: _stem(b, net.resolution)).piece]
        side = -(-side // 2)
        before = _STEM
        for stage, depth in enumerate(net.depths):
            for place in range(_BLOCKS * stage, _BLOCKS * stage + depth):
                stride = _STRIDES[stage] if place == _BLOCKS * stage else 1
                pieces.append(self._block(stage, before, side, stride, net.kernels[place], net.expansions[place]))
                side = -(-side // stride)
                before = _WIDTHS[stage]
        pieces.append(self._cache.get(("head", side), _head, (1, before, side, side)).piece)
        return chain(pieces, _names(net.depths), table, f"{self.name}/{self.format(net)}")

    def _block(self, stage: int, before: int, side: int, stride: int, kernel: int, expansion: int) -> Piece:
        key = (stage, stride, before, side, kernel, expansion)
        found = self._cache.find(key) or self._cache.get(
            key, lambda b, x: _block(b, x, stage, stride, kernel, expansion), (1, before, side, side)
        )
        return found.piece


def _with(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])


@functools.lru_cache(maxsize=1024)
def _names(depths: tuple[int, ...]) -> tuple[str, ...]:
    blocks = [f"stage_{s}.block_{i}" for s, depth in enumerate(depths, 1) for i in range(1, depth + 1)]
    return ("stem", *blocks, "head")


def _divisible(value: float) -> int:
    """The multiple of 8 that is nearest, never less than 90 % of the value (MobileNet's rounding of channels)."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def _block(b: GraphBuilder, x: int, stage: int, stride: int, kernel: int, expansion: int) -> int:
    expanded = _divisible(b.shape(x)[1] * expansion)
    squeeze = _divisible(expanded // 4) if _SQUEEZED[stage] else 0
    activation = _ACTIVATIONS[stage]
    return mbconv(b, x, _WIDTHS[stage], kernel, stride, expanded, activation, squeeze=squeeze, gate="HardSigmoid")


def _stem(b: GraphBuilder, side: int) -> int:
    x = b.add("HardSwish", conv_bn(b, b.input((1, 3, side, side)), _STEM, 3, 2))
    return mbconv(b, x, _STEM, 3, 1, _STEM, "Relu")


def _head(b: GraphBuilder, x: int) -> int:
    """The features are computed after pooling, without batch normalisation."""
    x = b.add("HardSwish", conv_bn(b, x, _FINAL, 1))
    x = b.add("HardSwish", conv(b, b.add("GlobalAveragePool", x), _FEATURES, 1))
    return b.output(b.add("Gemm", b.add("Flatten", x, shape=b.shape(x)[:2]), channels=_CLASSES, bias=True))


SPACE = MobileNetV3
