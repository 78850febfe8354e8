"""The context of a ranking: the pool among whose networks one ranks, its scale, the features that kernels compare, and the score without labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import hash_all
from cg_ir.graph import Graph
from cg_predict.features import descriptors, fingerprint, neighbourhoods, path_vectors
from cg_predict.kernels import Whitening
from cg_predict.pool import PoolScale
from cg_predict.prior import PooledPrior, Prior

__all__ = ["Context", "Encodings", "evenly_spaced", "key_of", "pool_of"]

Floats = NDArray[np.float64]
Views = dict[str, NDArray[Any]]

#: Networks of a pool that its scale and the prior look at, and among which predictions are placed.
SAMPLE, PLACED = 2048, 1024
_COMPONENTS = 48
#: Networks for which the spread over all families counts, where labelled networks alone set the scale.
_PSEUDO = 5.0


@dataclass(frozen=True)
class Encodings:
    """What the encoders say of networks, of each alone.

    Args:
        hashes: of the graphs.
        descriptors: float32 (n, d).
        vectors: of the path-weighted encoder, float32 (n, e), where kernels take part.
        neighbourhoods: counts of operators with their inputs, float32 (n, k), likewise.
    """

    hashes: list[str]
    descriptors: NDArray[np.float32]
    vectors: NDArray[np.float32] | None = None
    neighbourhoods: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def of(cls, graphs: Sequence[Graph], embedding: bool = False, counts: bool = False) -> Encodings:
        """Encode graphs; each encoder remembers what it has seen.

        Args:
            graphs: the networks.
            embedding: whether vectors of the path-weighted encoder take part.
            counts: whether counts of neighbourhoods do.
        """
        return cls(
            hash_all(graphs),
            descriptors().encode(graphs),
            path_vectors().encode(graphs) if embedding else None,
            neighbourhoods().encode(graphs) if counts else None,
        )

    def at(self, rows: NDArray[Any]) -> Encodings:
        """Those of these rows."""
        rest = (None if x is None else x[rows] for x in (self.vectors, self.neighbourhoods))
        return Encodings([self.hashes[i] for i in rows], self.descriptors[rows], *rest)

    def some(self, count: int) -> Encodings:
        """At most ``count`` of them, evenly spaced."""
        return self if len(self) <= count else self.at(np.linspace(0, len(self) - 1, count).astype(int))


def evenly_spaced(graphs: Sequence[Graph], size: int = SAMPLE) -> list[Graph]:
    """At most ``size`` of the graphs, evenly spaced in the order of their hashes, so that their own order does not matter."""
    if len(graphs) <= size:
        return list(graphs)
    ordered = sorted(graphs, key=lambda g: g.hash)
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, size).astype(int)]


def pool_of(graphs: Sequence[Graph] | None) -> list[Graph] | None:
    """A pool; without networks it is none."""
    return list(graphs) if graphs is not None and len(graphs) else None


def key_of(pool: Sequence[Graph] | None) -> str:
    """Tells pools apart."""
    return "" if pool is None else hashlib.blake2b("".join(hash_all(pool)).encode(), digest_size=16).hexdigest()


class Context:
    """A pool, or the labelled networks where there is none.

    Args:
        around: networks of the pool, or the labelled ones.
        prior: what was learned from other families.
        pooled: whether ``around`` is a pool. Otherwise the fewer networks set the scale, the more the spread over all families counts, and the prior scores
            each network alone.

    Attributes:
        expected: correlation of the score without labels with labels, as left-out families let expect.
    """

    def __init__(self, around: Encodings, prior: Prior, pooled: bool) -> None:
        self.prior, self.pooled = prior, pooled
        self.around = around
        self._prior: Prior | PooledPrior = prior.among(around.descriptors, self.scale) if pooled else prior
        self.expected = prior.trust.expected(None)
        self._scores: dict[str, float] = {}  # of the prior, by hash: refits need not ask again
        if isinstance(self._prior, PooledPrior):
            self.expected = self._prior.expected
            self._scores = dict(zip(around.hashes, self._prior.scores.tolist(), strict=True))

    @cached_property
    def scale(self) -> PoolScale:
        """Of the pool's descriptors."""
        scale = PoolScale(self.around.descriptors)
        if not self.pooled and self.prior.experts:
            count = len(self.around)
            mixed = (count * scale.deviation**2 + _PSEUDO * self.prior.spread**2) / (count + _PSEUDO)
            scale.deviation = np.where(scale.varies, np.sqrt(mixed), scale.deviation)
        return scale

    @cached_property
    def _features(self) -> tuple[Floats, Whitening, PoolScale | None, Floats | None]:
        """Weights of descriptors, their components, scale of the encoder's vectors and weights of these."""
        similarity = self._prior.similarity if isinstance(self._prior, PooledPrior) and self.prior.experts else None
        weights = self.prior.relevance(similarity)
        relevant = weights.get("descriptors", np.ones(self.around.descriptors.shape[1], dtype=np.float32))
        whitening = Whitening(0.5, _COMPONENTS).fit(self.scale.standardise(self.around.descriptors))
        if self.around.vectors is None:
            return relevant[self.scale.varies], whitening, None, None
        scale = PoolScale(self.around.vectors)
        vector = weights.get("embedding") if self.prior.vectors == fingerprint(path_vectors().encoder) else None
        return relevant[self.scale.varies], whitening, scale, None if vector is None else vector[scale.varies]

    def scores(self, networks: Encodings) -> Floats:
        """The prior's scores, (n,)."""
        known = self._scores
        missing = [i for i, key in enumerate(networks.hashes) if key not in known]
        if missing:
            fresh = self._prior.score(networks.descriptors[missing])
            known.update(zip((networks.hashes[i] for i in missing), fresh.tolist(), strict=True))
        return np.array([known[key] for key in networks.hashes])

    def views(self, networks: Encodings) -> tuple[Views, Floats]:
        """Features of networks by name, (n, features) each, and the prior's scores, (n,)."""
        weights, whitening, vector_scale, vector_weights = self._features
        z = self.scale.standardise(networks.descriptors)
        views: Views = {"descriptors": z * weights, "components": whitening.transform(z)}
        if networks.neighbourhoods is not None:
            views["neighbourhoods"] = networks.neighbourhoods
        if networks.vectors is not None and vector_scale is not None:
            v = vector_scale.standardise(networks.vectors)
            views["embedding"] = v if vector_weights is None else v * vector_weights
        return views, self.scores(networks)

    @cached_property
    def sample(self) -> tuple[Views, Floats]:
        """Views and scores of networks that stand for the pool."""
        return self.views(self.around.some(PLACED))
