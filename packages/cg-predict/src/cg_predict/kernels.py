"""Covariance functions and the feature maps that they read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Whitening", "matern52", "squared_distances"]

Array = NDArray[np.floating[Any]]


def squared_distances(a: Array, b: Array) -> Array:
    """Squared Euclidean distances, (len(a), len(b)), in the precision of the arguments; never negative."""
    result = a @ b.T
    result *= -2.0
    result += np.einsum("ij,ij->i", a, a)[:, None]
    result += np.einsum("ij,ij->i", b, b)[None, :]
    return np.maximum(result, 0.0, out=result)


def matern52(squared: Array, length: float) -> Array:
    """Matern covariance of smoothness 5/2 and unit variance (Rasmussen and Williams 2006, eq. 4.17).

    Args:
        squared: squared distances, any shape.
        length: length scale, in the unit of the distances.
    """
    r = np.sqrt(squared * (5.0 / (length * length)))
    result = r * r
    result *= 1.0 / 3.0
    result += r
    result += 1.0
    np.negative(r, out=r)
    result *= np.exp(r, out=r)
    return result


class Whitening:
    """Principal components scaled by a power of their standard deviations.

    Power 0 keeps the variances of plain principal components, 1 whitens fully; a half lets weak directions speak without
    letting noise shout.

    Args:
        power: exponent of the standard deviation that each component is divided by.
        components: how many components are kept at most.
    """

    def __init__(self, power: float = 0.5, components: int = 48) -> None:
        self.power = power
        self.components = components

    def fit(self, x: Array) -> Whitening:
        """Learn mean and directions of ``x``, (n, d)."""
        self.mean_ = x.mean(axis=0)
        centred = (x - self.mean_).astype(np.float64)
        n, d = centred.shape
        if n >= d:
            values, vectors = np.linalg.eigh(centred.T @ centred / n)
            values, vectors = values[::-1], vectors[:, ::-1]
        else:
            values, left = np.linalg.eigh(centred @ centred.T / n)
            values, left = values[::-1], left[:, ::-1]
            vectors = centred.T @ left / np.sqrt(np.maximum(values * n, 1e-300))
        keep = values > max(values[0], 0.0) * 1e-7 if len(values) else values > 0
        keep[self.components :] = False
        values, vectors = values[keep], vectors[:, keep]
        # The sign of an eigenvector is arbitrary: make its largest entry positive so that results can be compared.
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        self.directions_ = vectors * signs / values ** (self.power / 2.0)
        return self

    def transform(self, x: Array) -> Array:
        """Coordinates of ``x``, (n, components)."""
        result: Array = ((x - self.mean_) @ self.directions_).astype(x.dtype)
        return result
