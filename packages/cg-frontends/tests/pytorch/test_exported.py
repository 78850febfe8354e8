"""Programs of torch.export, torch.fx and TorchScript."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


def test_traced_and_scripted_modules():
    layers = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU()).eval()
    x = random(2, 8)
    graph = from_module(layers, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in (torch.jit.script(layers), torch.jit.trace(layers, x)):
            wanted = module(x)
            assert from_module(module, x).hash == graph.hash
            assert torch.equal(module(x), wanted)  # left as it was
