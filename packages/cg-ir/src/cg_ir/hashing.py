"""The identity of a graph: a colour refinement along the data flow and against it.

A node's first colour stands for its operator, attributes and output shape. One pass in topological order mixes into it the colours of its
inputs (in order, or as a multiset where they commute) and so stands for everything upstream; one pass back mixes in the consumers and
so stands for everything downstream. Passes alternate until one of them tells no more nodes apart than the one before. Weight
sharing enters as the multiset of colours that share. Isomorphic graphs have equal digests. The converse holds for all but contrived
graphs (see docs/format.md); :func:`cg_ir.equal` decides exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HASH_VERSION", "MULTIPLIERS", "digest", "refine"]

#: Prefix of every digest; changes with the algorithm.
HASH_VERSION = "cg1"

_MASK = 0xFFFFFFFFFFFFFFFF
_A = 0x9E3779B97F4A7C15
_B = 0xD6E8FEB86659FD93
_C = 0xA24BAED4963EE407
#: The odd multipliers of the colour mixing.
MULTIPLIERS = (_A, _B, _C)


def _mix(x: int) -> int:
    x = ((x ^ (x >> 32)) * _B) & _MASK
    return x ^ (x >> 29)


def _forward(colours: list[int], inputs: Sequence[Sequence[int]], commutes: Sequence[bool]) -> list[int]:
    result: list[int] = []
    append = result.append
    for colour, ins, free in zip(colours, inputs, commutes):  # noqa: B905 - lengths agree; strict= costs time here
        if len(ins) == 1:
            x = colour * _A + result[ins[0]]
        elif free:
            total = 0
            for i in ins:
                y = result[i]
                y = ((y ^ (y >> 31)) * _C) & _MASK
                total += y ^ (y >> 30)
            x = colour * _A + total
        else:
            x = colour * _A
            for i in ins:
                x = (x * _C + result[i] + 1) & _MASK
                x ^= x >> 31
        x &= _MASK
        x = ((x ^ (x >> 32)) * _B) & _MASK
        append(x ^ (x >> 29))
    return result


def _backward(colours: list[int], inputs: Sequence[Sequence[int]], commutes: Sequence[bool]) -> list[int]:
    n = len(colours)
    above = [0] * n
    result = [0] * n
    for i in range(n - 1, -1, -1):
        x = (colours[i] * _A + above[i]) & _MASK
        x = ((x ^ (x >> 32)) * _B) & _MASK
        x ^= x >> 29
        result[i] = x
        ins = inputs[i]
        if len(ins) == 1:
            y = ((x ^ (x >> 31)) * _C) & _MASK
            above[ins[0]] += y ^ (y >> 30)
        elif commutes[i]:
            y = ((x ^ (x >> 31)) * _C) & _MASK
            y ^= y >> 30
            for p in ins:
                above[p] += y
        else:
            for place, p in enumerate(ins, 1):
                y = (x + place * _A) & _MASK
                y = ((y ^ (y >> 31)) * _C) & _MASK
                above[p] += y ^ (y >> 30)
    return result


def _share(colours: list[int], groups: Mapping[str, Sequence[int]]) -> list[int]:
    result = list(colours)
    for members in groups.values():
        total = sum(_mix((colours[i] + _C) & _MASK) for i in members) & _MASK
        for i in members:
            result[i] = _mix((colours[i] * _A + total) & _MASK)
    return result


def refine(
    labels: list[int], inputs: Sequence[Sequence[int]], commutes: Sequence[bool], groups: Mapping[str, Sequence[int]]
) -> list[int]:
    """Stable colours of the nodes, 64-bit integers that depend on the structure alone.

    Args:
        labels: first colour of each node.
        inputs: the earlier nodes that each node reads.
        commutes: whether the order of a node's inputs means nothing.
        groups: the nodes that share weights, by key.
    """
    n = len(labels)
    colours, classes = labels, 0
    for turn in range(n + 2):
        if groups:
            colours = _share(colours, groups)
        colours = _backward(colours, inputs, commutes) if turn % 2 else _forward(colours, inputs, commutes)
        found = len(set(colours))
        # the first pass back always runs: the digest covers both directions
        if turn and found in (n, classes):
            break
        classes = found
    return colours


def digest(colours: Sequence[int] | NDArray[np.uint64]) -> str:
    """The graph's hash from its nodes' stable colours, any order."""
    data = np.sort(np.array(colours, dtype="<u8")).tobytes()
    return f"{HASH_VERSION}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"
