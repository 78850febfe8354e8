"""Which operators share parameters, by the memory that they read."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


def test_a_module_used_twice_shares():
    graph = from_module(wrap(lambda self, x: self.a(self.a(x)), a=nn.Linear(6, 6)), torch.zeros(1, 6))
    assert graph.params == 42
    assert len(graph.weight_keys) == 2
