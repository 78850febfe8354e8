"""The probability that one network is better than another, from what is believed of both together.

Errors of networks that are alike are alike, too: what is believed of a difference is not what two standard deviations say. Under every setting of the process
the difference of two labels is normal, its variance from the joint covariance (Rasmussen and Williams 2006, eq. 2.24); the probability is the mixture's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtr

from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.gp import AveragedGaussianProcess
from cg_predict.posterior import Calibrated, FewLabels, Posterior
from cg_predict.predictor import Predictor

Floats = NDArray[np.float64]
Views = dict[str, NDArray[Any]]


def probability_better(scorer: Any, a: Graph, b: Graph, pool: Sequence[Graph] | None = None) -> float:
    """The probability that the first network is the better one.

    Of a :class:`cg_predict.Predictor` by its joint posterior; of another scorer by its means and standard deviations, as if errors were independent.

    Args:
        scorer: a predictor or any other scorer that knows standard deviations.
        a, b: the networks.
        pool: the networks among which one ranks, for scorers that take one.

    Raises:
        CgError: the scorer knows no standard deviation.
    """
    return float(probabilities_better(scorer, [a, b], np.array([[0, 1]]), pool)[0])


def probabilities_better(
    scorer: Any, graphs: Sequence[Graph], pairs: NDArray[np.integer], pool: Sequence[Graph] | None = None
) -> Floats:
    """The same for many pairs at once, (p,).

    Args:
        scorer, pool: as for `probability_better`.
        graphs: the networks.
        pairs: their numbers, (p, 2): the probability that the first of each pair is the better one.
    """
    if isinstance(scorer, Predictor):
        return _jointly(scorer, list(graphs), np.asarray(pairs), pool)
    options: dict[str, Any] = {} if pool is None else {"pool": pool}
    found = scorer.predict(graphs, return_std=True, **options)
    if not isinstance(found, tuple):
        raise CgError(f"the scorer '{scorer.name}' knows no standard deviation")
    mean, deviation = (np.asarray(values, dtype=float) for values in found)
    return _independent(mean, deviation, pairs)


def _independent(mean: Floats, deviation: Floats, pairs: NDArray[np.integer]) -> Floats:
    a, b = pairs.T
    return np.asarray(ndtr((mean[a] - mean[b]) / np.maximum(np.hypot(deviation[a], deviation[b]), 1e-12)))


def _jointly(
    predictor: Predictor, graphs: list[Graph], pairs: NDArray[np.integer], pool: Sequence[Graph] | None
) -> Floats:
    belief = predictor._belief(pool)
    return _of_posterior(belief.posterior, *belief.views(predictor._encoded(graphs, belief.kernels)), pairs)


def _of_posterior(posterior: Posterior, views: Views, scores: Floats, pairs: NDArray[np.integer]) -> Floats:
    if isinstance(posterior, Calibrated):  # told on another scale, in the same order
        return _of_posterior(posterior.posterior, views, scores, pairs)
    if not isinstance(posterior, FewLabels):
        return _independent(*posterior.predict(views, scores), pairs)
    result = (1.0 - posterior.share) * _of_process(posterior.process, views, scores, pairs)
    if posterior.share:
        result += posterior.share * _independent(*posterior.unlabelled.predict(views, scores), pairs)
    return result


def _of_process(process: AveragedGaussianProcess, views: Views, scores: Floats, pairs: NDArray[np.integer]) -> Floats:
    result = np.zeros(len(pairs))
    a, b = pairs.T
    within, across = process.covariances(views, views), process.covariances(views, process._train)
    for weight, draw, factor, solution in zip(
        process.weights_, process.draws_, process._factors, process._solutions, strict=True
    ):
        cross = across(draw)
        half = solve_triangular(factor, cross.T, lower=True)
        joint = within(draw) - half.T @ half
        own = np.diag(joint)
        variance = np.maximum(own[a] + own[b] - 2.0 * joint[a, b], 0.0) + 2.0 * draw.noise
        mean = cross @ solution + draw.slope * scores
        result += weight * ndtr((mean[a] - mean[b]) / (process.inflation_ * np.sqrt(variance)))
    return result
