"""Costs as scorers."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir import get_scorer
from cg_predict.costs import Cost


@pytest.mark.parametrize(("kind", "told"), [("params", np.log1p), ("macs", np.log1p), ("depth", np.asarray)])
def test_scores_rise_with_the_cost(family, kind, told) -> None:
    graphs = family[0][:8]
    scorer = get_scorer(kind)
    assert isinstance(scorer, Cost)
    np.testing.assert_allclose(scorer.predict(graphs), told([getattr(g, kind) for g in graphs]))
    assert scorer.predict([]).shape == (0,)
    assert scorer.name == kind
