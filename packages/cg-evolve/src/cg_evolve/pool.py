"""A search restricted to listed architectures: a proposal from outside goes to the nearest member.

The distance is the one of node stars (Zeng et al., "Comparing stars: on approximating graph edit distance", VLDB 2009) without their
assignment step: a star is a node's operator, attributes and shape with those of its neighbours, and two networks are as far apart
as the stars that one has and the other has not, counted with multiplicity. An edit of one node or edge changes a bounded number of
stars, so the distance bounds the edit distance from below up to that factor; isomorphic networks are at 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.errors import SearchError
from cg_ir.batching import batch
from cg_ir.hashing import splitmix64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_ir.graph import Graph

__all__ = ["Pool", "stars"]

_CHUNK = 2048


def stars(graphs: Sequence[Graph]) -> list[NDArray[np.uint64]]:
    """The star of every node of every graph as 64-bit labels: one sorted array (nodes,) a graph."""
    result: list[NDArray[np.uint64]] = []
    for start in range(0, len(graphs), _CHUNK):
        joined = batch(graphs[start : start + _CHUNK])
        labels = np.array(joined.signatures.labels, dtype=np.uint64)[joined.codes]
        sources = joined.indices
        targets = np.repeat(np.arange(len(joined.codes)), np.diff(joined.indptr))
        star = splitmix64(labels)
        np.add.at(star, targets, splitmix64(labels[sources], 0x3C6EF372FE94F82A))
        np.add.at(star, sources, splitmix64(labels[targets], 0xDAA66D2C7DDF743F))
        offsets = joined.node_offsets
        result += [np.sort(star[a:b]) for a, b in itertools.pairwise(offsets.tolist())]
    return result


class Pool:
    """Architectures to which a search is restricted.

    Args:
        archs: the members, in the space's notation; repeated ones count once.
        build: graph of an architecture.
        canonical: the one spelling of an architecture.
    """

    def __init__(
        self, archs: Sequence[str], build: Callable[[str], Graph], canonical: Callable[[str], str] = str
    ) -> None:
        self.archs = list(dict.fromkeys(archs))
        if not self.archs:
            raise SearchError("the pool is empty: it should list at least one architecture")
        self._build = build
        self._canonical = canonical
        self._listed = frozenset(self.archs)
        self._built: dict[str, Graph] = {}

    def __len__(self) -> int:
        return len(self.archs)

    @cached_property
    def graphs(self) -> list[Graph]:
        """The networks, (len(self),)."""
        return [self._graph(arch) for arch in self.archs]

    def graph(self, arch: str) -> Graph | None:
        """The network of a member by the spelling in the list, built once; none for any other."""
        return self._graph(arch) if arch in self._listed else None

    def _graph(self, arch: str) -> Graph:
        if arch not in self._built:
            self._built[arch] = self._build(arch)
        return self._built[arch]

    @cached_property
    def _spelling(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for index, arch in enumerate(self.archs):
            found.setdefault(arch, index)
            found.setdefault(self._canonical(arch), index)
        return found

    @cached_property
    def _index(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Inverted index: distinct stars, where each one's postings begin, members, counts."""
        all_stars = stars(self.graphs)
        sizes = np.array([len(s) for s in all_stars])
        members = np.repeat(np.arange(len(all_stars), dtype=np.int32), sizes)
        flat = np.concatenate(all_stars)
        order = np.lexsort((members, flat))
        flat, members = flat[order], members[order]
        new = np.ones(len(flat), dtype=bool)
        new[1:] = (flat[1:] != flat[:-1]) | (members[1:] != members[:-1])
        starts = np.flatnonzero(new)
        counts = np.diff(np.append(starts, len(flat))).astype(np.int32)
        flat, members = flat[starts], members[starts]
        distinct, begins = np.unique(flat, return_index=True)
        return distinct, np.append(begins, len(flat)), members, counts

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        return np.array([len(graph) for graph in self.graphs])

    def distances(self, graph: Graph) -> NDArray[np.int64]:
        """Star distance of a graph to every member, (len(self),)."""
        distinct, begins, members, counts = self._index
        own, times = np.unique(stars([graph])[0], return_counts=True)
        shared = np.zeros(len(self), dtype=np.int64)
        places = np.searchsorted(distinct, own)
        for star, place, count in zip(own, places.tolist(), times.tolist(), strict=True):
            if place < len(distinct) and distinct[place] == star:
                part = slice(begins[place], begins[place + 1])
                shared[members[part]] += np.minimum(counts[part], count)  # a member occurs once a star
        return self._sizes + len(graph) - 2 * shared

    def member(self, arch: str) -> int | None:
        """Index of a member by its spelling."""
        found = self._spelling.get(arch)
        return self._spelling.get(self._canonical(arch)) if found is None else found

    def nearest(self, arch: str, free: NDArray[np.bool_], rng: np.random.Generator) -> int | None:
        """The free member nearest to an architecture, ties broken by ``rng``; none where no member is free."""
        index = self.member(arch)
        if index is not None and free[index]:
            return index
        if not free.any():
            return None
        distances = np.where(free, self.distances(self._build(arch)), np.iinfo(np.int64).max)
        best = np.flatnonzero(distances == distances.min())
        return int(best[rng.integers(len(best))])
