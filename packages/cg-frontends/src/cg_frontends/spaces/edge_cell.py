"""Cells of four nodes whose six edges carry operators, as in NAS-Bench-201 and TransNAS-Bench-101."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

#: The edges (source, target) of a cell, in the order of the architecture strings.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def reaching(present: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which of the edges that are present lie on a way from the cell's input to its output."""
    return _REACHING[present]


def _reaching(present: tuple[bool, ...]) -> tuple[bool, ...]:
    reached, needed = {0}, {3}
    for (source, target), here in zip(EDGES, present, strict=True):
        if here and source in reached:
            reached.add(target)
    for (source, target), here in reversed(list(zip(EDGES, present, strict=True))):
        if here and target in needed:
            needed.add(source)
    return tuple(
        here and source in reached and target in needed for (source, target), here in zip(EDGES, present, strict=True)
    )


_REACHING = {present: _reaching(present) for present in itertools.product((False, True), repeat=len(EDGES))}


def wire(blocks: Sequence[str | None], add: Callable[..., int]) -> int | None:
    """Add the cell's blocks in canonical form: a node is the sum of its edges, nested sums that have one reader are one.

    Args:
        blocks: name of the block on each edge; '' where the edge passes its source on unchanged, None where there is no edge.
        add: ``add(block, edge, *inputs)`` adds a block (``sum_2``, ``sum_3``, ... for sums, of edge -1) and returns its position; the cell's
            input is ``~0``.

    Returns:
        The position of the cell's result; None where no edge leads to it.
    """
    values: dict[int, int] = {0: ~0}
    sums: dict[int, list[int]] = {}
    for target in (1, 2, 3):
        terms: list[int] = []
        for edge, (source, end) in enumerate(EDGES):
            block = blocks[edge]
            if end != target or block is None:
                continue
            if block:
                terms.append(add(block, edge, values[source]))
            elif source in sums:
                terms += sums[source]
            else:
                terms.append(values[source])
        if len(terms) == 1:
            values[target] = terms[0]
        elif terms and target == 2 and blocks[5] == "":
            # one sum with that of node 3, whose only reader it is; its own value where node 3 has no other term
            sums[2] = terms
            values[2] = ~0
        elif terms:
            values[target] = add(f"sum_{len(terms)}", -1, *terms)
    return values.get(3)
