"""Schedule for passes over many directed acyclic graphs at once.

A pass walks a batch of graphs in topological order (or in the opposite order) and computes, for every node, a state from
the states of its inputs. Most nodes have one input that feeds nothing else, and along such a chain a state that changes
affinely can be carried in one step. The plan therefore contracts every maximal chain into one *segment*:

* a node **continues** the segment of its input when it has exactly one input and is that input's only consumer;
* every other node starts a segment.

Segments with the same sequence of signatures have the same **type**, so whatever a segment does to a state is computed once for
each type and looked up. Segments are numbered level by level (a level is the longest distance from a source), and
within a level by falling number of inputs, so that slot ``j`` of the inputs of a level is a prefix of that level: a pass is
then a short sequence of dense array operations, whatever the number of graphs.

Nodes that no network input reaches (parameters, constants and what is computed from them alone) are left out, as are the
edges from them; a graph whose outputs no input reaches keeps all its nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.hashing import splitmix64

_NODES_AT_ONCE = 100_000

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """One level of a pass: the segments ``lo:hi``, and per input slot a slice of edges.

    ``slots[j]`` is ``(first_edge, last_edge)``: the j-th inputs of the segments ``lo : lo + last_edge - first_edge``.
    """

    lo: int
    hi: int
    slots: tuple[tuple[int, int], ...]

    @property
    def joins(self) -> int:
        """How many segments of the step, from ``lo`` on, have at least two inputs."""
        return self.slots[1][1] - self.slots[1][0] if len(self.slots) > 1 else 0

    @property
    def joined(self) -> list[slice]:
        """Per input slot, the edges into those segments."""
        return [slice(first, min(last, first + self.joins)) for first, last in self.slots]


@dataclass(frozen=True)
class Flow:
    """A direction of a pass: edges in processing order, and the steps.

    The segments have numbers of their own in each direction. ``source[e]`` feeds ``target[e]``; ``edge`` gives for every edge its
    position among the forward edges, ``segment`` for every segment its forward number.
    """

    source: Ints
    target: Ints
    steps: tuple[Step, ...]
    edge: Ints
    segment: Ints


@dataclass(frozen=True)
class Plan:
    """The contracted batch. Array lengths: S segments, E edges between segments, T types.

    Attributes:
        n_graphs: number of graphs in the batch.
        graph: graph of each segment (S,).
        type: type of each segment (S,).
        sequence: signature rows of each type, padded with -1 (T, longest).
        length: number of nodes of each type (T,).
        join: whether the first node of the type has two or more inputs (T,).
        forward: the edges and steps along the data flow.
        head, tail: first and last node of each segment, as node numbers of the batch (S,).
        level: longest distance from a source, in segments (S,).
    """

    n_graphs: int
    graph: Ints
    type: Ints
    sequence: Ints
    length: Ints
    join: NDArray[np.bool_]
    forward: Flow
    head: Ints
    tail: Ints
    level: Ints

    def __len__(self) -> int:
        return len(self.graph)

    @cached_property
    def indegree(self) -> Ints:
        """Number of inputs of each segment (S,)."""
        return np.bincount(self.forward.target, minlength=len(self))

    @cached_property
    def outdegree(self) -> Ints:
        """Number of consumers of each segment (S,)."""
        return np.bincount(self.forward.source, minlength=len(self))

    @cached_property
    def sources(self) -> Ints:
        """Segments without inputs."""
        return np.flatnonzero(self.indegree == 0)

    @cached_property
    def sinks(self) -> Ints:
        """Segments without consumers."""
        return np.flatnonzero(self.outdegree == 0)

    @cached_property
    def backward(self) -> Flow:
        """The edges and steps against the data flow (levels in falling order)."""
        depth = int(self.level.max(initial=-1)) + 1
        return _flow(self.forward.target, self.forward.source, depth - 1 - self.level)

    def along(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Positions inside segments: ``(k, types, codes)`` for the types that have a k-th node, first to last."""
        for k in range(self.sequence.shape[1]):
            types = np.flatnonzero(self.length > k)
            yield k, types, self.sequence[types, k]


