"""The hashes of many graphs at once: the algorithm of :mod:`cg_ir.hashing` over their union.

Nodes are taken by their place: the first of every graph, then the second, and so on, which is a topological order of the union. Colours lie in
memory in that order, so that what happens at a place happens to neighbouring numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cg_ir.batching import Batch, batch, ranges
from cg_ir.graph import COMMUTES, Graph
from cg_ir.hashing import MULTIPLIERS, digest_sorted

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_A, _B, _C = (np.uint64(m) for m in MULTIPLIERS)
_ONE = np.uint64(1)
_S29, _S30, _S31, _S32 = (np.uint64(s) for s in (29, 30, 31, 32))
_PASSES = 6  # graphs that need more are rare and finish one by one
_FEW = 16  # fewer graphs are hashed one by one sooner than together
_NODES_AT_ONCE = 1_000_000


def hash_all(graphs: Sequence[Graph], *, batch_size: int = 4096) -> list[str]:
    """``graph.hash`` of every graph, computed together; the graphs keep theirs.

    Several times faster than one after the other for the small graphs of search spaces.
    """
    unknown = {id(graph.facts): graph for graph in graphs if "hash" not in graph.facts}
    waiting = sorted((graph for graph in unknown.values() if not graph.weight_keys and len(graph)), key=len)
    begin = 0 if len(waiting) >= _FEW else len(waiting)
    while begin < len(waiting):
        end = begin + max(1, min(batch_size, _NODES_AT_ONCE // len(waiting[begin])))
        _hash_batch(waiting[begin:end])
        begin = end
    return [graph.hash for graph in graphs]


class _Place(NamedTuple):
    """The nodes ``start:end`` at one place: up to ``several`` they read one other, up to ``ordered`` several that commute, then none or several in order.

    ``rows`` are those that commute among all such nodes of the union, ``edges`` their inputs among those of all such nodes; ``most`` is the largest number of
    inputs in order.
    """

    start: int
    several: int
    ordered: int
    end: int
    rows: slice
    edges: slice
    most: int


class _Schedule:
    """The nodes of a union in the order in which a pass forward visits them, and by these numbers what they read.

    Attributes:
        order: the union's own number of each node, (nodes,); ``number`` is the inverse.
        counts, first: inputs of each node, and where they begin in ``inputs``, (nodes,).
        inputs: (edges,).
        only: the first input, of nodes that have any, (nodes,).
        free: inputs of the nodes that read several that commute; ``starts`` and ``sizes`` of each of these.
        places: in order.
    """

    def __init__(self, union: Batch) -> None:
        counts = np.diff(union.indptr)
        commutes = COMMUTES[union.signatures.op_codes[union.codes]]
        place = np.arange(len(counts)) - np.repeat(union.node_offsets[:-1], np.diff(union.node_offsets))
        key = place * 3 + np.where(counts == 1, 0, np.where((counts > 1) & commutes, 1, 2))
        n_keys = 3 * (int(place.max()) + 1)
        self.order = order = np.argsort(key.astype(np.min_scalar_type(n_keys)), kind="stable")
        self.number = np.empty(len(order), dtype=np.int64)
        self.number[order] = np.arange(len(order))
        self.inputs = self.number.take(union.indices)
        self.counts, self.first = counts.take(order), union.indptr.take(order)
        self.only = self.inputs.take(self.first, mode="clip") if len(self.inputs) else self.number
        kind = key.take(order) % 3
        free = np.flatnonzero(kind == 1)
        self.sizes = self.counts[free]
        self.free = self.inputs[ranges(self.first[free], self.first[free] + self.sizes)]
        ends = np.concatenate([[0], np.cumsum(self.sizes)])
        self.starts = ends[:-1]
        bounds = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=n_keys))])
        rows = np.searchsorted(free, bounds)
        most = np.maximum.reduceat(np.where(kind == 2, self.counts, 0), bounds[:-1:3])
        self.places = []
        for i in range(0, n_keys, 3):
            start, several, ordered, end = bounds[i : i + 4].tolist()
            first, last = int(rows[i + 1]), int(rows[i + 2])
            edges = slice(int(ends[first]), int(ends[last]))
            self.places.append(_Place(start, several, ordered, end, slice(first, last), edges, int(most[i // 3])))

    def in_order(self, place: _Place) -> Iterator[tuple[Ints, Ints]]:
        """First, second, ... inputs in order: the nodes that have one, and those inputs."""
        for slot in range(place.most):
            nodes = np.flatnonzero(self.counts[place.ordered : place.end] > slot) + place.ordered
            yield nodes, self.inputs[self.first[nodes] + slot]


def _finish(x: Words) -> Words:
    """Changes ``x``, as does `_spread`."""
    x ^= x >> _S32
    x *= _B
    x ^= x >> _S29
    return x


def _spread(x: Words) -> Words:
    x ^= x >> _S31
    x *= _C
    x ^= x >> _S30
    return x


def _forward(colours: Words, schedule: _Schedule) -> Words:
    result = colours * _A
    for place in schedule.places:
        start, several, ordered, end, rows, edges, _ = place
        if several > start:
            result[start:several] += result.take(schedule.only[start:several])
        if ordered > several:
            starts = schedule.starts[rows] - edges.start
            result[several:ordered] += np.add.reduceat(_spread(result.take(schedule.free[edges])), starts)
        for nodes, read in schedule.in_order(place):
            x = result[nodes] * _C + result[read] + _ONE
            result[nodes] = x ^ (x >> _S31)
        _finish(result[start:end])
    return result


def _backward(colours: Words, schedule: _Schedule) -> Words:
    result = colours * _A  # plus what consumers push
    for place in reversed(schedule.places):
        start, several, ordered, end, rows, edges, _ = place
        _finish(result[start:end])
        pushed = _spread(result[start:ordered].copy())
        if several > start:  # of different graphs, so none is read twice
            result[schedule.only[start:several]] += pushed[: several - start]
        if ordered > several:
            np.add.at(result, schedule.free[edges], np.repeat(pushed[several - start :], schedule.sizes[rows]))
        for slot, (nodes, read) in enumerate(schedule.in_order(place)):
            result[read] += _spread(result[nodes] + np.uint64((slot + 1) * MULTIPLIERS[0] % 2**64))
    return result


def neighbourhood_colours(union: Batch) -> Words:
    """One colour a node for its signature and the multiset of its inputs' signatures, (nodes,).

    The first round of Weisfeiler and Leman's refinement, along the data flow; the same in every process.
    """
    labels = np.array(union.signatures.labels, dtype=np.uint64)[union.codes]
    reads = np.flatnonzero(np.diff(union.indptr))
    total = np.zeros_like(labels)
    total[reads] = np.add.reduceat(_spread(labels[union.indices]), union.indptr[reads]) if len(reads) else 0
    return _finish(labels * _A + total)


def _sorted_colours(colours: Words, sizes: Ints) -> Iterator[Words]:
    """The colours of each graph in rising order, as one matrix for each run of graphs of one size."""
    run = np.flatnonzero(np.diff(sizes, prepend=0))
    for size, count in zip(sizes[run].tolist(), np.diff(run, append=len(sizes)).tolist(), strict=True):
        part, colours = colours[: size * count].reshape(count, size), colours[size * count :]
        part.sort(axis=1)
        yield part


def _hash_batch(graphs: Sequence[Graph]) -> None:
    """Hash graphs that are in order of their sizes."""
    union = batch(graphs)
    schedule = _Schedule(union)
    colours = np.array(union.signatures.labels, dtype=np.uint64)[union.codes.take(schedule.order)]
    sizes = np.diff(union.node_offsets)
    classes = np.zeros(len(graphs), dtype=np.int64)
    open_ = np.ones(len(graphs), dtype=bool)
    for turn in range(_PASSES):
        colours = (_backward if turn % 2 else _forward)(colours, schedule)
        parts = list(_sorted_colours(colours.take(schedule.number), sizes))
        found = np.concatenate([1 + np.count_nonzero(part[:, 1:] != part[:, :-1], axis=1) for part in parts])
        if turn:
            done = open_ & ((found == sizes) | (found == classes))
            rows = [row for part in parts for row in part]
            for index in np.flatnonzero(done).tolist():
                graphs[index].facts["hash"] = digest_sorted(rows[index])
            open_ &= ~done
            if not open_.any():
                return
        classes = found
