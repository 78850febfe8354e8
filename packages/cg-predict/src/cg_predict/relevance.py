"""Which features mattered in a family: their weights in a Gaussian process, for the kernel on another family.

The features, standardised within the family, are multiplied by one positive weight each, and the marginal likelihood of small random sets of labels under
a Matern 5/2 Gaussian process is maximised over weights, length scale, signal and noise (automatic relevance determination, Rasmussen and Williams 2006,
section 5.1). A penalty pulls weights towards 1. Families are averaged by the logarithm of their weights, so any of them can be left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from cg_predict.gp import OFFSET
from cg_predict.kernels import squared_distances
from cg_predict.targets import normal_scores

__all__ = ["likelihood_gradient", "relevance"]

Floats = NDArray[np.float64]
_JITTER = 1e-6
#: On the mean squared logarithm of a weight.
PENALTY = 0.05
#: Random sets of labels, and labels in each.
_SETS, _LABELS = 4, 80
_ITERATIONS = 40


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


def relevance(z: NDArray[np.floating[Any]], labels: NDArray[np.floating[Any]], seed: int) -> NDArray[np.float32]:
    """Weights of features, (d,).

    Args:
        z: features standardised within the family, columns that do not vary zero, (n, d).
        labels: of any scale, (n,).
        seed: of the random sets of labels.
    """
    rng = np.random.default_rng(seed)
    count, columns = np.shape(z)
    sets = [np.sort(rng.permutation(count)[:_LABELS]) for _ in range(_SETS)]
    parts = [(np.asarray(z[rows], dtype=np.float64), normal_scores(labels[rows])) for rows in sets]
    squared = squared_distances(parts[0][0], parts[0][0])
    scale = float(np.sqrt(max(float(np.median(squared[np.triu_indices(len(squared), 1)])), 1e-12)))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        log_weights, hyper = parameters[:columns], parameters[columns:]
        value = PENALTY * float(np.mean(log_weights**2)) + 0.02 * float(hyper @ hyper)
        gradient = np.concatenate([2.0 * PENALTY * log_weights / columns, 0.04 * hyper])
        for rows, scores in parts:
            part, by_weight, by_hyper = likelihood_gradient(rows, scores, log_weights, hyper, scale)
            value += part / len(parts)
            gradient += np.concatenate([by_weight, by_hyper]) / len(parts)
        return value, gradient

    start = np.concatenate([np.zeros(columns), [0.0, 0.0, -3.0]])
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}, bounds=[(-3.0, 3.0)] * len(start)
    )
    return np.exp(found.x[:columns]).astype(np.float32)
