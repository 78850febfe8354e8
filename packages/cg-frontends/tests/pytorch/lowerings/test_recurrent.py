"""Recurrent layers, whole."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import agree, random  # noqa: E402


@pytest.mark.parametrize("cell", [nn.GRUCell, nn.LSTMCell, nn.RNNCell])
def test_recurrent_cells(cell):
    states = [] if cell is nn.LSTMCell else [random(2, 6, seed=1)]
    assert (
        agree(cell(8, 6), random(2, 8), *states).macs == {nn.GRUCell: 3, nn.LSTMCell: 4, nn.RNNCell: 1}[cell] * 6 * 14
    )
