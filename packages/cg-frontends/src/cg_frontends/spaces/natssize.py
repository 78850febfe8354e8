"""The size space of NATS-Bench: one cell, five free widths (Dong, Liu, Musial and Gabrys, TPAMI 2021, arXiv 2009.00437)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cg_frontends.spaces.blocks import batchnorm_relu, classifier, conv, conv_bn, relu_conv_bn, residual_block
from cg_frontends.spaces.categorical import CategoricalSpace
from cg_frontends.spaces.fragments import FragmentCache, chain
from cg_frontends.spaces.nb201 import DATASETS
from cg_frontends.spaces.options import read_choice
from cg_ir import ArchError, Graph, GraphBuilder

#: The widths that a layer can have.
WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)

_NAMES = ("stem", "stage_1.cell", "stage_2.residual", "stage_2.cell", "stage_3.residual", "stage_3.cell", "head")
_FORM = "five widths such as 8:16:24:32:40"


class NatsBenchSize(CategoricalSpace):
    """The search space ``natssize``: 8^5 networks, all with the same cell.

    An architecture is the five widths ``8:16:24:32:40``: those of the first cell (and the stem), a residual block of stride 2, a cell, a
    residual block of stride 2 and a cell. The cell is ``|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|
    nor_conv_3x3~2|`` of NAS-Bench-201; where it changes the width its skip is a 1x1 convolution with batch normalisation.

    Args:
        dataset: ``cifar10``, ``cifar100`` or ``ImageNet16-120``: resolution and number of classes.
    """

    name = "natssize"
    family = "natssize"
    size = len(WIDTHS) ** 5
    choices = (WIDTHS,) * 5

    def __init__(self, dataset: str = "cifar10") -> None:
        self.dataset = read_choice(self.name, "dataset", dataset, DATASETS)
        self.resolution, self.classes = DATASETS[self.dataset]
        self._cache = FragmentCache()

    def parse(self, arch: Any) -> tuple[int, ...]:
        """The five widths of ``8:16:24:32:40``, of a sequence of five integers, or of its JSON text.

        Raises:
            ArchError: another form, or a width that the space does not have.
        """
        values: Any = arch
        if isinstance(arch, str):
            text = arch.strip()
            if text.startswith("["):
                try:
                    values = json.loads(text)
                except (ValueError, RecursionError):
                    raise ArchError(f"a natssize network should be {_FORM}, not {text!r:.80}") from None
            else:
                parts = text.split(":")
                values = [int(part) if part.isdecimal() and len(part) < 5 else part for part in parts]
        if not isinstance(values, Sequence) or len(values) != 5:
            raise ArchError(f"a natssize network should be {_FORM}, not {arch!r:.80}")
        for layer, width in enumerate(values, 1):
            if type(width) is not int or width not in WIDTHS:
                raise ArchError(
                    f"natssize has no width {width!r:.20} (layer {layer}); it has {', '.join(map(str, WIDTHS))}"
                )
        return tuple(values)

    def format(self, genes: Sequence[int]) -> str:
        """``8:16:24:32:40``."""
        return ":".join(map(str, genes))

    def graph(self, arch: Any) -> Graph:
        """The network of five widths.

        Raises:
            ArchError: see ``parse``.
        """
        widths = self.parse(arch)
        table = self._cache.begin()
        side = self.resolution
        get = self._cache.get
        first = widths[0]
        pieces = [get(("stem", first), lambda b: conv_bn(b, b.input((1, 3, side, side)), first, 3)).piece]
        before = first
        for layer, width in enumerate(widths):
            shape = (1, before, side, side)
            block = residual_block if layer % 2 else _cell
            pieces.append(get((layer % 2, shape, width), lambda b, x, f=block, w=width: f(b, x, w), shape).piece)
            side >>= layer % 2
            before = width
        shape = (1, before, side, side)
        pieces.append(get(("head", shape), lambda b, x: classifier(b, batchnorm_relu(b, x), self.classes), shape).piece)
        return chain(pieces, _NAMES, table, f"{self.name}/{self.format(widths)}")


def _cell(b: GraphBuilder, x: int, width: int) -> int:
    first = relu_conv_bn(b, x, width, 3)
    second = b.add("Add", relu_conv_bn(b, x, width, 3), relu_conv_bn(b, first, width, 3))
    skip = x if b.shape(x)[1] == width else b.add("BatchNormalization", conv(b, b.add("Relu", x), width, 1))
    return b.add("Add", skip, relu_conv_bn(b, first, width, 3), relu_conv_bn(b, second, width, 3))


SPACE = NatsBenchSize
