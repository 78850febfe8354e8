"""Vectors of graphs, remembered by hash, so that no network is described twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import cg_embed
from cg_embed.checkpoint import shipped_directory
from cg_ir import identity
from cg_ir.graph import Graph
from cg_predict.targets import check_graphs

#: Vectors kept, at about 2 kB each.
CAPACITY = 150_000


class Encoder(Protocol):
    """What turns graphs into vectors, each from its graph alone."""

    def encode(self, graphs: Sequence[Any]) -> NDArray[np.float32]:
        """Float32 (len(graphs), d)."""
        ...


class CachedEncoder:
    """An encoder with a memory.

    Args:
        encoder: what computes the vectors.
        capacity: how many vectors are remembered; those not used for longest go first.
    """

    def __init__(self, encoder: Encoder, capacity: int = CAPACITY) -> None:
        self.encoder = encoder
        self.capacity = capacity
        self._memory: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Vectors of the graphs, float32 (len(graphs), d)."""
        if not len(graphs):
            return np.zeros((0, len(self.encoder)), dtype=np.float32)  # type: ignore[arg-type]
        graphs, place = distinct(graphs)
        missing = [graph for graph in graphs if graph.hash not in self._memory]
        for graph, row in zip(missing, self.encoder.encode(missing) if missing else (), strict=True):
            self._memory[graph.hash] = row.copy()
        result = np.stack([self._memory[graph.hash] for graph in graphs])
        for graph in graphs:
            self._memory.move_to_end(graph.hash)
        while len(self._memory) > self.capacity:
            self._memory.popitem(last=False)
        return result if len(place) == len(result) else result[place]


def distinct(graphs: Sequence[Graph]) -> tuple[list[Graph], NDArray[np.intp]]:
    """The different networks, in the order in which they come first, and the place of each of ``graphs`` among them, (len(graphs),)."""
    graphs = check_graphs(graphs)
    _, place = identity.distinct(graphs)
    return list(dict(zip(place.tolist(), graphs, strict=True)).values()), place


_CACHED: dict[str, CachedEncoder] = {}


def _shared(name: str, make: Callable[[], Encoder]) -> CachedEncoder:
    if name not in _CACHED:
        _CACHED[name] = CachedEncoder(make())
    return _CACHED[name]


def descriptors() -> CachedEncoder:
    """The descriptors of cg-embed, shared by all predictors of the process."""
    return _shared("descriptors", lambda: cg_embed.Descriptors())


def neighbourhoods() -> CachedEncoder:
    """The neighbourhood counts of cg-embed, shared by all predictors of the process."""
    return _shared("neighbourhoods", lambda: cg_embed.Neighbourhoods())


def path_vectors() -> CachedEncoder:
    """The path-weighted encoder of cg-embed: the shipped one, or its untrained weights in a build without a checkpoint."""
    shipped = (shipped_directory("path") / "config.json").is_file()
    return _shared("path", cg_embed.PathEncoder.shipped if shipped else cg_embed.PathEncoder)


def fingerprint(encoder: Any) -> str:
    """Identifies the weights of a path-weighted encoder, on which anything learned from its vectors depends."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(encoder.weights):
        digest.update(name.encode() + np.ascontiguousarray(encoder.weights[name]).tobytes())
    return digest.hexdigest()
