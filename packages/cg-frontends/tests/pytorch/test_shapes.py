"""Shapes that were worked out once are not worked out again, and recurrent layers take no step for each element."""

from __future__ import annotations

import time

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


def test_a_recurrent_layer_takes_no_step_for_each_element():
    layer = nn.LSTM(32, 32, batch_first=True)
    from_module(layer, torch.zeros(1, 4, 32))
    begun = time.process_time()
    assert from_module(layer, torch.zeros(1, 20_000, 32)).macs == 20_000 * 4 * 32 * 64
    assert time.process_time() - begun < 5
