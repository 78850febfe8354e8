"""Vectors of graphs, remembered by hash, so that no network is described twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cg_ir import identity
from cg_ir.graph import Graph
from cg_predict.targets import check_graphs

__all__ = ["CachedEncoder", "Encoder", "descriptors", "distinct", "fingerprint", "neighbourhoods", "path_vectors"]

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
        keys = [graph.hash for graph in graphs]
        missing = {key: graph for key, graph in zip(keys, graphs, strict=True) if key not in self._memory}
        rows: dict[str, NDArray[np.float32]] = {}
        if missing:
            rows = dict(zip(missing, self.encoder.encode(list(missing.values())), strict=True))
        for key in keys:
            if key in self._memory:
                rows[key] = self._memory[key]
                self._memory.move_to_end(key)
        result = np.stack([rows[key] for key in keys])
        for key in missing:
            self._memory[key] = rows[key].copy()
        while len(self._memory) > self.capacity:
            self._memory.popitem(last=False)
        return result if len(place) == len(result) else result[place]


def distinct(graphs: Sequence[Graph]) -> tuple[list[Graph], NDArray[np.intp]]:
    """The different networks, in the order in which they come first, and the place of each of ``graphs`` among them, (len(graphs),)."""
    graphs = check_graphs(graphs)
    _, place = identity.distinct(graphs)
    return list(dict(zip(place.tolist(), graphs, strict=True)).values()), place


_CACHED: dict[str, CachedEncoder] = {}


def descriptors() -> CachedEncoder:
    """The descriptors of cg-embed, shared by all predictors of the process."""
    if "descriptors" not in _CACHED:
        from cg_embed import Descriptors

        _CACHED["descriptors"] = CachedEncoder(Descriptors())
    return _CACHED["descriptors"]


def neighbourhoods() -> CachedEncoder:
    """The neighbourhood counts of cg-embed, shared by all predictors of the process."""
    if "neighbourhoods" not in _CACHED:
        from cg_embed import Neighbourhoods

        _CACHED["neighbourhoods"] = CachedEncoder(Neighbourhoods())
    return _CACHED["neighbourhoods"]


def path_vectors() -> CachedEncoder:
    """The path-weighted encoder of cg-embed: the shipped one, or its untrained weights in a build without a checkpoint."""
    if "path" not in _CACHED:
        from cg_embed import PathEncoder
        from cg_embed.checkpoint import shipped_directory

        shipped = (shipped_directory("path") / "config.json").is_file()
        _CACHED["path"] = CachedEncoder(PathEncoder.shipped() if shipped else PathEncoder())
    return _CACHED["path"]


def fingerprint(encoder: Any) -> str:
    """Identifies the weights of a path-weighted encoder, on which anything learned from its vectors depends."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(encoder.weights):
        digest.update(name.encode() + np.ascontiguousarray(encoder.weights[name]).tobytes())
    return digest.hexdigest()
