"""Layers that compute with Fourier transforms: costs by hand, the same outputs, the same hash after a round trip."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, agree_on_pairs, normal  # noqa: E402


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
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers(module, shape, macs):
    assert agree_on_pairs(module, normal(*shape)).macs == macs


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
    ],
)  # fmt: skip
def test_programs(function):
    agree_on_pairs(Program(function), normal(1, 5, 8))


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize(
    "name",
    [
        "fft",
        "ifft",
        "rfft",
        "irfft",
        "hfft",
        "ihfft",
        "fft2",
        "ifft2",
        "rfft2",
        "irfft2",
        "fftn",
        "ifftn",
        "rfftn",
        "irfftn",
    ],
)
def test_every_transform_with_every_norm(name, norm):
    agree_on_pairs(Program(lambda x: getattr(torch.fft, name)(x[0], norm=norm)[None]), normal(1, 3, 5, 6))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: torch.fft.fft(x, n=9, dim=1), (2, 5, 4)),  # padded
        (lambda x: torch.fft.fft(x, n=3, dim=-2), (2, 5, 4)),  # cut
        (lambda x: torch.fft.irfft(x, n=7, dim=1), (2, 4, 3)),
        (lambda x: torch.fft.rfft2(x, dim=(2, 1)), (2, 5, 4)),
        (lambda x: torch.fft.irfft2(torch.fft.rfft2(x, dim=(-1, 1)), s=(4, 5), dim=(-1, 1)), (2, 5, 4)),
        (lambda x: torch.fft.fftn(x, dim=(1, 3)), (2, 3, 2, 5)),
        (lambda x: torch.fft.fft(x), (2, 1)),
    ],
)
def test_lengths_and_axes(function, shape):
    agree_on_pairs(Program(function), normal(*shape))


def test_real_numbers_that_are_only_declared_complex_cost_half():
    declared = agree_on_pairs(Program(lambda x: torch.fft.fft(x.to(torch.cfloat))), normal(2, 8))
    assert declared.hash == agree_on_pairs(Program(lambda x: torch.fft.fft(x)), normal(2, 8)).hash
    whole = agree_on_pairs(Program(torch.fft.fft), normal(2, 8, dtype=torch.cfloat))
    assert whole.macs == 2 * declared.macs
