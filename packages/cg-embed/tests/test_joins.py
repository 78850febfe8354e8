"""Softmax over the inputs of many joins at once, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from cg_embed.joins import exponentials


@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize("rows", [(4,), (5, 5, 5), (6, 6, 3, 1), (2, 0)])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_greatest_terms_and_sums_of_exponentials(library: str, rows: tuple[int, ...], scale: float) -> None:
    xp = pytest.importorskip(library)
    rng = np.random.default_rng(0)
    terms = [scale * rng.normal(size=(count, 3)) for count in rows]
    handed = [xp.asarray(term.copy()) for term in terms]
    top, total = exponentials(handed, xp)
    for row in range(rows[0]):
        own = np.stack([term[row] for term in terms if row < len(term)])
        np.testing.assert_allclose(np.asarray(top[row]) + np.log(np.asarray(total[row])), logsumexp(own, axis=0))
        shares = np.stack([np.asarray(term[row] / total[row]) for term in handed if row < len(term)])
        np.testing.assert_allclose(shares, softmax(own, axis=0), atol=1e-12)
