"""NAS-Bench-101: cells of up to seven vertices and nine edges (Ying et al., ICML 2019, arXiv 1902.09635)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cg_frontends.spaces.blocks import classifier, conv_bn_relu, max_pool, truncate
from cg_frontends.spaces.fragments import Assembly, FragmentCache, Piece, chain
from cg_frontends.spaces.nb101_cell import (
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    Cell,
    cells,
    module_hash,
    pairs,
    read_cell,
)
from cg_ir import ArchError, Graph, GraphBuilder

_CHANNELS = (128, 256, 512)
_MODULES = 3
_RESOLUTION = 32
_CLASSES = 10
_NAMES = (
    "stem",
    *(f"stack_1.module_{i}" for i in (1, 2, 3)),
    "stack_2.downsample",
    *(f"stack_2.module_{i}" for i in (1, 2, 3)),
    "stack_3.downsample",
    *(f"stack_3.module_{i}" for i in (1, 2, 3)),
    "head",
)
_ATTEMPTS = 200

_OPERATORS: dict[str, Callable[..., int]] = {
    "0": lambda b, x: conv_bn_relu(b, x, b.shape(x)[1], 3),
    "1": lambda b, x: conv_bn_relu(b, x, b.shape(x)[1], 1),
    "2": lambda b, x: max_pool(b, x, 3, 1, 1),
}


@functools.lru_cache(maxsize=8192)
def vertex_channels(adjacency: str, vertices: int, channels: int) -> tuple[int, ...]:
    """Channels of each vertex of a module that returns ``channels``; the input vertex's are those of its input and here 0.

    Vertices that feed the output share its channels evenly, the first ones getting one more of what does not divide; any other
    vertex has as many as the widest vertex that it feeds.
    """
    edges = [pair for pair, bit in zip(pairs(vertices), adjacency, strict=True) if bit == "1"]
    last = vertices - 1
    feeding = [i for i, j in edges if j == last and i]
    result = [0] * last + [channels]
    if feeding:
        share, rest = divmod(channels, len(feeding))
        for place, vertex in enumerate(feeding):
            result[vertex] = share + (place < rest)
    for vertex in range(last - 1, 0, -1):
        if not result[vertex]:
            result[vertex] = max(result[j] for i, j in edges if i == vertex)
    return tuple(result)


class NasBench101:
    """The search space ``nb101``: 423,624 cells in the official CIFAR-10 network.

    An architecture is ``adj_upper:ops``, see :mod:`cg_frontends.spaces.nb101_cell`. The network is the benchmark's: a 3x3 convolution
    with 128 channels, three stacks of three modules with 128, 256 and 512 channels, max pooling between them, the mean over the image
    and a classifier. Isomorphic cells give the same network: the one of the spelling that the benchmark trained, so that parameters are
    those of its table.
    """

    name = "nb101"
    family = "nb101"
    size = 423_624

    def __init__(self) -> None:
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> Cell:
        """The canonical cell of an architecture in any notation, see :func:`~cg_frontends.spaces.nb101_cell.read_cell`."""
        return read_cell(arch)

    def canonical(self, arch: Any) -> str:
        """``adj_upper:ops`` of the pruned cell, equal for isomorphic cells."""
        return str(read_cell(arch))

    def module_hash(self, arch: Any) -> str:
        """The official hash, by which the benchmark's tables name the cell."""
        return module_hash(read_cell(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """A random matrix of seven vertices and random operators, drawn again until the pruned cell is valid, as the official code does."""
        slots = MAX_VERTICES * (MAX_VERTICES - 1) // 2
        while True:
            adjacency = "".join(map(str, rng.integers(2, size=slots).tolist()))
            ops = "".join(map(str, rng.integers(3, size=MAX_VERTICES - 2).tolist()))
            try:
                return str(read_cell(f"{adjacency}:{ops}"))
            except ArchError:
                continue

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour: one edge more or less, another operator, or one vertex more."""
        cell = read_cell(arch)
        while True:
            changes = len(cell.adjacency) + 2 * len(cell.ops) + (_insertions(cell.vertices) if cell.vertices < 7 else 0)
            other = _change(cell, int(rng.integers(changes)))
            if other is not None and other != cell:
                return str(other)

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each entry of the matrix and each operator from either parent, smaller cells padded; a parent where no valid child is found."""
        first, second = _padded(read_cell(a)), _padded(read_cell(b))
        for _ in range(_ATTEMPTS):
            choice = rng.integers(2, size=len(first)).tolist()
            genes = "".join(y if other else x for x, y, other in zip(first, second, choice, strict=True))
            try:
                return str(read_cell(f"{genes[:-5]}:{genes[-5:]}"))
            except ArchError:
                continue
        return str(read_cell(a))

    def neighbors(self, arch: str) -> list[str]:
        """All cells one change away: an edge, an operator, or a new vertex on a path between two others."""
        cell = read_cell(arch)
        changes = len(cell.adjacency) + 2 * len(cell.ops) + (_insertions(cell.vertices) if cell.vertices < 7 else 0)
        found = {str(other) for i in range(changes) if (other := _change(cell, i)) is not None}
        return sorted(found - {str(cell)})

    def enumerate(self) -> Iterator[str]:
        """All 423,624 cells in canonical spelling."""
        return map(str, cells())

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of a cell.

        Raises:
            ArchError: see ``parse``.
        """
        cell = read_cell(arch)
        trained = cell.generated()
        table = self._cache.begin()
        pieces = [self._get(("stem",), _stem).piece]
        before = _CHANNELS[0]
        sources: list[list[int]] = [[] for _ in range(trained.vertices)]
        for i, j in trained.edges():
            sources[j].append(i)
        for stack, channels in enumerate(_CHANNELS):
            side = _RESOLUTION >> stack
            if stack:
                shape = (1, before, 2 * side, 2 * side)
                pieces.append(self._get(("downsample", before), lambda b, x: max_pool(b, x, 2, 2, 0), shape).piece)
            first, others = self._modules(trained, sources, before, channels, side)
            pieces += [first, *[others] * (_MODULES - 1)]
            before = channels
        shape = (1, before, side, side)
        pieces.append(self._get(("head",), lambda b, x: classifier(b, x, _CLASSES), shape).piece)
        return chain(pieces, _NAMES, table, f"{self.name}/{cell}")

    def _get(self, key: object, build: Callable[..., int], *shapes: tuple[int, ...]) -> Any:
        return self._cache.get(key, build, *shapes)

    def _modules(
        self, cell: Cell, sources: list[list[int]], before: int, channels: int, side: int
    ) -> tuple[Piece, Piece]:
        """A stack's first module, which reads ``before`` channels, and its other modules."""
        find = self._cache.find
        vertices = len(cell.ops) + 2
        last = vertices - 1
        widths = vertex_channels(cell.adjacency, vertices, channels)
        module = Assembly()
        append = module.append
        projections: list[tuple[int, int]] = []

        def project(width: int) -> int:
            projections.append((len(module.codes), width))
            return append(self._projection(channels, width, side), ~0)

        values = [~0] * vertices
        for vertex in range(1, last):
            width = widths[vertex]
            terms = []
            for i in sources[vertex]:
                if i:
                    value = values[i]
                    if widths[i] != width:
                        key: object = ("truncate", widths[i], width, side)
                        cut = find(key) or self._get(
                            key, lambda b, x, w=width: truncate(b, x, w), (1, widths[i], side, side)
                        )
                        value = append(cut, value)
                    terms.append(value)
            if sources[vertex][0] == 0:
                terms.append(project(width))
            value = terms[0] if len(terms) == 1 else append(self._sum(len(terms), width, side), *terms)
            key = (cell.ops[vertex - 1], width, side)
            operator = find(key) or self._get(key, _OPERATORS[cell.ops[vertex - 1]], (1, width, side, side))
            values[vertex] = append(operator, value)
        direct = sources[last][0] == 0
        ends = sources[last][1:] if direct else sources[last]
        if not ends:
            result = project(channels)
        else:
            result = values[ends[0]]
            if len(ends) > 1:
                parts = tuple([widths[i] for i in ends])
                key = ("concat", parts, side)
                joined = find(key) or self._get(
                    key, lambda b, *xs: b.add("Concat", *xs, axis=1), *[(1, w, side, side) for w in parts]
                )
                result = append(joined, *[values[i] for i in ends])
            if direct:
                result = append(self._sum(2, channels, side), result, project(channels))
        others = module.finish(result).piece
        if before == channels or not projections:
            return others, others
        codes = others.codes.copy()
        for place, width in projections:
            codes[place] = self._projection(before, width, side).codes[0]
        return others._replace(codes=codes), others

    def _projection(self, before: int, width: int, side: int) -> Any:
        key = ("project", before, width, side)
        return self._cache.find(key) or self._get(
            key, lambda b, x: conv_bn_relu(b, x, width, 1), (1, before, side, side)
        )

    def _sum(self, terms: int, width: int, side: int) -> Any:
        key = ("sum", terms, width, side)
        return self._cache.find(key) or self._get(
            key, lambda b, *xs: b.add("Add", *xs), *[(1, width, side, side)] * terms
        )


def _stem(b: GraphBuilder) -> int:
    return conv_bn_relu(b, b.input((1, 3, _RESOLUTION, _RESOLUTION)), _CHANNELS[0], 3)


def _padded(cell: Cell) -> str:
    """Matrix and operators with unconnected vertices before the output, up to seven."""
    last = cell.vertices - 1
    place = [*range(last), MAX_VERTICES - 1]
    kept = {(place[i], place[j]) for i, j in cell.edges()}
    return "".join("1" if pair in kept else "0" for pair in pairs(MAX_VERTICES)) + cell.ops.ljust(MAX_VERTICES - 2, "0")


def _insertions(vertices: int) -> int:
    return 3 * vertices * (vertices - 1) // 2


def _change(cell: Cell, number: int) -> Cell | None:
    """One of the changes that ``mutate`` and ``neighbors`` number; None where the result is no valid cell."""
    adjacency, ops = cell
    slots = len(adjacency)
    if number < slots:
        adjacency = adjacency[:number] + ("0" if adjacency[number] == "1" else "1") + adjacency[number + 1 :]
    elif number < slots + 2 * len(ops):
        place, step = divmod(number - slots, 2)
        ops = ops[:place] + str((int(ops[place]) + 1 + step) % len(OPERATIONS)) + ops[place + 1 :]
    else:
        if adjacency.count("1") + 2 > MAX_EDGES:
            return None
        number -= slots + 2 * len(ops)
        pair, op = divmod(number, len(OPERATIONS))
        start, end = pairs(cell.vertices)[pair]
        # the new vertex comes right before the end of its path
        place_of = [i if i < end else i + 1 for i in range(cell.vertices)]
        kept = {(place_of[i], place_of[j]) for i, j in cell.edges()} | {(place_of[start], end), (end, end + 1)}
        adjacency = "".join("1" if p in kept else "0" for p in pairs(cell.vertices + 1))
        ops = ops[: end - 1] + str(op) + ops[end - 1 :]
    try:
        return read_cell(f"{adjacency}:{ops}")
    except ArchError:
        return None


SPACE = NasBench101
