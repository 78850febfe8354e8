"""Which graphs are the same network, and networks that are built once though they have several spellings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from cg_ir.batch_hashing import hash_all
from cg_ir.graph import Graph


def _written(graph: Graph) -> tuple[Any, ...]:
    """Equal for graphs that are alike node by node, which spares their hashes."""
    arrays = (graph.codes.tobytes(), graph.indptr.tobytes(), graph.indices.tobytes())
    return (id(graph.signatures), *arrays, *sorted(graph.weight_keys.items()))


def distinct(graphs: Sequence[Graph]) -> tuple[list[int], NDArray[np.intp]]:
    """The different networks among graphs: those of different hashes.

    Returns:
        where each of them comes first, and the place of each graph in this list, (len(graphs),).
    """
    written: dict[Hashable, int] = {}
    spelling = [written.setdefault(graph.facts.get("hash") or _written(graph), i) for i, graph in enumerate(graphs)]
    firsts = list(written.values())
    hashes = dict(zip(firsts, hash_all([graphs[i] for i in firsts]), strict=True))
    for graph, i in zip(graphs, spelling, strict=True):  # the next look at them is a look-up
        graph.facts["hash"] = hashes[i]
    number: dict[str, int] = {}
    place = {i: number.setdefault(h, len(number)) for i, h in hashes.items()}
    kept: dict[int, int] = {}
    for i, network in place.items():
        kept.setdefault(network, i)
    return list(kept.values()), np.array([place[i] for i in spelling], dtype=np.intp)


class Interned:
    """The networks that are still in use, by a key that is equal for spellings of one network."""

    def __init__(self) -> None:
        self._networks: WeakValueDictionary[Hashable, Graph] = WeakValueDictionary()

    def get(self, key: Hashable, name: str, build: Callable[[], Graph]) -> Graph:
        """The network of a key under a name; ``build`` makes it where none is in use."""
        known = self._networks.get(key)
        if known is not None:
            return known.renamed(name)
        made = self._networks[key] = build()
        return made