def compile_plan(batch: Any, is_input: NDArray[np.bool_]) -> Plan:
    """Contract a batch and put its segments in order.

    Args:
        batch: ``cg_ir.batch(graphs)``: ``codes`` (N,), ``indptr`` (N + 1,), ``indices``, ``graph_index`` (N,), ``node_offsets``.
        is_input: per signature row, whether it is a network input.
    """
    codes = np.asarray(batch.codes, dtype=np.int64)
    graph_of = np.asarray(batch.graph_index, dtype=np.int64)
    n_graphs = len(batch.node_offsets) - 1
    n = len(codes)
    source = np.asarray(batch.indices, dtype=np.int64)
    degree = np.diff(batch.indptr)
    target = np.repeat(np.arange(n), degree)

    live = _live_nodes(source, target, degree, is_input[codes], graph_of, n_graphs)
    if not live.all():
        keep = live[source] & live[target]
        source, target = source[keep], target[keep]
    indegree = np.bincount(target, minlength=n)
    outdegree = np.bincount(source, minlength=n)

    # chains
    only_input = np.zeros(n, dtype=np.int64)
    only_input[target] = source  # meaningful where indegree == 1
    continues = (indegree == 1) & (outdegree[only_input] == 1)
    following = np.full(n, -1, dtype=np.int64)
    inner = np.flatnonzero(continues)
    following[only_input[inner]] = inner
    heads = np.flatnonzero(live & ~continues)
    segment_of, tails, lengths, digest = _walk_chains(heads, following, codes, indegree)

    # edges between segments enter at heads
    entering = ~continues[target]
    source, target = segment_of.take(source[entering]), segment_of.take(target[entering])

    level = _levels(source, target, len(heads))
    flow = _flow(source, target, level)
    order = flow.segment
    heads, tails, digest, lengths, level = heads[order], tails[order], digest[order], lengths[order], level[order]
    # from here on forward numbers
    forward = Flow(flow.source, flow.target, flow.steps, np.arange(len(flow.source)), np.arange(len(heads)))

    _, first, kind = np.unique(digest, return_index=True, return_inverse=True)
    sequence = np.full((len(first), int(lengths.max(initial=0))), -1, dtype=np.int64)
    length = lengths[first]
    current = heads[first]
    for k in range(sequence.shape[1]):
        at = np.flatnonzero(length > k)
        sequence[at, k] = codes[current[at]]
        current[at] = following[current[at]]
    return Plan(
        n_graphs, graph_of[heads], kind, sequence, length, indegree[heads[first]] > 1, forward, heads, tails, level
    )


def _live_nodes(
    source: Ints, target: Ints, degree: Ints, is_input: NDArray[np.bool_], graph_of: Ints, n_graphs: int
) -> NDArray[np.bool_]:
    """Nodes that some network input reaches; all nodes of a graph of which no sink is reached."""
    n = len(degree)
    dead = (degree == 0) & ~is_input
    fresh = np.flatnonzero(dead)
    if not len(fresh):
        return ~dead
    missing = degree.copy()
    while len(fresh):
        on = np.zeros(n, dtype=bool)
        on[fresh] = True
        hit = target[on[source]]
        missing -= np.bincount(hit, minlength=n)
        hit = np.unique(hit)
        fresh = hit[(missing[hit] == 0) & ~dead[hit]]
        dead[fresh] = True
    sink = np.ones(n, dtype=bool)
    sink[source] = False
    reached = np.bincount(graph_of[sink & ~dead], minlength=n_graphs) > 0
    return ~dead | ~reached[graph_of]


