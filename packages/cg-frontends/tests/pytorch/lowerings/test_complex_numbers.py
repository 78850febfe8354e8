"""Layers that compute with Fourier transforms and complex numbers: costs by hand, the same outputs, the same hash after a round trip."""

from __future__ import annotations

import math
import warnings

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch_programs import Program  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.lowering.lowering import UnknownOperatorWarning  # noqa: E402
from cg_frontends.pytorch import copy_weights, from_module  # noqa: E402


class FNetMixing(nn.Module):
    """Lee-Thorp et al. 2021: the real part of the transform along tokens and features."""

    def __init__(self, width=16):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Linear(width, width)

    def forward(self, x):
        return self.feed(self.norm(torch.fft.fft2(x, dim=(-2, -1)).real + x))


class GlobalFilter(nn.Module):
    """Rao et al. 2021: a learned filter, its complex weights stored as pairs."""

    def __init__(self, height=6, width=6, channels=8):
        super().__init__()
        self.complex_weight = nn.Parameter(torch.randn(height, width // 2 + 1, channels, 2))

    def forward(self, x):
        _, h, w, _ = x.shape
        x = torch.fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(self.complex_weight)
        return torch.fft.irfft2(x, s=(h, w), dim=(1, 2), norm="ortho")


class SpectralConvolution(nn.Module):
    """Li et al. 2021: complex weights for the lowest frequencies, written into a spectrum of zeros."""

    def __init__(self, inside=4, outside=5, modes=3):
        super().__init__()
        self.outside, self.modes = outside, modes
        self.first, self.second = (
            nn.Parameter(torch.randn(inside, outside, modes, modes, dtype=torch.cfloat)) for _ in range(2)
        )
        self.skip = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        n, _, h, w = x.shape
        m, spectrum = self.modes, torch.fft.rfft2(x)
        kept = torch.zeros(n, self.outside, h, w // 2 + 1, dtype=torch.cfloat, device=x.device)
        kept[:, :, :m, :m] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :m, :m], self.first)
        kept[:, :, -m:, :m] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, -m:, :m], self.second)
        return F.gelu(torch.fft.irfft2(kept, s=(h, w)) + self.skip(x))


