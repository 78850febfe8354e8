"""Layers that compute with complex numbers: costs by hand, the same outputs, the same hash after a round trip."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch_programs import Program, agree_on_pairs, normal  # noqa: E402

from cg_frontends.lowering.lowering import UnknownOperatorWarning  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402


class RotaryEmbedding(nn.Module):
    """Su et al. 2021, with a complex buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("turns", torch.polar(torch.ones(5, 4), torch.outer(torch.arange(5.0), torch.rand(4))))

    def forward(self, x):
        return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], 4, 2)) * self.turns).flatten(2)


class ComplexLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 3, dtype=torch.cfloat)

    def forward(self, x):
        return self.inner(torch.fft.fft(x)).abs()


@pytest.mark.parametrize(
    ("module", "shape", "macs"),
    [
        (RotaryEmbedding(), (2, 5, 8), 0),
        (ComplexLayers(), (2, 8), 8 * 3 + 4 * 8 * 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers(module, shape, macs):
    assert agree_on_pairs(module, normal(*shape)).macs == macs


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x * (1 + 2j) + 3 - 1j).imag,
        lambda x: torch.polar(x, x) / torch.complex(x + 3, x),
        lambda x: (torch.fft.fft(x) @ torch.fft.fft(x).mT.conj()).sum(-1).real,
        lambda x: torch.cat([torch.fft.rfft(x), torch.fft.rfft(x).flip(-1)], -1)[..., 2:].permute(2, 0, 1).abs(),
        lambda x: torch.where(x > 0, torch.fft.fft(x), 0).real + torch.fft.fft(x).masked_fill(x < 0, 0).imag,
        lambda x: torch.stack([torch.fft.fft(x), -torch.fft.ifft(x)]).transpose(0, 1).mean(1).real.contiguous(),
    ],
)  # fmt: skip
def test_programs(function):
    agree_on_pairs(Program(function), normal(1, 5, 8))


def written(x):
    """A spectrum into which real and complex numbers are written."""
    found = torch.zeros(1, 5, 8, dtype=torch.cfloat, device=x.device)
    found[:, :, :4] = x[:, :, 4:]
    found[:, 1:3, 4:] = torch.fft.fft(x[:, 0, :4])
    return found


@pytest.mark.parametrize(
    "function",
    [
        written,
        lambda x: torch.cat([x, torch.fft.fft(x)], 1),
        lambda x: torch.stack([torch.fft.fft(x), x.to(torch.cfloat)], 1).sum(),
        lambda x: F.pad(torch.fft.fft(x), (1, 2)),
    ],
)
def test_real_numbers_among_complex_ones(function):
    agree_on_pairs(Program(function), normal(1, 5, 8))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pad(torch.fft.fft(x), (1, 2), value=1.0),
        lambda x: torch.fft.fft(x).masked_fill(x > 0, 1.0),
        lambda x: torch.fft.fft(x).clone().fill_(x.sum()),
        lambda x: torch.fft.fft(x).sqrt(),
        lambda x: torch.fft.fft(x).view(torch.float32).view(torch.int32),
    ],
)
def test_what_is_not_known_of_complex_numbers_is_custom(function):
    with pytest.warns(UnknownOperatorWarning):
        graph = from_module(Program(function), normal(1, 5, 8))
    assert any(node.op == "Custom" for node in graph.nodes)


def test_complex_inputs_are_pairs():
    graph = agree_on_pairs(Program(lambda x: x * x / (2 + 1j)), normal(2, 4, dtype=torch.cfloat))
    assert [node.shape for node in graph.nodes if node.op in ("Input", "Output")] == [(1, 4, 2), (1, 4, 2)]


def test_real_parameters_between_complex_numbers_are_owned_once():
    weight = nn.Parameter(normal(8, 3, dtype=torch.cfloat))
    module = Program(lambda x: torch.fft.fft(x) @ module.weight)
    module.weight = weight
    graph = agree_on_pairs(module, normal(2, 8))
    assert [node.op for node in graph.nodes].count("Gemm") == 4