def _walk_chains(
    heads: Ints, following: Ints, codes: Ints, indegree: Ints
) -> tuple[Ints, Ints, Ints, NDArray[np.uint64]]:
    """Segment of every node (-1 for none), tail and length of every segment, and a 64-bit digest of its signatures."""
    segment_of = np.full(len(codes), -1, dtype=np.int64)
    segment_of[heads] = np.arange(len(heads))
    tails = heads.copy()
    lengths = np.ones(len(heads), dtype=np.int64)
    digest = splitmix64(
        codes[heads].astype(np.uint64) * np.uint64(4) + np.minimum(indegree[heads], 2).astype(np.uint64)
    )
    active = np.flatnonzero(following[heads] >= 0)
    current = following[heads[active]]
    while len(active):
        segment_of[current] = active
        tails[active] = current
        lengths[active] += 1
        digest[active] = splitmix64(digest[active] ^ (codes[current].astype(np.uint64) + np.uint64(1)))
        current = following[current]
        more = current >= 0
        active, current = active[more], current[more]
    return segment_of, tails, lengths, digest


def _levels(source: Ints, target: Ints, n: int) -> Ints:
    """Longest distance of every segment from a source, by peeling off those whose inputs are done."""
    level = np.zeros(n, dtype=np.int64)
    missing = np.bincount(target, minlength=n)
    outdegree = np.bincount(source, minlength=n)
    start = np.concatenate([[0], np.cumsum(outdegree)])
    consumer = target.take(_order(source))
    stamp = np.empty(n, dtype=np.int64)
    frontier = np.flatnonzero(missing == 0)
    depth = 0
    while len(frontier):
        level[frontier] = depth
        count = outdegree[frontier]
        total = int(count.sum())
        first = np.repeat(start.take(frontier) - np.cumsum(count) + count, count)
        hit = consumer.take(first + np.arange(total))
        np.subtract.at(missing, hit, 1)
        ready = hit[missing[hit] == 0]
        stamp[ready] = np.arange(len(ready))
        frontier = ready[stamp[ready] == np.arange(len(ready))]
        depth += 1
    return level


def _order(key: Ints) -> Ints:
    """The stable order of numbers from 0 to below 2^32, 16 bits at a time: numpy counts such small numbers instead of comparing them."""
    order = np.argsort((key & 0xFFFF).astype(np.uint16), kind="stable")
    if key.max(initial=0) > 0xFFFF:
        order = order.take(np.argsort((key >> 16).astype(np.uint16).take(order), kind="stable"))
    return order


def _flow(source: Ints, target: Ints, level: Ints) -> Flow:
    """Number the segments by level and falling indegree, and the edges by level, slot and target."""
    n = len(level)
    indegree = np.bincount(target, minlength=n)
    widest = int(indegree.max(initial=0))
    segment = _order(level * (widest + 1) + (widest - indegree))
    number = np.empty(n, dtype=np.int64)
    number[segment] = np.arange(n)
    source, target = number.take(source), number.take(target)

    # slot of an edge: its place among the edges with the same target
    by_target = _order(target)
    sorted_target = target.take(by_target)
    level = level.take(segment)
    begin = np.concatenate([[0], np.cumsum(indegree.take(segment))])[:-1]
    slot = np.arange(len(target)) - begin.take(sorted_target)
    key = level.take(sorted_target) * max(widest, 1) + slot
    order = by_target.take(_order(key))
    source, target = source.take(order), target.take(order)

    depth = int(level.max(initial=-1)) + 1
    counts = np.bincount(key, minlength=depth * max(widest, 1)).reshape(depth, max(widest, 1))
    ends = np.cumsum(counts.ravel()).reshape(counts.shape)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(level, minlength=depth))])
    steps = tuple(
        Step(
            int(bounds[d]),
            int(bounds[d + 1]),
            tuple((int(e - c), int(e)) for c, e in zip(counts[d], ends[d], strict=True) if c),
        )
        for d in range(depth)
    )
    return Flow(source, target, steps, order, segment)


def at_once(graphs: Sequence[Any]) -> Iterator[slice]:
    """Parts of a list of graphs whose tables fit the memory: 100,000 nodes together at most, one graph at least."""
    begin = held = 0
    for place, graph in enumerate(graphs):
        if place > begin and held + len(graph) > _NODES_AT_ONCE:
            yield slice(begin, place)
            begin, held = place, 0
        held += len(graph)
    if len(graphs):
        yield slice(begin, len(graphs))
