"""What correlation to expect, against weighted ridge regression of scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from cg_predict.trust import EVIDENCE, Trust

RNG = np.random.default_rng(0)
FAMILIES = ("a",) * 6 + ("b",) * 3 + ("c",)
ROWS = [(f, float(RNG.uniform(-0.2, 0.9)), *RNG.normal(size=len(EVIDENCE)) * [0.2, 0.1, 3.0, 0.5]) for f in FAMILIES]


def ridge(rows: list[tuple], evidence: np.ndarray) -> float:
    """Of Fisher transforms on standardised evidence, every family counting once."""
    x, y = np.array([row[2:] for row in rows]), np.arctanh(np.clip([row[1] for row in rows], -0.95, 0.97))
    names = [row[0] for row in rows]
    weight = np.array([1 / names.count(name) for name in names])
    centre = np.average(x, axis=0, weights=weight)
    spread = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=weight))
    model = Ridge(alpha=5.0).fit((x - centre) / spread, y, sample_weight=weight)
    return float(np.tanh(model.predict([np.clip((evidence - centre) / spread, -2.5, 2.5)])[0]))


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_expectations_are_those_of_ridge_regression(row: int) -> None:
    evidence = np.array(ROWS[row][2:])
    expected = np.clip(ridge(ROWS, evidence), 0.05, 0.97)
    assert Trust.from_rows(ROWS).expected(evidence) == pytest.approx(expected, abs=1e-6)


def test_a_family_left_out_says_nothing() -> None:
    evidence = np.array(ROWS[0][2:])
    without = Trust.from_rows(ROWS).without(("a", "unknown"))
    assert without.families == ("b", "b", "b", "c")
    assert without.expected(evidence) == pytest.approx(Trust.from_rows(ROWS[6:]).expected(evidence))
    assert without.expected(evidence) == pytest.approx(np.clip(ridge(ROWS[6:], evidence), 0.05, 0.97), abs=1e-6)


def test_evidence_beyond_all_that_was_seen_is_cut_off_and_so_is_what_follows_from_it() -> None:
    steep = [("f", c, x, 0.0, 0.0, 0.0) for c, x in zip(np.linspace(-0.9, 0.99, 40), range(40), strict=True)]
    trust = Trust.from_rows(steep)
    told = [trust.expected(np.array([x, 0.0, 0.0, 0.0])) for x in (-1e9, -100.0, 20.0, 100.0, 1e9)]
    assert told[0] == told[1] == 0.05
    assert told[1] < told[2] < told[3] == told[4] <= 0.97


def test_where_nothing_was_learned_or_seen_the_guess_is_cautious() -> None:
    some = Trust.from_rows(ROWS)
    for nothing in (Trust(), Trust.from_rows([]), some.without(("a", "b", "c"))):
        assert nothing.expected(np.zeros(len(EVIDENCE))) == 0.6
    assert some.expected(None) == 0.6


@pytest.mark.parametrize("width", [3, 5])
def test_rows_of_another_release_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match=f"^what was expected of pools is told by {width} signs, not 4$"):
        Trust.from_rows([("a", 0.5, *range(width))])
