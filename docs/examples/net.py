"""The network of the front page: a stack of convolutions."""

from torch import nn


def make(depth: int = 4, width: int = 16) -> nn.Module:
    """A classifier of small pictures, ``depth`` convolutions deep after the first."""
    layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
