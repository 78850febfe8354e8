"""Which features matter in other families: length scales learned jointly, for the kernel on a new family.

The features of every source family, standardised within it, are multiplied by one shared positive weight each, and the marginal likelihood of small
random sets of labels under a Matern 5/2 Gaussian process is maximised over the weights (automatic relevance determination, Rasmussen
and Williams 2006, section 5.1, shared between tasks), while every family keeps its own length scale, signal and noise. The penalty pulls weights
towards 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky

from cg_predict.gp import OFFSET
from cg_predict.kernels import squared_distances
from cg_predict.targets import normal_scores

__all__ = ["likelihood_gradient", "relevance"]

Floats = NDArray[np.float64]
_JITTER = 1e-6


def likelihood_gradient(
    z: Floats, y: Floats, log_weights: Floats, hyper: Floats, scale: float
) -> tuple[float, Floats, Floats]:
    """Negative log marginal likelihood per label, and its gradients.

    Args:
        z: standardised features, (n, d).
        y: normal scores, (n,).
        log_weights: logarithms of the features' weights, (d,).
        hyper: logarithms of length scale (in units of ``scale``), signal and noise variance, (3,).
        scale: typical distance.
    """
    n = len(y)
    weighted = z * np.exp(log_weights)
    length, signal, noise = scale * np.exp(hyper[0]), np.exp(hyper[1]), np.exp(hyper[2])
    squared = squared_distances(weighted, weighted)
    r = np.sqrt(5.0 * squared) / length
    decay = np.exp(-r)
    unit = (1.0 + r + r * r / 3.0) * decay
    factor = cholesky(signal * unit + OFFSET + (noise + _JITTER) * np.eye(n), lower=True)
    alpha = cho_solve((factor, True), y)
    inverse = cho_solve((factor, True), np.eye(n))
    value = (0.5 * float(y @ alpha) + float(np.log(np.diag(factor)).sum())) / n
    # d value / d K, then through k(r): dk/d(r^2) = -signal (1 + r) exp(-r) / 6.
    by_covariance = 0.5 * (inverse - np.outer(alpha, alpha)) / n
    slope = by_covariance * (-signal * (1.0 + r) * decay / 6.0)
    by_squared = slope * (5.0 / (length * length))
    totals = by_squared.sum(axis=1)
    by_log_weight = 2.0 * 2.0 * (totals @ weighted**2 - np.einsum("ij,ij->j", weighted, by_squared @ weighted))
    by_hyper = np.array(
        [
            -2.0 * float((slope * r * r).sum()),
            float((by_covariance * signal * unit).sum()),
            noise * float(np.trace(by_covariance)),
        ]
    )
    return value, by_log_weight, by_hyper


def relevance(
    families: Sequence[tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]],
    *,
    penalty: float,
    seed: int,
    steps: int = 120,
    size: int = 80,
    rate: float = 0.05,
) -> NDArray[np.float32]:
    """Weights of features, (d,).

    Args:
        families: standardised features (n, d), columns that do not vary zero, and labels (n,) of each.
        penalty: on the mean squared log weight.
        seed: of the random sets of labels.
        steps: of Adam.
        size: labels in a set.
        rate: step size.
    """
    rng = np.random.default_rng(seed)
    columns = families[0][0].shape[1]
    parameters = np.concatenate([np.zeros(columns), np.tile([0.0, 0.0, -3.0], len(families))])
    scales = []
    for z, _ in families:
        squared = squared_distances(z[:300].astype(np.float64), z[:300].astype(np.float64))
        scales.append(float(np.sqrt(max(float(np.median(squared[np.triu_indices(len(squared), 1)])), 1e-12))))
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    for step in range(1, steps + 1):
        gradient = np.zeros_like(parameters)
        log_weights = parameters[:columns]
        for k, (z, labels) in enumerate(families):
            chosen = rng.choice(len(labels), size=min(size, len(labels)), replace=False)
            own = slice(columns + 3 * k, columns + 3 * k + 3)
            _, by_weight, by_hyper = likelihood_gradient(
                z[chosen].astype(np.float64), normal_scores(labels[chosen]), log_weights, parameters[own], scales[k]
            )
            gradient[:columns] += by_weight / len(families)
            gradient[own] += by_hyper / len(families) + 0.02 * parameters[own] / len(families)
        gradient[:columns] += 2.0 * penalty * log_weights / columns
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        parameters = parameters - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return np.exp(parameters[:columns]).astype(np.float32)
