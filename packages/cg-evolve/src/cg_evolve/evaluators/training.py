"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cg_evolve.evaluators.datasets import Images
from cg_ir import to_module

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cg_ir.graph import Graph

__all__ = ["train_network"]

_MOMENTUM = 0.9
_WEIGHT_DECAY = 5e-4
_WARM_UP = 0.1  # share of the steps
_CLIP = 5.0  # norm of the gradient
_DIVERGED = 4.0  # times the loss of a uniform guess


def train_network(
    graph: Graph,
    images: Images,
    *,
    epochs: int,
    batch: int,
    lr: float,
    device: str,
    seed: int,
) -> dict[str, float]:
    """Train a network and measure it; see :class:`cg_evolve.evaluators.train.TrainEvaluator`.

    Args:
        graph: the network, with one image as its input.
        images: what to learn.
        epochs, batch, lr, device, seed: as their names say.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = to_module(graph).to(device)
    generator = torch.Generator().manual_seed(seed)
    channels, *side = next(node.shape for node in graph.nodes if node.op == "Input")[1:]
    x = _tensor(images.train, channels, side)
    mean, std = x.mean(dim=(0, 2, 3), keepdim=True), x.std(dim=(0, 2, 3), keepdim=True) + 1e-6
    x, y = (x - mean) / std, torch.from_numpy(images.train_labels)
    optimizer = torch.optim.SGD(
        module.parameters(), lr=lr, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY, nesterov=True
    )
    steps = math.ceil(len(x) / batch)
    total = steps * epochs
    warm = max(1, round(_WARM_UP * total))
    limit = _DIVERGED * math.log(images.classes)
    step, loss_sum, diverged = 0, 0.0, False
    for _ in range(epochs):
        module.train()
        order = torch.randperm(len(x), generator=generator)
        loss_sum = 0.0
        for chosen in order.split(batch):
            if len(chosen) == 1 and len(x) > 1:
                continue  # batch normalisation needs two
            rate = lr * min(
                (step + 1) / warm, 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, total - warm)))
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            inputs = _augment(x[chosen], images, generator).to(device)
            loss = F.cross_entropy(_logits(module, inputs), y[chosen].to(device))
            value = float(loss.detach())
            if not math.isfinite(value) or (step > warm and value > limit):
                diverged = True
                break
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), _CLIP)
            optimizer.step()
            loss_sum += value * len(chosen)
            step += 1
        if diverged:
            break
    accuracies = [
        _accuracy(module, (_tensor(part, channels, side) - mean) / std, torch.from_numpy(labels), device)
        for part, labels in ((images.valid, images.valid_labels), (images.test, images.test_labels))
    ]
    return {
        "accuracy": accuracies[0],
        "test_accuracy": accuracies[1],
        "train_loss": limit if diverged else loss_sum / len(x),
        "diverged": float(diverged),
    }


def _logits(module: nn.Module, inputs: Tensor) -> Tensor:
    result = module(inputs)
    logits: Tensor = result[0] if isinstance(result, tuple) else result
    return logits


def _tensor(images: NDArray[np.uint8], channels: int, side: Sequence[int]) -> Tensor:
    """Float images of the network's shape, (n, channels, *side)."""
    x = torch.from_numpy(images).float() / 255
    if tuple(x.shape[2:]) != tuple(side):
        x = F.interpolate(x, size=tuple(side), mode="bilinear", align_corners=False, antialias=True)
    if x.shape[1] == channels:
        return x
    return x.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1).contiguous()


def _augment(x: Tensor, images: Images, generator: torch.Generator) -> Tensor:
    """Random shifts, and reflections where the data allow them."""
    height, width = x.shape[2:]
    reach = max(1, round(images.shift * min(height, width)))
    padded = F.pad(x, (reach,) * 4)
    shifts = torch.randint(0, 2 * reach + 1, (len(x), 2), generator=generator)
    rows = (shifts[:, :1] + torch.arange(height))[:, None, :, None]
    columns = (shifts[:, 1:] + torch.arange(width))[:, None, None, :]
    if images.flip:
        mirrored = torch.rand(len(x), generator=generator) < 0.5
        columns = torch.where(mirrored[:, None, None, None], columns.flip(-1), columns)
    n = torch.arange(len(x))[:, None, None, None]
    c = torch.arange(x.shape[1])[None, :, None, None]
    return padded[n, c, rows, columns]


def _accuracy(module: nn.Module, x: Tensor, y: Tensor, device: str) -> float:
    """Percentage of right answers."""
    module.eval()
    right = 0
    with torch.inference_mode():
        for inputs, labels in zip(x.split(256), y.split(256), strict=True):
            right += int((_logits(module, inputs.to(device)).argmax(dim=1).cpu() == labels).sum())
    return 100.0 * right / len(y)
