"""Small networks and programs, and whether the network of their graph computes what they do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import cg_ir
from cg_frontends.pytorch import copy_weights, from_module


class Program(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(*inputs)


def wrap(function: Callable[..., object], **members: object) -> nn.Module:
    """A module with these members, whose ``forward`` is ``function(self, ...)``."""

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, member in members.items():
                setattr(self, name, member)

        def forward(self, *args: Any, **kwargs: Any) -> object:
            return function(self, *args, **kwargs)

    return Wrapped()


def operators(graph: cg_ir.Graph) -> list[str]:
    """The operators of a graph in order."""
    return [node.op for node in graph.nodes]


class Convolutional(nn.Module):
    """Stem, depthwise and grouped convolutions, in-place activations, squeeze and excitation, residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
        )
        self.depthwise = nn.Conv2d(8, 8, 5, padding="same", groups=8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.squeeze = nn.Conv2d(8, 8, 1)
        self.up = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)
        self.head = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = F.hardswish(self.depthwise(x))
        y = y * F.hardsigmoid(self.squeeze(y.mean((2, 3), keepdim=True)))
        x = x + self.grouped(y)
        x += y
        return self.head(F.dropout(self.up(x).mean(3).mean(2), training=self.training))


class Attending(nn.Module):
    """Patches, class token, positions, two kinds of attention, shared and unused weights, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.position = nn.Parameter(torch.zeros(1, 65, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
        self.first = nn.Linear(16, 16, bias=False)
        self.second = nn.Linear(16, 16, bias=False)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(3, 5)
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1) + self.position[:, : x.shape[1] + 1]
        x = self.attention(x, x, x, need_weights=False)[0] * self.scale
        q, k, v = x.chunk(3, dim=1)[0], x[:, :5], x[:, :5]
        y = F.scaled_dot_product_attention(q, k, v)
        return {"tokens": self.encoder(self.second(self.first(y))), "class": x[:, 0]}


class Recurrent(nn.Module):
    """Embedding with tied output, stacked recurrent layers, a carried state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 12, 2, batch_first=True, bidirectional=True, proj_size=6)
        self.gru = nn.GRU(12, 8, batch_first=True)
        self.rnn = nn.RNN(8, 8, nonlinearity="relu", bias=False, batch_first=True)
        self.out = nn.Linear(8, 50, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, _ = self.lstm(self.embedding(tokens))
        x, state = self.gru(x)
        x, _ = self.rnn(x, state)
        return self.out(x), state


NETWORKS = {
    "convolutional": (Convolutional, lambda: torch.zeros(1, 3, 32, 32)),
    "attending": (Attending, lambda: torch.zeros(1, 3, 32, 32)),
    "recurrent": (Recurrent, lambda: torch.zeros(1, 7, dtype=torch.int64)),
}


def agree(module: nn.Module, *inputs: torch.Tensor, **kwargs: Any) -> cg_ir.Graph:
    """The graph, without a Custom or a warning, of a module whose network computes the same and comes back with the same hash."""
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = from_module(module, *inputs, **kwargs)
    network = cg_ir.to_module(graph).eval()
    copy_weights(module, network, *inputs, **kwargs)
    with torch.no_grad():
        for wanted, found in zip(_tensors(module(*inputs, **kwargs)), _tensors(network(*inputs)), strict=True):
            assert wanted.shape == found.shape
            assert wanted.is_floating_point() == found.is_floating_point()
            torch.testing.assert_close(found.double(), wanted.double(), rtol=1e-5, atol=1e-4, equal_nan=True)
    assert from_module(network, *inputs).hash == graph.hash
    return graph


def pairs(tensor: torch.Tensor) -> torch.Tensor:
    """Complex numbers as pairs along one axis more, as a graph holds them; others as they are."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def agree_on_pairs(module: nn.Module, *inputs: torch.Tensor) -> cg_ir.Graph:
    """As `agree`, for a verified conversion of a module with one output that may take, learn and give complex numbers."""
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = from_module(module, *inputs, verify=True)
    network = cg_ir.to_module(graph).eval()
    copy_weights(module, network, *inputs)
    given = [pairs(x) for x in inputs]
    with torch.no_grad():
        wanted, found = pairs(module(*inputs)), network(*given)
    assert wanted.shape == found.shape
    assert torch.allclose(wanted, found, atol=1e-4, rtol=1e-4)
    assert from_module(network, *given).hash == graph.hash
    assert graph.params == sum(pairs(p).numel() for p in module.parameters())
    return graph


def computes(function: Callable[..., object], *inputs: torch.Tensor) -> cg_ir.Graph:
    """As `agree`, for a function of tensors."""
    return agree(Program(function), *inputs)


def _tensors(result: Any) -> tuple[torch.Tensor, ...]:
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    """Uniform random numbers between 0 and 1."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Normal random numbers."""
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def below(limit: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """Random whole numbers from 0 to below a limit."""
    return torch.randint(0, limit, shape, generator=torch.Generator().manual_seed(seed))
