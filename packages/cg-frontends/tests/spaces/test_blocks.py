"""Building blocks of the search spaces: each is the network that PyTorch's layers make, and has the costs of its formula."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.spaces import blocks  # noqa: E402
from cg_ir import Graph, GraphBuilder, to_module  # noqa: E402

SHAPE = (1, 8, 12, 12)


def made(build: Callable[[GraphBuilder, int], int], shape: tuple[int, ...] = SHAPE) -> Graph:
    b = GraphBuilder()
    last = build(b, b.input(shape))
    if b.records[last].op != "Output":
        b.output(last)
    return b.build()


def unit(before: int, after: int, kernel: int, stride: int = 1, group: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=group, bias=False)
    return [convolution, nn.BatchNorm2d(after)]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.long = nn.Sequential(nn.ReLU(), *unit(8, 16, 3, 2), nn.ReLU(), *unit(16, 16, 3))
        self.short = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(8, 16, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.short(x) + self.long(x)


class Squeeze(nn.Module):
    def __init__(self, channels: int, width: int, activation: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), activation, nn.Conv2d(width, channels, 1), gate
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


class Skip(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class Reduce(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, channels // 2, 1, 2, bias=False)
        self.second = nn.Conv2d(8, channels - channels // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.relu()
        return self.norm(torch.cat([self.first(x), self.second(x[:, :, 1:, 1:])], 1))


PAIRS: dict[str, tuple[Callable[[GraphBuilder, int], int], Callable[[], nn.Module]]] = {
    "conv": (
        lambda b, x: blocks.conv(b, x, 16, 3, 2, dilation=2, group=4, bias=True),
        lambda: nn.Conv2d(8, 16, 3, 2, 2, 2, 4),
    ),
    "conv 5": (lambda b, x: blocks.conv(b, x, 4, 5), lambda: nn.Conv2d(8, 4, 5, padding="same", bias=False)),
    "conv_bn": (lambda b, x: blocks.conv_bn(b, x, 16, 3, 2, group=2), lambda: nn.Sequential(*unit(8, 16, 3, 2, 2))),
    "conv_bn_relu": (lambda b, x: blocks.conv_bn_relu(b, x, 16, 1), lambda: nn.Sequential(*unit(8, 16, 1), nn.ReLU())),
    "relu_conv_bn": (lambda b, x: blocks.relu_conv_bn(b, x, 16, 3, 2), lambda: nn.Sequential(nn.ReLU(), *unit(8, 16, 3, 2))),
    "batchnorm_relu": (blocks.batchnorm_relu, lambda: nn.Sequential(nn.BatchNorm2d(8), nn.ReLU())),
    "residual_block": (lambda b, x: blocks.residual_block(b, x, 16), Residual),
    "max_pool": (lambda b, x: blocks.max_pool(b, x, 3, 2, 1), lambda: nn.MaxPool2d(3, 2, 1)),
    "average_pool": (
        lambda b, x: blocks.average_pool(b, x, 3, 2, 1),
        lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    ),
    "squeeze_excitation": (
        lambda b, x: blocks.squeeze_excitation(b, x, 4, "Relu", "HardSigmoid"),
        lambda: Squeeze(8, 4, nn.ReLU(), nn.Hardsigmoid()),
    ),
    "mbconv": (
        lambda b, x: blocks.mbconv(b, x, 8, 5, 1, 24, "Relu"),
        lambda: Skip(*unit(8, 24, 1), nn.ReLU(), *unit(24, 24, 5, 1, 24), nn.ReLU(), *unit(24, 8, 1)),
    ),
    "mbconv with a stride": (
        lambda b, x: blocks.mbconv(b, x, 8, 3, 2, 16, "HardSwish", squeeze=4, gate="HardSigmoid"),
        lambda: nn.Sequential(
            *unit(8, 16, 1), nn.Hardswish(), *unit(16, 16, 3, 2, 16), nn.Hardswish(),
            Squeeze(16, 4, nn.ReLU(), nn.Hardsigmoid()), *unit(16, 8, 1),
        ),
    ),
    "mbconv without an expansion": (
        lambda b, x: blocks.mbconv(b, x, 16, 3, 1, 8, "Relu", squeeze=2, squeeze_activation="Swish"),
        lambda: nn.Sequential(*unit(8, 8, 3, 1, 8), nn.ReLU(), Squeeze(8, 2, nn.SiLU(), nn.Sigmoid()), *unit(8, 16, 1)),
    ),
    "separable_conv": (
        lambda b, x: blocks.separable_conv(b, x, 5, 2, dilation=2),
        lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 5, 2, 4, 2, 8, bias=False), *unit(8, 8, 1)),
    ),
    "factorized_reduce": (lambda b, x: blocks.factorized_reduce(b, x, 13), lambda: Reduce(13)),
    "classifier": (
        lambda b, x: blocks.classifier(b, x, 10),
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_block_is_the_network_of_the_layers(name: str) -> None:
    build, module = PAIRS[name]
    assert made(build).hash == from_module(module(), torch.zeros(SHAPE)).hash


def test_truncating_keeps_the_first_channels() -> None:
    graph = made(lambda b, x: blocks.truncate(b, x, 3))
    assert graph.nodes[-1].shape == (1, 3, 12, 12)
    x = torch.randn(SHAPE)
    assert torch.equal(to_module(graph)(x), x[:, :3])
    assert len(made(lambda b, x: blocks.truncate(b, x, 8))) == 2  # input and output


def test_zero_is_zero_of_the_same_shape() -> None:
    graph = made(blocks.zero)
    assert torch.equal(to_module(graph)(torch.randn(SHAPE)), torch.zeros(SHAPE))
