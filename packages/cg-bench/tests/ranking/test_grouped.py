"""Folds of a family that is ranked group by group."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cg_bench.ranking.grouped import FOLDS, Grouped
from cg_predict.tables import LabelledFamily


def folds_of(groups: list[str]) -> list[int]:
    return Grouped("g", "timm", LabelledFamily("timm", [], np.zeros(0)), groups).folds().tolist()


@given(st.lists(st.sampled_from("abcdefghijk"), min_size=1, max_size=60))
def test_a_group_is_in_one_fold_and_folds_are_about_as_large(groups: list[str]) -> None:
    folds = folds_of(groups)
    assert len(folds) == len(groups)
    assert set(folds) <= set(range(FOLDS))
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    load = Counter(folds)
    spread = max(load.values()) - min(load[f] for f in range(FOLDS))
    assert spread <= max(Counter(groups).values())  # nothing that was dealt last is larger


def test_folds_do_not_depend_on_the_order_of_the_networks() -> None:
    groups = list("aaabbcdde")
    order = np.random.default_rng(0).permutation(len(groups))
    shuffled = folds_of([groups[i] for i in order])
    assert [shuffled[i] for i in np.argsort(order)] == folds_of(groups)
    assert folds_of(list("aabbccddee")) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
