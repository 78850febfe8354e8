"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cg_evolve.evaluators.datasets import Images
from cg_ir import to_module

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cg_ir.graph import Graph

__all__ = ["Training"]

_MOMENTUM = 0.9
_WEIGHT_DECAY = 5e-4
_WARM_UP = 0.1  # share of the steps
_CLIP = 5.0  # norm of the gradient
_DIVERGED = 4.0  # times the loss of a uniform guess


class Training:
    """A training that goes on epoch by epoch, and from a file; see :class:`cg_evolve.evaluators.train.TrainEvaluator`.

    Args:
        graph: the network, with one image as its input.
        images: what to learn.
        epochs, batch, lr, device, seed: as their names say.

    Attributes:
        epoch: epochs that are done.
        diverged: whether the loss has become no number or far too large; then nothing changes any more.
    """

    def __init__(
        self, graph: Graph, images: Images, *, epochs: int, batch: int, lr: float, device: str, seed: int
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = to_module(graph).to(device)
        self._generator = torch.Generator().manual_seed(seed)
        self._channels, *self._side = next(node.shape for node in graph.nodes if node.op == "Input")[1:]
        x = _tensor(images.train, self._channels, self._side)
        self._mean, self._std = x.mean(dim=(0, 2, 3), keepdim=True), x.std(dim=(0, 2, 3), keepdim=True) + 1e-6
        self._x, self._y = (x - self._mean) / self._std, torch.from_numpy(images.train_labels)
        self._optimizer = torch.optim.SGD(
            self._module.parameters(), lr=lr, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY, nesterov=True
        )
        self._images, self._batch, self._lr, self._device = images, batch, lr, device
        self._total = math.ceil(len(x) / batch) * epochs
        self._warm = max(1, round(_WARM_UP * self._total))
        self._limit = _DIVERGED * math.log(images.classes)
        self._step, self._loss_sum = 0, 0.0
        self.epoch, self.diverged = 0, False

    def advance(self) -> None:
        """Train for one epoch."""
        self.epoch += 1
        if self.diverged:
            return
        self._module.train()
        self._loss_sum = 0.0
        for chosen in torch.randperm(len(self._x), generator=self._generator).split(self._batch):
            if len(chosen) == 1 and len(self._x) > 1:
                continue  # batch normalisation needs two
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate()
            inputs = _augment(self._x[chosen], self._images, self._generator).to(self._device)
            loss = F.cross_entropy(_logits(self._module, inputs), self._y[chosen].to(self._device))
            value = float(loss.detach())
            if not math.isfinite(value) or (self._step > self._warm and value > self._limit):
                self.diverged = True
                return
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self._module.parameters(), _CLIP)
            self._optimizer.step()
            self._loss_sum += value * len(chosen)
            self._step += 1

    def _rate(self) -> float:
        """The learning rate of the next step."""
        done = max(0, self._step - self._warm) / max(1, self._total - self._warm)
        return self._lr * min((self._step + 1) / self._warm, 0.5 * (1 + math.cos(math.pi * done)))

    @property
    def loss(self) -> float:
        """The mean loss of the epoch that ended last, a large one where the training diverged."""
        return self._limit if self.diverged else self._loss_sum / len(self._x)

    def metrics(self) -> dict[str, float]:
        """What the network has reached: ``accuracy``, ``test_accuracy`` (percent), ``train_loss`` and ``diverged``."""
        parts = ((self._images.valid, self._images.valid_labels), (self._images.test, self._images.test_labels))
        accuracies = [
            _accuracy(
                self._module,
                (_tensor(part, self._channels, self._side) - self._mean) / self._std,
                torch.from_numpy(labels),
                self._device,
            )
            for part, labels in parts
        ]
        return {
            "accuracy": accuracies[0],
            "test_accuracy": accuracies[1],
            "train_loss": self.loss,
            "diverged": float(self.diverged),
        }

    # --- on disk ------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write everything that :meth:`load` needs, as plain arrays."""
        arrays = {f"module.{name}": tensor.cpu().numpy() for name, tensor in self._module.state_dict().items()}
        for i, parameter in enumerate(self._module.parameters()):
            momentum = self._optimizer.state[parameter].get("momentum_buffer")
            if momentum is not None:
                arrays[f"momentum.{i}"] = momentum.cpu().numpy()
        arrays["generator"] = self._generator.get_state().numpy()
        arrays["counts"] = np.array([self.epoch, self._step, self._loss_sum, self.diverged])
        np.savez(path, **arrays)

    def load(self, path: Path) -> None:
        """Go on from where :meth:`save` was."""
        with np.load(path, allow_pickle=False) as arrays:
            state = {name: torch.from_numpy(arrays[f"module.{name}"]) for name in self._module.state_dict()}
            self._module.load_state_dict(state)
            for i, parameter in enumerate(self._module.parameters()):
                if f"momentum.{i}" in arrays:
                    momentum = torch.from_numpy(arrays[f"momentum.{i}"]).to(self._device)
                    self._optimizer.state[parameter]["momentum_buffer"] = momentum
            self._generator.set_state(torch.from_numpy(arrays["generator"]))
            epoch, step, self._loss_sum, diverged = arrays["counts"].tolist()
        self.epoch, self._step, self.diverged = int(epoch), int(step), bool(diverged)


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
