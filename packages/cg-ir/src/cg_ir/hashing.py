"""The identity of a graph: a colour refinement along the data flow and against it.

A node's first colour stands for its operator, attributes and output shape. One pass in topological order mixes into it the colours of its
inputs (in order, or as a multiset where they commute) and so stands for everything upstream; one pass back mixes in the consumers and
so stands for everything downstream. Passes alternate until one of them tells no more nodes apart than the one before. Weight
sharing enters as the multiset of colours that share. Isomorphic graphs have equal digests. The converse holds for all but contrived
graphs (see docs/format.md); :func:`cg_ir.equal` decides exactly.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Wiring(NamedTuple):
    """What each node reads, in the form that the passes run through fastest: most nodes read one other.

    Attributes:
        only: the one input of each node, -1 where there are none or several.
        others: for each node without one only input, in order: its inputs, and whether their order means nothing.
    """

    only: list[int]
    others: list[tuple[list[int], bool]]


def wiring(indptr: NDArray[np.int32], indices: NDArray[np.int32], codes: list[int], commutes: list[bool]) -> Wiring:
    """From the rows of a graph's inputs, the nodes' signatures and whether the inputs of a signature commute."""
    flat = indices.tolist()
    if not flat:
        return Wiring([-1] * len(codes), [([], False)] * len(codes))
    starts = indptr[:-1]
    only = indices.take(starts, mode="clip").tolist()
    several = (indptr[1:] - starts != 1).nonzero()[0]
    others = []
    for node, begin, end in zip(several.tolist(), indptr[several].tolist(), indptr[several + 1].tolist()):  # noqa: B905
        only[node] = -1
        others.append((flat[begin:end], commutes[codes[node]]))
    return Wiring(only, others)


def _forward(scaled: list[int], wires: Wiring) -> list[int]:
    """Colours that stand for everything upstream; ``scaled`` are the present ones times ``_A``."""
    b, c, mask = _B, _C, _MASK
    result: list[int] = []
    append = result.append
    others = iter(wires.others)
    for x, source in zip(scaled, wires.only):  # noqa: B905 - lengths agree; strict= costs time here
        if source >= 0:
            x = (x + result[source]) & mask
        else:
            ins, free = next(others)
            if free:
                for i in ins:
                    y = result[i]
                    y = ((y ^ (y >> 31)) * c) & mask
                    x += y ^ (y >> 30)
            else:
                for i in ins:
                    x = (x * c + result[i] + 1) & mask
                    x ^= x >> 31
            x &= mask
        x = ((x ^ (x >> 32)) * b) & mask
        append(x ^ (x >> 29))
    return result


def _backward(colours: list[int], wires: Wiring) -> list[int]:
    """Colours that stand for everything downstream."""
    a, b, c, mask = _A, _B, _C, _MASK
    above = [0] * len(colours)
    result: list[int] = []
    append = result.append
    others = iter(wires.others[::-1])
    for colour, source, x in zip(colours[::-1], wires.only[::-1], reversed(above)):  # noqa: B905
        x = (colour * a + x) & mask
        x = ((x ^ (x >> 32)) * b) & mask
        x ^= x >> 29
        append(x)
        if source >= 0:
            x = ((x ^ (x >> 31)) * c) & mask
            above[source] += x ^ (x >> 30)
            continue
        ins, free = next(others)
        if free:
            x = ((x ^ (x >> 31)) * c) & mask
            x ^= x >> 30
            for i in ins:
                above[i] += x
        else:
            for i in ins:
                x += a  # place by place
                y = x & mask
                y = ((y ^ (y >> 31)) * c) & mask
                above[i] += y ^ (y >> 30)
    result.reverse()
    return result


def _share(colours: list[int], groups: Mapping[str, Sequence[int]]) -> list[int]:
    result = list(colours)
    for members in groups.values():
        total = sum(_mix((colours[i] + _C) & _MASK) for i in members) & _MASK
        for i in members:
            result[i] = _mix((colours[i] * _A + total) & _MASK)
    return result


def scale(colours: Iterable[int]) -> list[int]:
    """The factors of colours in a pass forward."""
    return [colour * _A & _MASK for colour in colours]


def refine(
    scaled: list[int], wires: Wiring, labels: list[int] | None = None, groups: Mapping[str, Sequence[int]] | None = None
) -> list[int]:
    """Stable colours of the nodes, 64-bit integers that depend on the structure alone.

    Args:
        scaled: :func:`scale` of the first colour of each node.
        wires: what each node reads.
        labels, groups: where nodes share weights, the first colours and the nodes that share, by key.
    """
    if groups:
        assert labels is not None
        scaled = scale(_share(labels, groups))
    colours = _forward(scaled, wires)
    for turn in range(1, len(scaled) + 2):
        before = colours
        if groups:
            colours = _share(colours, groups)
        colours = _backward(colours, wires) if turn % 2 else _forward(scale(colours), wires)
        found = len(set(colours))
        # the first pass back always runs: the digest covers both directions
        if found == len(scaled) or found == len(set(before)):
            break
    return colours


def splitmix64(words: NDArray[np.uint64], increment: int = _A) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection of 64-bit words without visible structure.

    Args:
        words: any shape.
        increment: another one gives another bijection.
    """
    x = words + np.uint64(increment)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def digest(colours: Sequence[int] | NDArray[np.uint64]) -> str:
    """The graph's hash from its nodes' stable colours, any order."""
    known = np.array(colours if isinstance(colours, np.ndarray) else array("Q", colours), dtype="<u8")
    known.sort()
    return digest_sorted(known)


def digest_sorted(colours: NDArray[np.uint64]) -> str:
    """The graph's hash from its nodes' stable colours in rising order."""
    data = colours.astype("<u8", copy=False).tobytes()
    return f"{HASH_VERSION}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"
