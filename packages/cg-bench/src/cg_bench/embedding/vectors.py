"""Vectors that stand in for the learned embedding in comparisons: noise, other weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import hash_all
from cg_ir.graph import Graph
from cg_predict import features
from cg_predict.features import CachedEncoder, Encoder

__all__ = ["Noise", "Unweighted", "embedding_from"]


class Noise:
    """Vectors that say nothing: standard normal numbers drawn from the graph's hash.

    Args:
        dimension: length of the vectors.
        seed: which numbers.
        weights: of the encoder that the noise stands in for; a predictor then treats its columns as it treats that encoder's.
    """

    def __init__(self, dimension: int, seed: int = 0, weights: Mapping[str, Any] | None = None) -> None:
        self.dimension = dimension
        self.seed = seed
        self.weights = dict(weights or {})

    def __len__(self) -> int:
        return self.dimension

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Float32 (len(graphs), dimension); equal for equal graphs."""
        result = np.empty((len(graphs), self.dimension), dtype=np.float32)
        for row, key in zip(result, hash_all(graphs), strict=True):
            rng = np.random.default_rng([self.seed, *key.encode()])
            row[:] = rng.standard_normal(self.dimension)
        return result


class Unweighted:
    """The vectors of an encoder, without the weights of their columns that predictors have learned for it.

    Args:
        encoder: whose vectors these are.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.weights: dict[str, Any] = {}  # of no encoder that column weights were learned for

    def __len__(self) -> int:
        return len(self.encoder)

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Float32 (len(graphs), dimension)."""
        return np.asarray(self.encoder.encode(graphs))


@contextmanager
def embedding_from(encoder: Encoder) -> Iterator[None]:
    """Predictors read this encoder's vectors in place of the shipped path-weighted encoder's.

    Predictors must be made and fitted inside: what they fitted before rests on other vectors.
    """
    features.path_vectors()
    before = features._CACHED["path"]
    features._CACHED["path"] = CachedEncoder(encoder)
    try:
        yield
    finally:
        features._CACHED["path"] = before
