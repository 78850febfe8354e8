"""The kernels that the predictor averages over."""

from __future__ import annotations

import pytest

from cg_predict.structures import SELECTED, STRUCTURES


@pytest.mark.parametrize("structures", [STRUCTURES, SELECTED])
def test_kernels_differ_and_some_go_without_the_score_as_their_mean(structures) -> None:
    assert len(set(structures)) == len(structures)
    views = {view for s in structures for view in s.views}
    assert views == {"descriptors", "components", "embedding", "neighbourhoods"}
    assert {s.mean for s in structures} == {True, False}
    assert {s.weight for s in structures} == {1.0}


def test_among_networks_that_were_picked_none_looks_at_vectors_alone() -> None:
    assert any(s.views == ("embedding",) for s in STRUCTURES)
    assert all(set(s.views) & {"descriptors", "components"} for s in SELECTED)
