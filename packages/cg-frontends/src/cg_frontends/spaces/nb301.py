"""NAS-Bench-301: DARTS cells in its CIFAR-10 network (Zela et al., ICLR 2022, arXiv 2008.09777; Liu et al., ICLR 2019, arXiv 1806.09055)."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cg_frontends.spaces.blocks import (
    average_pool,
    classifier,
    conv_bn,
    factorized_reduce,
    max_pool,
    relu_conv_bn,
    separable_conv,
)
from cg_frontends.spaces.fragments import Assembly, Fragment, FragmentCache, chain
from cg_frontends.spaces.nb301_genotype import NODES, OPERATIONS, Edges, Genotype, format_genotype, read_genotype
from cg_frontends.spaces.options import read_integer
from cg_ir import Graph, GraphBuilder

_RESOLUTION, _CLASSES = 32, 10
_STEM_MULTIPLIER = 3


def _separable(kernel: int) -> Callable[[GraphBuilder, int, int], int]:
    return lambda b, x, stride: separable_conv(b, separable_conv(b, x, kernel, stride), kernel, 1)


def _dilated(kernel: int) -> Callable[[GraphBuilder, int, int], int]:
    return lambda b, x, stride: separable_conv(b, x, kernel, stride, dilation=2)


_BLOCKS: tuple[Callable[[GraphBuilder, int, int], int], ...] = (
    lambda b, x, stride: max_pool(b, x, 3, stride, 1),
    lambda b, x, stride: average_pool(b, x, 3, stride, 1),
    lambda b, x, stride: x if stride == 1 else factorized_reduce(b, x, b.shape(x)[1]),
    _separable(3),
    _separable(5),
    _dilated(3),
    _dilated(5),
)


class NasBench301:
    """The search space ``nb301``: pairs of a normal and a reduction cell of DARTS.

    An architecture is the JSON text ``[normal,reduce]``, each cell eight pairs ``[input,op]``, see :mod:`cg_frontends.spaces.nb301_genotype`. The
    network is the one that the benchmark trained, without the auxiliary head that serves only training: eight cells, those at one and two
    thirds reducing, 32 channels at first. With ``layers=20`` and ``channels=36`` it is the network that DARTS reports.

    Args:
        layers: number of cells.
        channels: channels of the first cells' nodes.
    """

    name = "nb301"
    family = "nb301"
    size = (math.prod(math.comb(node, 2) for node in range(2, 2 + NODES)) * len(OPERATIONS) ** (2 * NODES)) ** 2

    def __init__(self, layers: int | str = 8, channels: int | str = 32) -> None:
        self.layers = read_integer(self.name, "layers", layers, range(3, 101))
        self.channels = read_integer(self.name, "channels", channels, range(2, 257, 2))
        self._cache = FragmentCache()

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> Genotype:
        """The genotype of an architecture in any notation, see :func:`~cg_frontends.spaces.nb301_genotype.read_genotype`."""
        return read_genotype(arch)

    def canonical(self, arch: Any) -> str:
        """The compact JSON text, the two edges of a node sorted by their input."""
        return format_genotype(read_genotype(arch))

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """Inputs and operators uniformly at random."""
        return format_genotype((_sample_cell(rng), _sample_cell(rng)))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour: another operator on an edge, or another input of it, one as likely as the other."""
        genotype = read_genotype(arch)
        kind = _other_operators if rng.integers(2) else _other_inputs
        options = list(kind(genotype))
        return format_genotype(options[int(rng.integers(len(options)))])

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each intermediate node of each cell from either parent."""
        parents = read_genotype(a), read_genotype(b)
        choice = rng.integers(2, size=2 * NODES).tolist()
        normal, reduce = (
            tuple(
                edge
                for node in range(NODES)
                for edge in parents[choice[cell * NODES + node]][cell][2 * node : 2 * node + 2]
            )
            for cell in (0, 1)
        )
        return format_genotype((normal, reduce))

    def neighbors(self, arch: str) -> list[str]:
        """All genotypes that differ in the operator or in the input of one edge."""
        genotype = read_genotype(arch)
        return [format_genotype(g) for kind in (_other_operators, _other_inputs) for g in kind(genotype)]

    def enumerate(self) -> Iterator[str]:
        """All genotypes (10^18), lazily."""
        operators = range(len(OPERATIONS))
        node = [
            [
                ((i, a), (j, b))
                for i, j in itertools.combinations(range(2 + n), 2)
                for a, b in itertools.product(operators, repeat=2)
            ]
            for n in range(NODES)
        ]
        for nodes in itertools.product(*node, *node):
            edges = tuple(itertools.chain.from_iterable(nodes))
            yield format_genotype((edges[: 2 * NODES], edges[2 * NODES :]))

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of a genotype.

        Raises:
            ArchError: see ``parse``.
        """
        genotype = read_genotype(arch)
        table = self._cache.begin()
        side, channels = _RESOLUTION, self.channels
        width = _STEM_MULTIPLIER * channels
        pieces = [
            self._cache.get("stem", lambda b: conv_bn(b, b.input((1, 3, _RESOLUTION, _RESOLUTION)), width, 3)).piece
        ]
        # shape of what the two cells before return; the first cell reads the stem twice
        shapes = [(width, side), (width, side)]
        bodies: dict[tuple[bool, int], Fragment] = {}
        for layer in range(self.layers):
            reduction = layer in (self.layers // 3, 2 * self.layers // 3)
            channels *= 1 + reduction
            side = shapes[1][1]
            cell = Assembly()
            inputs = (~0, ~0) if layer == 0 else (~1, ~0)
            states = [cell.append(self._prepare(*shapes[i], channels, side), inputs[i]) for i in (0, 1)]
            body = bodies.get((reduction, channels))
            if body is None:
                body = bodies[reduction, channels] = self._body(genotype[reduction], channels, side, reduction)
            pieces.append(cell.finish(cell.append(body, *states)).piece)
            shapes = [shapes[1], (NODES * channels, side // 2 if reduction else side)]
        width, side = shapes[1]
        pieces.append(self._cache.get("head", lambda b, x: classifier(b, x, _CLASSES), (1, width, side, side)).piece)
        return chain(pieces, _names(self.layers), table, f"{self.name}/{format_genotype(genotype)}")

    def _prepare(self, before: int, side: int, channels: int, wanted: int) -> Fragment:
        """What brings a cell's input to its channels and resolution."""
        key = ("prepare", before, side, channels, wanted)
        found = self._cache.find(key)
        if found is None:
            shape = (1, before, side, side)
            if side == wanted:
                found = self._cache.get(key, lambda b, x: relu_conv_bn(b, x, channels, 1), shape)
            else:
                found = self._cache.get(key, lambda b, x: factorized_reduce(b, x, channels), shape)
        return found

    def _body(self, edges: Edges, channels: int, side: int, reduction: bool) -> Fragment:
        """A cell behind the preparation of its two inputs."""
        cell = Assembly()
        states = [~0, ~1]
        half = side // 2 if reduction else side
        shape = (1, channels, half, half)
        total = self._cache.get(("add", shape), lambda b, x, y: b.add("Add", x, y), shape, shape)
        for node in range(NODES):
            terms = []
            for source, op in edges[2 * node : 2 * node + 2]:
                stride = 2 if reduction and source < 2 else 1
                terms.append(
                    cell.append(self._operator(op, channels, side if source < 2 else half, stride), states[source])
                )
            states.append(cell.append(total, *terms))
        key = ("concat", shape)
        joined = self._cache.get(key, lambda b, *xs: b.add("Concat", *xs, axis=1), *[shape] * NODES)
        return cell.finish(cell.append(joined, *states[2:]))

    def _operator(self, op: int, channels: int, side: int, stride: int) -> Fragment:
        key = (op, channels, side, stride)
        return self._cache.find(key) or self._cache.get(
            key, lambda b, x: _BLOCKS[op](b, x, stride), (1, channels, side, side)
        )


@functools.lru_cache(maxsize=128)
def _names(layers: int) -> tuple[str, ...]:
    return ("stem", *(f"cell_{i}" for i in range(1, layers + 1)), "head")


def _sample_cell(rng: np.random.Generator) -> Edges:
    edges: list[tuple[int, int]] = []
    for node in range(2, 2 + NODES):
        sources = sorted(rng.choice(node, size=2, replace=False).tolist())
        edges += zip(sources, rng.integers(len(OPERATIONS), size=2).tolist(), strict=True)
    return tuple(edges)


def _replaced(genotype: Genotype, cell: int, place: int, edge: tuple[int, int]) -> Genotype:
    edges = list(genotype[cell])
    edges[place] = edge
    first = place - place % 2
    edges[first : first + 2] = sorted(edges[first : first + 2])
    return (tuple(edges), genotype[1]) if cell == 0 else (genotype[0], tuple(edges))


def _other_operators(genotype: Genotype) -> Iterator[Genotype]:
    for cell in (0, 1):
        for place, (source, old) in enumerate(genotype[cell]):
            for op in range(len(OPERATIONS)):
                if op != old:
                    yield _replaced(genotype, cell, place, (source, op))


def _other_inputs(genotype: Genotype) -> Iterator[Genotype]:
    for cell in (0, 1):
        edges = genotype[cell]
        for place, (_, op) in enumerate(edges):
            first = place - place % 2
            taken = {edges[first][0], edges[first + 1][0]}
            for source in range(2 + place // 2):
                if source not in taken:
                    yield _replaced(genotype, cell, place, (source, op))


SPACE = NasBench301
