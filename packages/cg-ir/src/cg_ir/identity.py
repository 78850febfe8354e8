"""Which of many graphs are the same network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.batch_hashing import hash_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_ir.graph import Graph

__all__ = ["distinct"]


def _written(graph: Graph) -> tuple[Any, ...]:
    """Equal for graphs that are alike node by node, which spares their hashes."""
    arrays = (graph.codes.tobytes(), graph.indptr.tobytes(), graph.indices.tobytes())
    return (id(graph.signatures), *arrays, *sorted(graph.weight_keys.items()))


def distinct(graphs: Sequence[Graph]) -> tuple[list[int], NDArray[np.intp]]:
    """The different networks among graphs: those of different hashes.

    Returns:
        where each of them comes first, and the place of each graph in this list, (len(graphs),).
    """
    written: dict[tuple[Any, ...], int] = {}
    spelling = [written.setdefault(_written(graph), i) for i, graph in enumerate(graphs)]
    firsts = list(written.values())
    number: dict[str, int] = {}
    place = {
        i: number.setdefault(h, len(number)) for i, h in zip(firsts, hash_all([graphs[i] for i in firsts]), strict=True)
    }
    kept: dict[int, int] = {}
    for i, network in place.items():
        kept.setdefault(network, i)
    return list(kept.values()), np.array([place[i] for i in spelling], dtype=np.intp)
