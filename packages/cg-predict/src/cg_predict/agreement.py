"""How far to trust each of several rankings when no label tells: by how they agree with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROUNDS = 100
#: Bounds of a ranking's squared correlation with the truth, between which the fit stays.
_COMMON = (0.02, 0.95)


def agreement_weights(views: NDArray[np.floating[Any]]) -> Floats:
    r"""Correlation of each view with what they have in common, (k,), at least 0.

    If every view is the truth plus an error of its own, :math:`v_i = a_i t + e_i`, the correlation of two different views is :math:`a_i a_j`: the matrix of
    correlations is of rank one off its diagonal, and its leading eigenvector tells the :math:`a_i` without a label (Parisi, Strino, Nadler and Kluger 2014,
    *Ranking and combining multiple predictors without labeled data*). The diagonal, which says nothing, is filled in until it fits (principal factors).

    Args:
        views: standardised scores of n networks by k views, (k, n).
    """
    correlations = np.asarray(views @ views.T / views.shape[1], dtype=np.float64)
    np.fill_diagonal(correlations, 0.5)
    loadings = np.zeros(len(views))
    for _ in range(_ROUNDS):
        values, vectors = np.linalg.eigh(correlations)
        loadings = vectors[:, -1] * np.sqrt(max(float(values[-1]), 1e-9))
        diagonal = np.clip(loadings**2, *_COMMON)
        if np.allclose(np.diag(correlations), diagonal, atol=1e-5):
            break
        np.fill_diagonal(correlations, diagonal)
    # The sign of an eigenvector is arbitrary: most views are right more often than wrong.
    return np.asarray(np.maximum(loadings * np.sign(loadings.sum() or 1.0), 0.0), dtype=np.float64)
