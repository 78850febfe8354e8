"""TransNAS-Bench-101: networks of four to six modules, by skeleton or by cell (Duan et al., CVPR 2021, arXiv 2105.11871)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cg_frontends.spaces.blocks import classifier, conv_bn, conv_bn_relu, relu_conv_bn, zero
from cg_frontends.spaces.edge_cell import EDGES, pruned, wire
from cg_frontends.spaces.fragments import Fragment, FragmentCache, Piece, Shape, chain
from cg_frontends.spaces.options import read_choice
from cg_ir import ArchError, Graph, GraphBuilder

#: Classes of the tasks that end in a classifier.
CLASSES = {"object": 75, "scene": 47, "jigsaw": 1000}
#: Cells (micro) on one skeleton; skeletons (macro) of one block.
LEVELS = ("micro", "macro")

_SIDE, _WIDTH = 128, 64
_MODULES, _BASIC = "41414", "basic"
_BLOCKS = 2
_FORM = "64-41414-1_02_333 (micro) or 64-1234-basic (macro)"


def _macro_modules() -> Iterator[str]:
    """The skeletons: 4 to 6 modules, of which 1 to 3 double the width and 1 to 4 halve the resolution."""
    for count in (4, 5, 6):
        for digits in itertools.product("1234", repeat=count):
            modules = "".join(digits)
            if 1 <= sum(map(modules.count, "24")) <= 3 and 1 <= sum(map(modules.count, "34")) <= 4:
                yield modules


_SKELETONS = tuple(_macro_modules())
_SKELETON_SET = frozenset(_SKELETONS)


class TransNasBench101:
    """The search space ``transnas``: 4,096 cells on one skeleton (micro), 3,256 skeletons of basic blocks (macro).

    An architecture is ``64-modules-cell``. A digit stands for a module of two blocks: 1 plain, 2 doubles the width, 3 halves the resolution, 4
    both, in its first block. The cell is ``basic`` (the ResNet basic block; modules are free) or ``a_bc_def`` (modules are ``41414``): a
    cell of four nodes, and the digits are the operators of the edges that lead to node 1, to node 2 (from 0, 1) and to node 3 (from 0, 1,
    2): 0 none, 1 skip, 2 ReLU-conv1x1-BN, 3 ReLU-conv3x3-BN. Edges from node 0 carry stride and width of the block; where these change, a
    skip is ReLU-conv1x1-BN. What cannot influence the output is left out; a cell without a way from input to output is a product with 0.

    The stem is conv3x3 of stride 2 to 32 channels, batch normalisation, ReLU, conv3x3 of stride 2 to 64 channels, batch normalisation; global
    average pooling and the classifier follow the modules. Images are 128 x 128.

    Args:
        level: ``micro`` or ``macro``: what is sampled and enumerated; both where left out.
        task: ``object``, ``scene`` or ``jigsaw``: number of classes. The benchmark's other tasks put heads of their own on the same encoder.
    """

    name = "transnas"
    family = "transnas"

    def __init__(self, level: str | None = None, task: str = "object") -> None:
        self.levels = LEVELS if level is None else (read_choice(self.name, "level", level, LEVELS),)
        self.task = read_choice(self.name, "task", task, CLASSES)
        self.classes = CLASSES[self.task]
        self.size = sum({"micro": 4 ** len(EDGES), "macro": len(_SKELETONS)}[name] for name in self.levels)
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> tuple[str, str]:
        """Modules and cell: ``("1234", "basic")`` of a macro network, ``("41414", "102333")`` of a micro network.

        Raises:
            ArchError: another form, or a network that the space does not have.
        """
        parts = arch.strip().split("-") if isinstance(arch, str) else ()
        if len(parts) != 3 or parts[0] != str(_WIDTH):
            raise ArchError(f"a transnas network should look like {_FORM}, not {arch!r:.80}")
        _, modules, cell = parts
        level = "macro" if cell == _BASIC else "micro"
        if level == "micro":
            nodes = cell.split("_")
            if [len(node) for node in nodes] != [1, 2, 3] or not set("".join(nodes)) <= set("0123"):
                raise ArchError(f"a transnas cell should be basic, or digits 0 to 3 such as 1_02_333, not {cell!r:.80}")
            if modules != _MODULES:
                raise ArchError(f"transnas: the modules of a micro network are {_MODULES}, not {modules!r:.20}")
            cell = "".join(nodes)
        elif modules not in _SKELETON_SET:
            raise ArchError(
                "transnas: a macro network has 4 to 6 modules of 1 to 4, of which 1 to 3 double the width (2, 4) and 1 to 4 halve the "
                f"resolution (3, 4); not {modules!r:.20}"
            )
        if level not in self.levels:
            raise ArchError(
                f"transnas: {arch!r:.80} is a {level} network, and the space was limited to {self.levels[0]}"
            )
        return modules, cell

    def format(self, modules: str, cell: str) -> str:
        """``64-modules-cell``."""
        spelled = cell if cell == _BASIC else f"{cell[0]}_{cell[1:3]}_{cell[3:]}"
        return f"{_WIDTH}-{modules}-{spelled}"

    def canonical(self, arch: Any) -> str:
        """The benchmark's notation."""
        return self.format(*self.parse(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """Uniform."""
        place = int(rng.integers(self.size))
        if "micro" in self.levels:
            if place < 4 ** len(EDGES):
                return self.format(_MODULES, "".join(str(place >> 2 * i & 3) for i in range(len(EDGES))))
            place -= 4 ** len(EDGES)
        return self.format(_SKELETONS[place], _BASIC)

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""
        options = self.neighbors(arch)
        return options[int(rng.integers(len(options)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each edge of the cell from either parent; the first modules of one macro network and the last of the other, counted
        from either end, where that is a member.

        Parents of different levels have no child but themselves: one of the two.
        """
        parents = [self.parse(a), self.parse(b)]
        (_, first), (_, second) = parents
        if _BASIC not in (first, second):
            other = rng.integers(2, size=len(EDGES)).tolist()
            return self.format(_MODULES, "".join([y if o else x for x, y, o in zip(first, second, other, strict=True)]))
        if first == second:
            (left, _), (right, _) = parents
            places = range(1, min(len(left), len(right)))
            cuts = {left[:i] + right[i:] for i in places} | {left[:-i] + right[-i:] for i in places}
            children = sorted({cut for cut in cuts if cut in _SKELETON_SET} | {left, right})
            return self.format(children[int(rng.integers(len(children)))], _BASIC)
        return self.format(*parents[int(rng.integers(2))])

    def neighbors(self, arch: str) -> list[str]:
        """All networks of the same level that differ in one edge, or in one module: another digit, one module more, one less."""
        modules, cell = self.parse(arch)
        if cell != _BASIC:
            return [self.format(modules, other) for other in _replaced(cell, "0123")]
        others = dict.fromkeys(_replaced(modules, "1234"))
        places = range(len(modules) + 1)
        others.update(dict.fromkeys(modules[:i] + digit + modules[i:] for i in places for digit in "1234"))
        others.update(dict.fromkeys(modules[:i] + modules[i + 1 :] for i in places))
        return [self.format(other, _BASIC) for other in others if other in _SKELETON_SET and other != modules]

    def enumerate(self) -> Iterator[str]:
        """All networks, micro ones first."""
        if "micro" in self.levels:
            for digits in itertools.product("0123", repeat=len(EDGES)):
                yield self.format(_MODULES, "".join(digits))
        if "macro" in self.levels:
            for modules in _SKELETONS:
                yield self.format(modules, _BASIC)

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of an architecture.

        Raises:
            ArchError: see ``parse``.
        """
        modules, cell = self.parse(arch)
        table = self._cache.begin()
        pieces = [self._cache.get("stem", _stem).piece]
        width, side = _WIDTH, _SIDE // 4
        ops = _kept(cell)
        for module in modules:
            after, stride = width * (2 if module in "24" else 1), 2 if module in "34" else 1
            for block in range(_BLOCKS):
                shape = (1, width, side, side)
                step = 1 if block else stride
                pieces.append(
                    self._basic(shape, after, step) if cell == _BASIC else self._cell(ops, shape, after, step)
                )
                width, side = after, side // step
        shape = (1, width, side, side)
        pieces.append(self._cache.get(("head", shape), lambda b, x: classifier(b, x, self.classes), shape).piece)
        return chain(pieces, _names(len(modules)), table, f"{self.name}/{self.format(modules, cell)}")

    def _basic(self, shape: Shape, width: int, stride: int) -> Piece:
        return self._cache.get((shape, width, stride), lambda b, x: _basic_block(b, x, width, stride), shape).piece

    def _cell(self, ops: str, shape: Shape, width: int, stride: int) -> Piece:
        """The cell on an input of this shape; its blocks are built once."""
        key = (ops, shape, width)
        found = self._cache.find(key)
        if found is not None:
            return found.piece
        same = stride == 1 and width == shape[1]
        inner = (1, width, shape[2] // stride, shape[3] // stride)

        def part(block: str, edge: int, inputs: int) -> Fragment:
            get = self._cache.get
            if block == "cut":
                return get(("cut", shape, width), lambda b, x: _cut(b, x, width, stride), shape)
            if edge < 0:
                return get((block, inner), lambda b, *xs: b.add("Add", *xs), *[inner] * inputs)
            if EDGES[edge][0] == 0:
                return get((block, shape, width), lambda b, x: _OPERATORS[block](b, x, width, stride), shape)
            return get((block, inner, width), lambda b, x: _OPERATORS[block](b, x, width, 1), inner)

        blocks = [_block(op, same or source > 0) for op, (source, _) in zip(ops, EDGES, strict=True)]
        return self._cache.put(key, wire(blocks, "cut", part)).piece


#: Blocks of the operators on an edge, by digit.
_OPERATORS: dict[str, Callable[[GraphBuilder, int, int, int], int]] = {
    "2": lambda b, x, width, stride: relu_conv_bn(b, x, width, 1, stride),
    "3": lambda b, x, width, stride: relu_conv_bn(b, x, width, 3, stride),
}


def _block(op: str, same: bool) -> str | None:
    """Name of an operator's block for ``wire``; a skip that changes the shape is the 1x1 convolution."""
    if op == "1":
        return "" if same else "2"
    return None if op == "0" else op


@functools.lru_cache(maxsize=8192)
def _kept(cell: str) -> str:
    """The digits of a cell, 0 for operators that cannot influence its output."""
    if cell == _BASIC:
        return cell
    return "".join(pruned(cell, "0"))


def _replaced(text: str, digits: str) -> Iterator[str]:
    return (text[:i] + d + text[i + 1 :] for i, old in enumerate(text) for d in digits if d != old)


@functools.cache
def _names(modules: int) -> tuple[str, ...]:
    blocks = [f"module_{m}.block_{i}" for m in range(1, modules + 1) for i in range(1, _BLOCKS + 1)]
    return ("stem", *blocks, "head")


def _stem(b: GraphBuilder) -> int:
    x = conv_bn_relu(b, b.input((1, 3, _SIDE, _SIDE)), _WIDTH // 2, 3, 2)
    return conv_bn(b, x, _WIDTH, 3, 2)


def _basic_block(b: GraphBuilder, x: int, width: int, stride: int) -> int:
    """The basic block of ResNet: ReLU after the sum, a 1x1 projection where the shape changes (He et al., 2016)."""
    y = conv_bn(b, conv_bn_relu(b, x, width, 3, stride), width, 3)
    short = x if stride == 1 and b.shape(x)[1] == width else conv_bn(b, x, width, 1, stride)
    return b.add("Relu", b.add("Add", y, short))


def _cut(b: GraphBuilder, x: int, width: int, stride: int) -> int:
    """Zeros of the block's output shape, computed from its input so that the network stays connected."""
    shape = b.shape(x)
    if stride > 1:
        x = b.add("Slice", x, starts=(0,) * 4, ends=shape, steps=(1, 1, stride, stride))
    x = zero(b, x)
    return x if width == shape[1] else b.add("Concat", *[x] * (width // shape[1]), axis=1)


SPACE = TransNasBench101
