"""From lowered nodes to a graph: parameters that nodes share in part become nodes of their own, and all are counted once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import Attending, wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


def test_unused_and_shared_parameters():
    graph = from_module(Attending(), torch.zeros(1, 3, 32, 32))
    assert graph.extras["unused_parameters"] == 3 * 5 + 5
    assert sorted(graph.weight_keys.values()) == ["first.weight", "first.weight"]


def test_tied_weight_with_another_bias_is_counted_once():
    layers = wrap(lambda self, x: self.b(self.a(x)), a=nn.Linear(6, 6), b=nn.Linear(6, 6))
    layers.b.weight = layers.a.weight
    graph = from_module(layers, torch.zeros(1, 6))
    assert graph.params == 36 + 6 + 6
    convolutions = wrap(lambda self, x: self.b(self.a(x)), a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1))
    convolutions.b.weight = convolutions.a.weight
    assert from_module(convolutions, torch.zeros(1, 4, 5, 5)).params == 16 + 4 + 4