class AdaptiveFourierMixing(nn.Module):
    """Guibas et al. 2022: a block-diagonal layer on the spectrum, written with real parts."""

    def __init__(self, blocks=2, width=4):
        super().__init__()
        self.blocks, self.width = blocks, width
        self.weight = nn.Parameter(torch.randn(2, blocks, width, width))
        self.bias = nn.Parameter(torch.randn(2, blocks, width))

    def forward(self, x):
        n, h, w, c = x.shape
        y = torch.fft.rfft2(x, dim=(1, 2), norm="ortho").reshape(n, h, w // 2 + 1, self.blocks, self.width)

        def product(part, i):
            return torch.einsum("...bi,bio->...bo", part, self.weight[i])

        real = F.relu(product(y.real, 0) - product(y.imag, 1) + self.bias[0])
        imaginary = F.relu(product(y.imag, 0) + product(y.real, 1) + self.bias[1])
        y = torch.view_as_complex(F.softshrink(torch.stack([real, imaginary], -1), 0.01)).reshape(n, h, -1, c)
        return torch.fft.irfft2(y, s=(h, w), dim=(1, 2), norm="ortho") + x


class LongConvolution(nn.Module):
    """Gu et al. 2022: a kernel of complex exponentials, convolved through the spectrum."""

    def __init__(self, channels=4, states=3):
        super().__init__()
        self.out = nn.Parameter(torch.randn(channels, states, 2))
        self.decay = nn.Parameter(torch.rand(channels, states))
        self.frequency = nn.Parameter(math.pi * torch.arange(states).repeat(channels, 1))

    def forward(self, x):
        length = x.shape[-1]
        rate = -torch.exp(self.decay) + 1j * self.frequency
        states = torch.exp(rate.unsqueeze(-1) * torch.arange(length, device=x.device))
        scale = torch.view_as_complex(self.out) * (torch.exp(rate) - 1.0) / rate
        kernel = 2 * torch.einsum("hn,hnl->hl", scale, states).real
        spectrum = torch.fft.rfft(x, n=2 * length) * torch.fft.rfft(kernel, n=2 * length)
        return torch.fft.irfft(spectrum, n=2 * length)[..., :length]


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


def pairs(tensor):
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def agree(module, *inputs):
    """The graph of a module whose network computes the same."""
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


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("module", "shape", "macs"),
    [
        # 5 real lines of 16, 16 complex ones of 5, one matrix
        (FNetMixing(), (2, 5, 16), 5 * 16 * 4 + 16 * 2 * 5 * 3 + 5 * 16 * 16),
        # each way 6 x 8 real lines of 6, 4 x 8 complex ones
        (GlobalFilter(), (2, 6, 6, 8), 2 * (48 * 6 * 3 + 32 * 2 * 6 * 3)),
        # 32 real lines of 8 and 20 complex ones; two products of 4 x 5 complex numbers, 9 times; back 25 and 40; the skip
        (SpectralConvolution(), (2, 4, 8, 8), 32 * 24 + 20 * 48 + 2 * 4 * 180 + 25 * 48 + 40 * 24 + 4 * 5 * 64),
        # as above, four products of 2 blocks of 4 x 4 on 6 x 4 places
        (AdaptiveFourierMixing(), (2, 6, 6, 8), 2 * (48 * 18 + 32 * 36) + 4 * 24 * 2 * 16),
        # three transforms of 4 real lines of 14, and the kernel: 4 x 3 states, 7 steps, complex
        (LongConvolution(), (1, 4, 7), 3 * 4 * 14 * 4 + 4 * 4 * 3 * 7),
        (RotaryEmbedding(), (2, 5, 8), 0),
        (ComplexLayers(), (2, 8), 8 * 3 + 4 * 8 * 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers(module, shape, macs):
    assert agree(module, random(*shape)).macs == macs


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.fft.ifft(torch.fft.fft(x, norm="ortho"), norm="forward").real,
        lambda x: torch.fft.irfft(torch.fft.rfft(x, n=7), n=7, norm="ortho"),
        lambda x: torch.fft.hfft(x),
        lambda x: torch.fft.fftshift(torch.fft.rfft(x, dim=1), dim=(1,)).angle(),
        lambda x: torch.stft(x[:, 0], 4, 2, window=torch.hann_window(4, device=x.device), return_complex=True).abs(),
        lambda x: torch.istft(torch.stft(x.flatten(1), 16, 4, window=torch.hann_window(16), return_complex=True), 16, 4,
                              window=torch.hann_window(16)),
        lambda x: torch.fft.rfft(x),
        lambda x: (x * (1 + 2j) + 3 - 1j).imag,
        lambda x: torch.polar(x, x) / torch.complex(x + 3, x),
        lambda x: (torch.fft.fft(x) @ torch.fft.fft(x).mT.conj()).sum(-1).real,
        lambda x: torch.cat([torch.fft.rfft(x), torch.fft.rfft(x).flip(-1)], -1)[..., 2:].permute(2, 0, 1).abs(),
        lambda x: torch.where(x > 0, torch.fft.fft(x), 0).real + torch.fft.fft(x).masked_fill(x < 0, 0).imag,
        lambda x: torch.stack([torch.fft.fft(x), -torch.fft.ifft(x)]).transpose(0, 1).mean(1).real.contiguous(),
    ],
)  # fmt: skip
def test_programs(function):
    agree(Program(function), random(1, 5, 8))


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
    agree(Program(function), random(1, 5, 8))


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
        graph = from_module(Program(function), random(1, 5, 8))
    assert any(node.op == "Custom" for node in graph.nodes)


def test_complex_inputs_are_pairs():
    graph = agree(Program(lambda x: x * x / (2 + 1j)), random(2, 4, dtype=torch.cfloat))
    assert [node.shape for node in graph.nodes if node.op in ("Input", "Output")] == [(1, 4, 2), (1, 4, 2)]


def test_real_parameters_between_complex_numbers_are_owned_once():
    weight = nn.Parameter(random(8, 3, dtype=torch.cfloat))
    module = Program(lambda x: torch.fft.fft(x) @ module.weight)
    module.weight = weight
    graph = agree(module, random(2, 8))
    assert [node.op for node in graph.nodes].count("Gemm") == 4
