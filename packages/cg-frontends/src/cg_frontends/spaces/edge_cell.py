"""Cells of four nodes whose six edges carry operators, as in NAS-Bench-201 and TransNAS-Bench-101."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from cg_frontends.spaces.fragments import Assembly, Fragment

#: The edges (source, target) of a cell, in the order of the architecture strings.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def pruned(ops: Sequence[str], none: str) -> tuple[str, ...]:
    """The operators of a cell, ``none`` for those that do not lie on a way from its input to its output."""
    used = _USED[tuple([op != none for op in ops])]
    return tuple([op if keep else none for op, keep in zip(ops, used)])  # noqa: B905 - both have six


def _used(present: tuple[bool, ...]) -> tuple[bool, ...]:
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


_USED = {present: _used(present) for present in itertools.product((False, True), repeat=len(EDGES))}


def wire(blocks: Sequence[str | None], none: str, part: Callable[[str, int, int], Fragment]) -> Fragment:
    """A cell in canonical form: a node is the sum of its edges, nested sums that have one reader are one.

    Args:
        blocks: name of the block on each edge; '' where the edge passes its source on unchanged, None where there is no edge.
        none: name of the block that the whole cell is where no edge leads to its output.
        part: ``part(block, edge, inputs)`` is the fragment of a block (``sum_2``, ``sum_3``, ... for sums; of edge -1 where it is on
            none) with so many inputs.
    """
    cell = Assembly()
    values: dict[int, int] = {0: ~0}
    sums: dict[int, list[int]] = {}
    for target in (1, 2, 3):
        terms: list[int] = []
        for edge, (source, end) in enumerate(EDGES):
            block = blocks[edge]
            if end != target or block is None:
                continue
            if block:
                terms.append(cell.append(part(block, edge, 1), values[source]))
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
            values[target] = cell.append(part(f"sum_{len(terms)}", -1, len(terms)), *terms)
    return cell.finish(values[3] if 3 in values else cell.append(part(none, -1, 1), ~0))
