"""A Gaussian process on readouts."""

from __future__ import annotations

import numpy as np
import pytest

from cg_predict.metrics import spearman
from cg_predict.readout_process import ReadoutProcess

READOUT = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


@pytest.mark.parametrize("messages", [3, 6])
def test_what_readouts_tell_is_learned(messages: int) -> None:
    targets = np.sin(READOUT[:, 0].astype(float)) + 0.5 * READOUT[:, 1]
    process = ReadoutProcess(READOUT, messages, seed=0).fit(READOUT[:50], targets[:50])
    assert spearman(process.predict(READOUT[50:]), targets[50:]) > 0.8
    again = ReadoutProcess(READOUT, messages, seed=0).fit(READOUT[:50], targets[:50])
    np.testing.assert_array_equal(again.predict(READOUT[50:]), process.predict(READOUT[50:]))


def test_labels_decide_how_much_attention_is_heard() -> None:
    """What only the last columns tell is heard of all columns, and what messages alone do not tell is not missed."""
    targets = READOUT[:, 5].astype(float)
    both, alone = (
        spearman(ReadoutProcess(r, 3, 0).fit(r[:50], targets[:50]).predict(r[50:]), targets[50:])
        for r in (READOUT, READOUT[:, :3])
    )
    assert both > 0.7
    assert alone < 0.4


def test_columns_count_in_deviations_of_the_networks_around() -> None:
    targets = READOUT[:, 0].astype(float)
    scaled = READOUT * np.array([1e3, 1, 1e-2, 1, 10, 1], dtype=np.float32) + 5
    found = [ReadoutProcess(r, 6, 0).fit(r[:40], targets[:40]).predict(r[40:]) for r in (READOUT, scaled)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)
