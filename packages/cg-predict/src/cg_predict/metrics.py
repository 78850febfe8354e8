"""How good a ranking is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def spearman(score: Floats, truth: Floats) -> float:
    """Rank correlation; 0 where either is constant."""
    from scipy.stats import spearmanr  # takes longer to import than most rankings

    return _finite(spearmanr(score, truth).statistic) if np.ptp(score) and np.ptp(truth) else 0.0


def kendall(score: Floats, truth: Floats) -> float:
    """Kendall's tau-b; 0 where either is constant."""
    from scipy.stats import kendalltau

    return _finite(kendalltau(score, truth).statistic) if np.ptp(score) and np.ptp(truth) else 0.0


def precision_at_top(score: Floats, truth: Floats, share: float = 0.05) -> float:
    """Share of the predicted best that are among the true best, both ``share`` of all (at least one)."""
    k = max(1, round(share * len(truth)))
    best = set(np.argsort(-truth, kind="stable")[:k].tolist())
    return len(best & set(np.argsort(-score, kind="stable")[:k].tolist())) / k


def regret(score: Floats, truth: Floats) -> float:
    """Best true value minus that of the predicted best, in the unit of ``truth``."""
    return float(truth.max() - truth[int(np.argmax(score))])


def rank_of_best(score: Floats, truth: Floats) -> float:
    """True rank of the predicted best as a share of all networks; 1/n is perfect."""
    from scipy.stats import rankdata

    return float(rankdata(-truth, method="min")[int(np.argmax(score))]) / len(truth)


def spearman_in_top(score: Floats, truth: Floats, share: float = 0.1) -> float:
    """Rank correlation among the true best ``share``."""
    best = np.argsort(-truth, kind="stable")[: max(2, round(share * len(truth)))]
    return spearman(score[best], truth[best])


def coverage(mean: Floats, std: Floats, truth: Floats, level: float = 0.9) -> float:
    """Share of ``truth`` inside the central interval of a normal distribution that should hold ``level`` of it."""
    from scipy.special import ndtri

    return float(np.mean(np.abs(truth - mean) <= ndtri(0.5 + level / 2) * std))


def calibration_error(probability: Floats, true: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015): how far probabilities and the shares that came true lie apart.

    The mean over ``bins`` of equal width, weighted by how many probabilities each holds.
    """
    place = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=probability, minlength=bins) - np.bincount(place, weights=true, minlength=bins)
    return float(np.abs(gaps).sum() / len(place))


def _finite(value: Any) -> float:
    return float(value) if np.isfinite(value) else 0.0
