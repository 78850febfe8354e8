"""MnasNet-style networks as in Accel-NASBench (Tan et al., CVPR 2019, arXiv 1807.11626; Ahmad et al., DAC 2024, arXiv 2404.08005)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from cg_frontends.spaces.blocks import classifier, conv_bn, mbconv
from cg_frontends.spaces.categorical import CategoricalSpace
from cg_frontends.spaces.digits import read_digits
from cg_frontends.spaces.fragments import FragmentCache, Piece, chain
from cg_frontends.spaces.options import read_integer
from cg_ir import ArchError, Graph, GraphBuilder

_EXPANSIONS, _KERNELS, _LAYERS, _SQUEEZES = "146", "35", ("123", "123", "123", "123", "123", "1234", "123"), "01"
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_WIDTHS = (16, 24, 40, 80, 112, 192, 320)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_ACTIVATION = "Silu"
_FORM = "expand7:kernel7:layers7:se7, such as 6166464:3533355:1321212:0000000"


class MnasNet(CategoricalSpace):
    """The search space ``mnasnet``: seven stages of MBConv blocks whose expansion, kernel, depth and squeeze-excitation are free.

    An architecture is ``expand7:kernel7:layers7:se7``, a digit a stage. Strides are 1, 2, 2, 2, 1, 2, 1 and widths 16, 24, 40, 80, 112, 192,
    320; the stem has 32 channels, the head 1280, activations are SiLU. The width inside a squeeze-excitation is a quarter of the
    block's input channels.

    Args:
        resolution: of the image, 32 to 512 in steps of 32.
    """

    name = "mnasnet"
    family = "mnasnet"
    size = 3**7 * 2**7 * 3**6 * 4 * 2**7
    choices = (
        *[tuple(map(int, _EXPANSIONS))] * 7,
        *[tuple(map(int, _KERNELS))] * 7,
        *[tuple(map(int, layers)) for layers in _LAYERS],
        *[tuple(map(int, _SQUEEZES))] * 7,
    )

    def __init__(self, resolution: int | str = 224) -> None:
        self.resolution = read_integer(self.name, "resolution", resolution, range(32, 513, 32))
        self._cache = FragmentCache()

    def parse(self, arch: Any) -> tuple[int, ...]:
        """The 28 digits of an architecture string, expansions first.

        Raises:
            ArchError: another form, or a digit that the space does not have.
        """
        parts = arch.strip().split(":") if isinstance(arch, str) else ()
        if len(parts) != 4:
            raise ArchError(f"a mnasnet network should look like {_FORM}, not {arch!r:.80}")
        layers = read_digits(self.name, "layers", parts[2], 7, "1234", _FORM)
        for stage, (count, allowed) in enumerate(zip(layers, _LAYERS, strict=True), 1):
            if str(count) not in allowed:
                raise ArchError(f"mnasnet: stage {stage} has {', '.join(allowed)} layers, not {count}")
        return (
            *read_digits(self.name, "expansions", parts[0], 7, _EXPANSIONS, _FORM),
            *read_digits(self.name, "kernels", parts[1], 7, _KERNELS, _FORM),
            *layers,
            *read_digits(self.name, "squeeze-excitation flags", parts[3], 7, _SQUEEZES, _FORM),
        )

    def format(self, genes: Sequence[int]) -> str:
        """``expand7:kernel7:layers7:se7``."""
        digits = "".join(map(str, genes))
        return f"{digits[:7]}:{digits[7:14]}:{digits[14:21]}:{digits[21:]}"

    def graph(self, arch: Any) -> Graph:
        """The network of an architecture.

        Raises:
            ArchError: see ``parse``.
        """
        genes = self.parse(arch)
        table = self._cache.begin()
        side = self.resolution
        pieces = [self._cache.get("stem", lambda b: _stem(b, side)).piece]
        side //= 2
        before = _STEM
        layers = genes[14:21]
        for stage, width in enumerate(_WIDTHS):
            choice = genes[stage], genes[7 + stage], genes[21 + stage]
            pieces.append(self._block(before, width, side, _STRIDES[stage], *choice))
            side //= _STRIDES[stage]
            if layers[stage] > 1:
                pieces += [self._block(width, width, side, 1, *choice)] * (layers[stage] - 1)
            before = width
        pieces.append(self._cache.get("head", _head, (1, before, side, side)).piece)
        return chain(pieces, _names(layers), table, f"{self.name}/{self.format(genes)}")

    def _block(
        self, before: int, width: int, side: int, stride: int, expansion: int, kernel: int, squeezed: int
    ) -> Piece:
        key = (before, width, side, stride, expansion, kernel, squeezed)
        found = self._cache.find(key) or self._cache.get(
            key,
            lambda b, x: mbconv(
                b,
                x,
                width,
                kernel,
                stride,
                before * expansion,
                _ACTIVATION,
                squeeze=max(1, before // 4) if squeezed else 0,
                squeeze_activation=_ACTIVATION,
            ),
            (1, before, side, side),
        )
        return found.piece


@functools.lru_cache(maxsize=4096)
def _names(layers: tuple[int, ...]) -> tuple[str, ...]:
    blocks = [f"stage_{s}.block_{i}" for s, count in enumerate(layers, 1) for i in range(1, count + 1)]
    return ("stem", *blocks, "head")


def _stem(b: GraphBuilder, side: int) -> int:
    return b.add(_ACTIVATION, conv_bn(b, b.input((1, 3, side, side)), _STEM, 3, 2))


def _head(b: GraphBuilder, x: int) -> int:
    return classifier(b, b.add(_ACTIVATION, conv_bn(b, x, _HEAD, 1)), _CLASSES)


SPACE = MnasNet
