"""What kernels compare: the features of networks relative to a pool, under several names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.graph import Graph
from cg_predict.features import descriptors, neighbourhoods, path_vectors
from cg_predict.kernels import Whitening
from cg_predict.pool import PoolScale
from cg_predict.pooled_prior import PooledPrior
from cg_predict.prior import Prior
from cg_predict.smoothing import Smoother

__all__ = ["Encodings", "PoolViews"]

Floats = NDArray[np.float64]

_COMPONENTS = 48
#: Networks of a pool that the prior's scores are smoothed over, and among which predictions are placed.
_MANY = 1024
#: Networks that the spread within known families counts for, where labelled networks alone set the scale.
_PSEUDO = 5.0


@dataclass(frozen=True)
class Encodings:
    """What the encoders say of networks, of each alone.

    Args:
        hashes: of the graphs.
        descriptors: float32 (n, d).
        vectors: of the path-weighted encoder, float32 (n, e), where they take part.
        neighbourhoods: counts, float32 (n, k), where they take part.
    """

    hashes: list[str]
    descriptors: NDArray[np.float32]
    vectors: NDArray[np.float32] | None
    neighbourhoods: NDArray[np.float32] | None

    @classmethod
    def of(cls, graphs: Sequence[Graph], embedding: bool, counts: bool) -> Encodings:
        """Encode graphs; each encoder remembers what it has seen.

        Args:
            graphs: the networks.
            embedding: whether vectors of the path-weighted encoder take part.
            counts: whether counts of neighbourhoods do.
        """
        return cls(
            [graph.hash for graph in graphs],
            descriptors().encode(graphs),
            path_vectors().encode(graphs) if embedding else None,
            neighbourhoods().encode(graphs) if counts else None,
        )

    def some(self, count: int) -> Encodings:
        """At most ``count`` of them, evenly spaced."""
        if len(self.hashes) <= count:
            return self
        places = np.linspace(0, len(self.hashes) - 1, count).astype(int)
        rest = (None if x is None else x[places] for x in (self.vectors, self.neighbourhoods))
        return Encodings([self.hashes[i] for i in places], self.descriptors[places], *rest)


class PoolViews:
    """Features on the scale of a pool, or of the labelled networks where there is none.

    Args:
        around: networks of the pool, or the labelled ones.
        prior: what was learned from other families.
        relevance: weights of features by name, see `cg_predict.relevance`.
        sample: fewer networks of the pool, which stand for it; none where ``around`` is a mere handful of labelled networks.

    Attributes:
        sample: their views and the prior's scores.
    """

    def __init__(
        self,
        around: Encodings,
        prior: Prior,
        relevance: Mapping[str, NDArray[np.floating[Any]]],
        sample: Encodings | None = None,
    ) -> None:
        self.prior = prior
        self.relevance = relevance
        self.scale = PoolScale(around.descriptors)
        self._prior: Prior | PooledPrior = prior
        if sample is None:
            self._widen(len(around.descriptors))
        else:
            self._prior = prior.among(around.descriptors, self.scale)
        self.whitening = Whitening(0.5, _COMPONENTS).fit(self.scale.standardise(around.descriptors))
        self.vector_scale = None if around.vectors is None else PoolScale(around.vectors)
        self._scores: dict[str, float] = {}  # of the prior, by hash: refits need not ask again
        self._around = around
        self.sample = None if sample is None else self(sample)

    def _widen(self, count: int) -> None:
        """The fewer networks set the scale, the more the spread within known families counts."""
        scale, known = self.scale, self.prior.references
        if known:
            within = np.sqrt(np.mean([r.deviation**2 for r in known.values()], axis=0))
            mixed = np.sqrt((count * scale.deviation**2 + _PSEUDO * within**2) / (count + _PSEUDO))
            scale.deviation = np.where(scale.varies, mixed, scale.deviation)

    def prior_scores(self, networks: Encodings) -> Floats:
        """The prior's scores, (n,)."""
        known = self._scores
        missing = [i for i, key in enumerate(networks.hashes) if key not in known]
        if missing:
            fresh = self._prior.score(networks.descriptors[missing])
            known.update(zip((networks.hashes[i] for i in missing), fresh.tolist(), strict=True))
        return np.array([known[key] for key in networks.hashes])

    @cached_property
    def many(self) -> Encodings:
        """Up to a thousand networks of the pool."""
        return self._around.some(_MANY)

    @cached_property
    def _smoother(self) -> Smoother:
        views, scores = self(self.many)
        compared = ("descriptors_sharp" if "descriptors_sharp" in views else "descriptors", "neighbourhoods")
        return Smoother({name: views[name] for name in compared if name in views}, scores)

    def agreed(self, views: Mapping[str, NDArray[Any]], scores: Floats) -> Floats:
        """The prior's scores as networks of the pool that are alike agree on them, (n,); without a pool each keeps its own.

        Args:
            views: of the networks, (n, features) each, as calling gives them.
            scores: of the prior, (n,), likewise.
        """
        return scores if self.sample is None else self._smoother(views, scores)

    def __call__(self, networks: Encodings) -> tuple[dict[str, NDArray[Any]], Floats]:
        """The views of networks by name, (n, features) each, and the prior's scores, (n,)."""
        scores = self.prior_scores(networks)
        z = self.scale.standardise(networks.descriptors)
        views: dict[str, NDArray[Any]] = {
            "descriptors": z,
            "components": self.whitening.transform(z),
            "prior": scores[:, None],
        }
        if networks.neighbourhoods is not None:
            views["neighbourhoods"] = networks.neighbourhoods
        if networks.vectors is not None and self.vector_scale is not None:
            views["embedding"] = self.vector_scale.standardise(networks.vectors)
        for name, weights in self.relevance.items():
            base = self.vector_scale if name.startswith("embedding") else self.scale
            if base is not None:
                views[name] = views[name.split("_")[0]] * weights[base.varies]
        return views, scores
