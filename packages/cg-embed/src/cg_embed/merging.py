"""Nodes whose inputs look alike as far as messages reach are one node to a graph network: computed once for a batch.

After l rounds of messages along the edges, a node's state depends on the tree that unfolds from it l edges deep. In a batch of graphs of one family most of
these trees occur many times: cells repeat, and so do stems. `merge` finds, round by round, one class for each distinct tree, and the
edges between the classes of successive rounds; a layer then computes one state a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.batching import ranges
from cg_ir.hashing import splitmix64

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
#: Odd constants that tell inputs from consumers and rounds of messages from each other.
_INPUTS, _CONSUMERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Round:
    """The classes after one round, C of them, in terms of the B classes before.

    Attributes:
        before: class before of each class (C,).
        inputs: edges from classes before to classes (2, E), sorted by the second row, as often as a node has such inputs.
        consumers: likewise for messages against the edges; empty where none flow.
        node: class of each node (N,).
    """

    before: Ints
    inputs: Ints
    consumers: Ints
    node: Ints


def merge(kind: Ints, indptr: NDArray[Any], indices: NDArray[Any], rounds: int, both_ways: bool = False) -> list[Round]:
    """Classes of nodes, round by round.

    Classes are told apart by 64-bit digests of the trees: the chance that two of a million trees share one is below 1e-7.

    Args:
        kind: what is known of each node before the first message, numbered from 0, (N,).
        indptr, indices: inputs of each node, as in `cg_ir.Graph`; several graphs side by side.
        rounds: of messages.
        both_ways: whether messages flow against the edges too.
    """
    n = len(kind)
    source = np.asarray(indices, dtype=np.int64)
    first = np.asarray(indptr, dtype=np.int64)
    order = np.argsort(source, kind="stable") if both_ways else source[:0]
    target = np.repeat(np.arange(n), np.diff(first))
    out_first = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]) if both_ways else first[:1]
    digest = splitmix64(np.asarray(kind).astype(np.uint64))
    node = np.asarray(kind, dtype=np.int64)
    result = []
    for _ in range(rounds):
        following = splitmix64(digest + _INPUTS * _sums(splitmix64(digest ^ _INPUTS)[source], first))
        if both_ways:
            following = splitmix64(
                following + _CONSUMERS * _sums(splitmix64(digest ^ _CONSUMERS)[target[order]], out_first)
            )
        _, example, place = np.unique(following, return_index=True, return_inverse=True)
        inputs = _edges(example, first, source, node)
        consumers = _edges(example, out_first, target[order], node) if both_ways else np.zeros((2, 0), dtype=np.int64)
        result.append(Round(node[example], inputs, consumers, place))
        node, digest = place, following
    return result


def _edges(example: Ints, first: Ints, neighbour: Ints, node: Ints) -> Ints:
    """Edges of the examples: from the classes of their neighbours to the examples' numbers."""
    begin, end = first[example], first[example + 1]
    return np.stack([node[neighbour[ranges(begin, end)]], np.repeat(np.arange(len(example)), end - begin)])


def _sums(values: Words, first: Ints) -> Words:
    """Sums of ``values[first[i] : first[i + 1]]``, modulo 2^64."""
    total = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(values, dtype=np.uint64)])
    return np.asarray(total[first[1:]] - total[first[:-1]])
