"""Rankings weighed by how they agree, without a label."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cg_predict.agreement import agreement_weights


def views_of(loadings: list[float], count: int = 400) -> np.ndarray:
    """Views with exactly the correlations of one common factor: v_i = a_i t + sqrt(1 - a_i^2) e_i, all of t and e_i orthogonal."""
    raw = np.random.default_rng(0).normal(size=(count, len(loadings) + 1))
    factors = np.linalg.qr(raw - raw.mean(axis=0))[0].T * np.sqrt(count)
    a = np.array(loadings)
    return a[:, None] * factors[:1] + np.sqrt(1 - a**2)[:, None] * factors[1:]


@settings(max_examples=30)
@given(st.lists(st.floats(0.5, 0.95), min_size=4, max_size=8))
def test_the_loadings_of_one_common_factor_are_found(loadings: list[float]) -> None:
    np.testing.assert_allclose(agreement_weights(views_of(loadings)), loadings, atol=0.02)


def test_good_rankings_are_told_from_bad_ones() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    quality = np.array([0.9, 0.7, 0.5, 0.0])
    views = np.stack([q * truth + np.sqrt(1 - q * q) * rng.normal(size=len(truth)) for q in quality])
    np.testing.assert_allclose(agreement_weights(views), quality, atol=0.06)


def test_one_that_contradicts_the_others_is_not_heard() -> None:
    views = views_of([0.9, 0.8, 0.7])
    weights = agreement_weights(np.vstack([views, -views[:1]]))
    assert weights[-1] == 0.0
    assert (weights[:3] > 0.5).all()


def test_the_order_of_the_views_does_not_matter() -> None:
    views, order = views_of([0.9, 0.4, 0.6, 0.8]), [2, 0, 3, 1]
    np.testing.assert_allclose(agreement_weights(views[order]), agreement_weights(views)[order], atol=1e-9)


def test_rankings_that_are_the_same_are_believed_up_to_a_bound() -> None:
    """What a ranking has in common with the rest, at most 0.95, is filled in where the diagonal of correlations says nothing."""
    found = agreement_weights(np.repeat(views_of([0.5]), 3, axis=0)[:3])
    np.testing.assert_allclose(found, np.sqrt((0.95 + 1 + 1) / 3))
