"""Fragments: pieces of a graph that are built once, in canonical form, and then wired and tiled by array arithmetic.

The networks of a search space repeat a few blocks. A block goes once through :class:`cg_ir.GraphBuilder`, which checks its shapes and
brings it into canonical form; what remains is a list of signature codes and the wiring between them. An :class:`Assembly` wires such
fragments into a cell, :func:`chain` puts cells one after the other into a network. Nothing is inferred twice, so that a network of
several hundred nodes takes tens of microseconds.

Whoever wires fragments vouches that no canonical rule applies across their borders; tests compare with the plain construction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cg_frontends import __version__
from cg_ir import Graph, GraphBuilder
from cg_ir.signature import SignatureTable, shared_table

Shape = tuple[int, ...]
PRODUCER = {"name": "cg-frontends", "version": __version__}


@dataclass(frozen=True)
class Fragment:
    """A piece of a graph.

    Attributes:
        codes: signature code of each node.
        counts: number of inputs of each node.
        indices: inputs of all nodes, in order: positions in the fragment, or ``~k`` for what is wired to the fragment's input ``k``.
        output: position of the node whose value the fragment returns; ``~k`` where that is its input ``k`` itself.
    """

    codes: Sequence[int]
    counts: Sequence[int]
    indices: Sequence[int]
    output: int

    @cached_property
    def piece(self) -> Piece:
        """The same with arrays."""
        return Piece(
            np.array(self.codes, dtype=np.int32),
            np.array(self.counts, dtype=np.int32),
            np.array(self.indices, dtype=np.int32),
            self.output,
        )


class Piece(NamedTuple):
    """A fragment with int32 arrays, see :class:`Fragment`."""

    codes: NDArray[np.int32]
    counts: NDArray[np.int32]
    indices: NDArray[np.int32]
    output: int


def capture(build: Callable[..., int], *shapes: Shape) -> Fragment:
    """The fragment that ``build(builder, *inputs)`` adds to a builder whose inputs have these shapes.

    ``build`` returns the number of its result, or adds an ``Output`` itself and returns its number. Without shapes it adds the
    network's ``Input`` too.
    """
    b = GraphBuilder()
    last = build(b, *(b.input(shape) for shape in shapes))
    whole = b.records[last].op == "Output"
    if not whole:
        b.output(last)
    graph = b.build()
    place: dict[int, int] = {}
    codes: list[int] = []
    counts: list[int] = []
    indices: list[int] = []
    output = 0
    for i, (node, ins) in enumerate(zip(graph.nodes, graph.input_lists(), strict=True)):
        if node.op == "Input" and shapes:
            place[i] = ~int(node.attrs["index"])
        elif node.op == "Output" and not whole:
            output = place[ins[0]]
        else:
            place[i] = output = len(codes)
            codes.append(int(graph.codes[i]))
            counts.append(len(ins))
            indices += [place[j] for j in ins]
    return Fragment(codes, counts, indices, output)


class FragmentCache:
    """Fragments by key, built when first asked for; emptied when the process's signature table is replaced."""

    def __init__(self) -> None:
        self.table = shared_table()
        self._fragments: dict[object, Fragment] = {}

    def begin(self) -> SignatureTable:
        """Call before a graph is put together; returns the table that its codes refer to."""
        table = shared_table()
        if table is not self.table:
            self.table = table
            self._fragments = {}
        return table

    def find(self, key: object) -> Fragment | None:
        """A fragment that is already here."""
        return self._fragments.get(key)

    def put(self, key: object, fragment: Fragment) -> Fragment:
        """Keep a fragment that was assembled from others."""
        self._fragments[key] = fragment
        return fragment

    def get(self, key: object, build: Callable[..., int], *shapes: Shape) -> Fragment:
        """The fragment of a key, captured from ``build`` on first use."""
        fragment = self._fragments.get(key)
        return self.put(key, capture(build, *shapes)) if fragment is None else fragment


class Assembly:
    """Wires fragments together into a larger one. Its own inputs are ``~0``, ``~1``, ..."""

    __slots__ = ("codes", "counts", "indices")

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.counts: list[int] = []
        self.indices: list[int] = []

    def append(self, fragment: Fragment, *inputs: int) -> int:
        """Add a fragment that reads the nodes ``inputs``; returns its result."""
        base = len(self.codes)
        self.codes += fragment.codes
        self.counts += fragment.counts
        self.indices += [base + i if i >= 0 else inputs[~i] for i in fragment.indices]
        output = fragment.output
        return base + output if output >= 0 else inputs[~output]

    def finish(self, output: int) -> Fragment:
        """The whole as a fragment with this result."""
        return Fragment(self.codes, self.counts, self.indices, output)


def chain(pieces: Sequence[Piece], names: tuple[str, ...], table: SignatureTable, name: str) -> Graph:
    """The network of pieces one after the other.

    Input ``~0`` of a piece is the result of the piece before it, ``~1`` the result of the one before that. The first piece holds the
    ``Input``, the last the ``Output``.

    Args:
        pieces: at most 255, in order.
        names: region of each piece, all different.
        table: the table that the codes refer to.
        name: the graph's name.
    """
    codes = np.concatenate([p.codes for p in pieces])
    counts = np.concatenate([p.counts for p in pieces])
    indices = np.concatenate([p.indices for p in pieces])
    sizes = [len(p.codes) for p in pieces]
    starts: list[int] = []
    results: list[int] = []
    start = 0
    for piece, size in zip(pieces, sizes, strict=True):
        output = piece.output
        results.append(start + output if output >= 0 else results[output])
        starts.append(start)
        start += size
    outside = (indices < 0).nonzero()[0]
    of_piece = np.repeat(np.arange(len(pieces)), [len(p.indices) for p in pieces])
    back = indices[outside] + of_piece[outside]
    indices += np.array(starts, dtype=np.int32)[of_piece]
    indices[outside] = np.array(results, dtype=np.int32)[back]
    indptr = np.zeros(len(counts) + 1, dtype=np.int32)
    counts.cumsum(out=indptr[1:])
    regions = np.repeat(np.arange(len(pieces), dtype=np.uint8), sizes)
    return Graph(table, codes, indptr, indices, names, regions, None, name, PRODUCER)
