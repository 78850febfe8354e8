"""The training loop against torch's own optimizer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from toy_plugin import classifier

from cg_evolve.evaluators.datasets import Images
from cg_evolve.evaluators.training import Training, _augment, _tensor


def images(count: int = 12, flip: bool = False, shift: float = 0.0) -> Images:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8), rng.integers(0, 10, count)
    return Images(x, y, x[:4], y[:4], x[4:], y[4:], 10, flip, shift)


def made(**options: Any) -> Training:
    settings = {"epochs": 2, "batch": 5, "lr": 0.1, "device": "cpu", "seed": 3} | options
    return Training(classifier(), settings.pop("images", images()), **settings)


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    training = made(epochs=10, batch=3, images=images(30))  # 100 steps, of which 10 warm up
    rates = []
    for step in range(100):
        training._step = step
        rates.append(training._rate())
    cosine = [0.1 * 0.5 * (1 + math.cos(math.pi * (step - 10) / 90)) for step in range(10, 100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) / 10 for i in range(10)])
    assert rates[10:] == pytest.approx(cosine)


def test_an_epoch_is_that_of_torchs_own_optimizer() -> None:
    """Batches in the seed's order, shifted images, clipped gradients, Nesterov momentum and weight decay."""
    data = images(10)
    training, twin = made(images=data), made(images=data)
    module, generator = twin._module, torch.Generator().manual_seed(3)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0, momentum=0.9, weight_decay=5e-4, nesterov=True)
    x, losses = torch.from_numpy(data.train).float() / 255, []
    x = (x - x.mean()) / (x.std() + 1e-6)
    module.train()
    for step, chosen in enumerate(torch.randperm(10, generator=generator).split(5)):
        optimizer.param_groups[0]["lr"] = 0.1 * (1.0 if step == 0 else 0.5 * (1 + math.cos(math.pi * (step - 1) / 3)))
        batch = torch.nn.functional.pad(x[chosen], (1,) * 4)
        places = torch.randint(0, 3, (5, 2), generator=generator)
        batch = torch.stack(
            [image[:, r : r + 8, c : c + 8] for image, (r, c) in zip(batch, places.tolist(), strict=True)]
        )
        loss = torch.nn.functional.cross_entropy(module(batch), torch.from_numpy(data.train_labels)[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    training.advance()
    assert training.epoch == 1
    assert training.loss == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, theirs in zip(training._module.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_training_goes_on_from_its_file_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, begun = made(), made()
    begun.advance()
    begun.save(tmp_path / "state.npz")
    resumed = made(seed=99)
    resumed.load(tmp_path / "state.npz")
    for training in (whole, whole, resumed):
        training.advance()
    assert (resumed.epoch, resumed._step) == (whole.epoch, whole._step) == (2, 6)
    assert resumed.loss == whole.loss
    assert resumed.metrics() == whole.metrics()


def test_a_training_that_diverges_changes_no_more() -> None:
    training = made(lr=1e30, epochs=50)
    for _ in range(5):
        training.advance()
    assert training.diverged
    before = [parameter.clone() for parameter in training._module.parameters()]
    training.advance()
    assert all(torch.equal(a, b) for a, b in zip(before, training._module.parameters(), strict=True))
    assert training.loss == pytest.approx(4 * math.log(10))
    assert training.metrics()["diverged"] == 1.0


def test_accuracies_are_shares_of_right_answers_in_percent() -> None:
    training, data = made(), images()
    with torch.no_grad():
        for parameter in training._module.parameters():
            parameter.zero_()
        list(training._module.parameters())[-1][int(data.valid_labels[0])] = 1.0  # the same answer for all
    metrics = training.metrics()
    assert metrics["accuracy"] == pytest.approx(100 * (data.valid_labels == data.valid_labels[0]).mean())
    assert metrics["test_accuracy"] == pytest.approx(100 * (data.test_labels == data.valid_labels[0]).mean())


@pytest.mark.parametrize("flip", [False, True])
def test_augmented_images_are_shifted_and_mirrored_copies(flip: bool) -> None:
    data = images(40, flip, shift=1 / 4)
    x = torch.from_numpy(data.train).float() + 1
    made = _augment(x, data, torch.Generator().manual_seed(0))
    mirrored = 0
    for image, copy in zip(x, made, strict=True):

        def shifted(image: torch.Tensor) -> list[torch.Tensor]:
            padded = torch.nn.functional.pad(image, (2,) * 4)
            return [padded[:, r : r + 8, c : c + 8] for r in range(5) for c in range(5)]

        plain = any(torch.equal(copy, one) for one in shifted(image))
        turned = any(torch.equal(copy, one.flip(-1)) for one in shifted(image))
        assert plain or turned
        mirrored += not plain
    assert (10 < mirrored < 30) if flip else mirrored == 0


def test_images_take_the_networks_shape() -> None:
    pixels = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    assert torch.equal(_tensor(pixels, 3, (4, 4)), torch.from_numpy(pixels) / 255)
    grey = _tensor(pixels, 1, (4, 4))
    torch.testing.assert_close(grey[:, 0], torch.from_numpy(pixels).float().mean(dim=1) / 255)
    assert _tensor(pixels[:, :1], 3, (2, 6)).shape == (2, 3, 2, 6)
    smaller = _tensor(pixels, 3, (2, 2))
    assert float(smaller.mean()) == pytest.approx(float(pixels.mean()) / 255, rel=1e-3)
