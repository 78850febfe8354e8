"""NAS-Bench-201: cells of six edges with five operators each (Dong and Yang, ICLR 2020, arXiv 2001.00326)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from cg_frontends.spaces.blocks import (
    average_pool,
    batchnorm_relu,
    classifier,
    conv_bn,
    relu_conv_bn,
    residual_block,
    zero,
)
from cg_frontends.spaces.categorical import CategoricalSpace
from cg_frontends.spaces.edge_cell import EDGES, pruned, wire
from cg_frontends.spaces.fragments import Fragment, FragmentCache, Shape, chain
from cg_frontends.spaces.options import read_choice, read_flag
from cg_ir import ArchError, Graph
from cg_ir.identity import Interned

#: The operators of an edge, in the benchmark's order.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
#: Resolution and number of classes of each dataset.
DATASETS = {"cifar10": (32, 10), "cifar100": (32, 100), "ImageNet16-120": (16, 120)}

_CELLS = tuple(f"cell_{i}" for i in range(1, 6))
_STAGES = {1: _CELLS, 2: ("residual", *_CELLS), 3: ("residual", *_CELLS)}
_NAMES = ("stem", *(f"stage_{i}.{part}" for i, parts in _STAGES.items() for part in parts), "head")
_STRING = re.compile(r"\|([^|~]+)~0\|\+\|([^|~]+)~0\|([^|~]+)~1\|\+\|([^|~]+)~0\|([^|~]+)~1\|([^|~]+)~2\|")
_FORM = "a nb201 cell should look like |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"

#: Building blocks of the operators and of sums; ``skip_connect`` needs none.
_BLOCKS = {
    "none": zero,
    "nor_conv_1x1": lambda b, x: relu_conv_bn(b, x, b.shape(x)[1], 1),
    "nor_conv_3x3": lambda b, x: relu_conv_bn(b, x, b.shape(x)[1], 3),
    "avg_pool_3x3": lambda b, x: average_pool(b, x, 3, 1, 1),
    **{f"sum_{k}": lambda b, *xs: b.add("Add", *xs) for k in (2, 3, 4)},
}


class NasBench201(CategoricalSpace):
    """The search space ``nb201``: 5^6 cells in the official CIFAR network.

    An architecture is the official string ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``. The network is the benchmark's: a 3x3 convolution with
    16 channels, three stages of five cells with 16, 32 and 64 channels, a residual block of stride 2 between them, batch
    normalisation, ReLU, global average pooling, classifier.

    Operators that cannot influence the output are left out, as are edges with ``none``. A cell whose output no edge connects with its
    input returns zeros, whatever it reads: it is one product with 0, so that the network keeps its shape and stays connected. With
    ``pruned=False`` every edge is kept and ``none`` multiplies by 0, as the official code does; that graph has the parameters of the
    benchmark's table.

    Args:
        pruned: leave out what cannot influence the output.
        dataset: ``cifar10``, ``cifar100`` or ``ImageNet16-120``: resolution and number of classes.
    """

    name = "nb201"
    family = "nb201"
    size = len(OPERATIONS) ** len(EDGES)
    choices = (OPERATIONS,) * len(EDGES)

    def __init__(self, pruned: bool | str = True, dataset: str = "cifar10") -> None:
        self.pruned = read_flag(self.name, "pruned", pruned)
        self.dataset = read_choice(self.name, "dataset", dataset, DATASETS)
        self.resolution, self.classes = DATASETS[self.dataset]
        self._cache = FragmentCache()
        self._networks = Interned()  # cells that differ in operators without influence share them

    def parse(self, arch: Any) -> tuple[str, ...]:
        """The operators of the six edges, in the order of ``EDGES``.

        Reads the official string, the genotype of the official code (``(((op, 0),), ((op, 0), (op, 1)), ...)``), a sequence of six
        names in the order of ``EDGES``, and each of these as JSON text.

        Raises:
            ArchError: an unknown operator or another form.
        """
        if isinstance(arch, str):
            match = _STRING.fullmatch(arch) or _STRING.fullmatch(re.sub(r"\s", "", arch))
            arch = match.groups() if match else _read_json(arch)
        if isinstance(arch, Sequence) and len(arch) == 3:
            arch = _read_genotype(arch)
        if not isinstance(arch, Sequence) or len(arch) != 6 or not all(isinstance(op, str) for op in arch):
            raise ArchError(f"{_FORM} or be six operator names, not {arch!r:.120}")
        for op, (source, target) in zip(arch, EDGES, strict=True):
            if op not in OPERATIONS:
                known = ", ".join(OPERATIONS)
                raise ArchError(f"nb201 has no operator {op!r:.60} (edge {source}-{target}); it has {known}")
        return tuple(arch)

    def format(self, genes: Sequence[str]) -> str:
        """The official string of six operators in the order of ``EDGES``."""
        return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*genes)

    def graph(self, arch: Any) -> Graph:
        """The network of a cell.

        Raises:
            ArchError: see ``parse``.
        """
        ops = self.parse(arch)
        name = f"{self.name}/{self.format(ops)}"
        used = pruned(ops, "none") if self.pruned else ops
        return self._networks.get(used, name, lambda: self._build(used, name))

    def _build(self, ops: tuple[str, ...], name: str) -> Graph:
        table, get, side = self._cache.begin(), self._cache.get, self.resolution
        names = {"skip_connect": "", "none": None if self.pruned else "none"}
        blocks = [names.get(op, op) for op in ops]
        pieces = [get("stem", lambda b: conv_bn(b, b.input((1, 3, side, side)), 16, 3)).piece]
        for stage, width in enumerate((16, 32, 64)):
            shape = (1, width, side >> stage, side >> stage)
            if stage:
                before = (1, width // 2, 2 * shape[2], 2 * shape[3])
                block = get(("residual", stage), lambda b, x, width=width: residual_block(b, x, width), before)
                pieces.append(block.piece)
            pieces += [wire(blocks, "none", partial(self._block, shape)).piece] * len(_CELLS)
        pieces.append(get("head", lambda b, x: classifier(b, batchnorm_relu(b, x), self.classes), shape).piece)
        return chain(pieces, _NAMES, table, name)

    def _block(self, shape: Shape, block: str, edge: int, inputs: int) -> Fragment:
        return self._cache.get((block, shape), _BLOCKS[block], *[shape] * inputs)


def _read_json(text: str) -> Any:
    try:
        if text.lstrip().startswith(("[", "(")):
            return json.loads(text.replace("(", "[").replace(")", "]").replace("'", '"').replace(",]", "]"))
    except (ValueError, RecursionError):
        pass
    raise ArchError(f"{_FORM}, not {text.strip()!r:.120}")


def _read_genotype(nodes: Sequence[Any]) -> list[Any]:
    """The operators of the official code's genotype."""
    try:
        found = {(source, target): op for target, edges in enumerate(nodes, 1) for op, source in edges}
    except (TypeError, ValueError):
        found = {(None, 0): None}
    if not found.keys() <= set(EDGES):
        raise ArchError(f"the nodes of a nb201 genotype hold pairs (operator, source), not {nodes!r:.120}")
    missing = ", ".join(f"{i}-{j}" for i, j in EDGES if (i, j) not in found)
    if missing:
        raise ArchError(f"the nb201 genotype has no operator for the edges {missing}")
    return [found[edge] for edge in EDGES]


SPACE = NasBench201
