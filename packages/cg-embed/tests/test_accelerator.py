"""Devices, precision and accumulated batches of pre-training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.accelerator import device_named, moved  # noqa: E402
from cg_embed.kgnn import graph_batch, prepare_graph  # noqa: E402
from cg_embed.path_layer import path_batch  # noqa: E402
from cg_embed.pretrain import TrainingConfig, train  # noqa: E402
from cg_ir.errors import CgError  # noqa: E402

SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


def config_of(encoder: str, **changes) -> TrainingConfig:
    options = SMALL if encoder == "contrastive" else {"channels": 4}
    return TrainingConfig(**{"encoder": encoder, "options": options, "steps": 3, "batch": 8, **changes})


def tensors(x):
    if isinstance(x, torch.Tensor):
        return [x]
    inner = x if isinstance(x, tuple) else x.values() if isinstance(x, dict) else getattr(x, "__dict__", {}).values()
    return [t for value in inner for t in tensors(value)]


def test_every_tensor_of_a_batch_moves(networks):
    graph = graph_batch([prepare_graph(g, 4) for g in networks[:4]], True, 2, True)
    for batch in (path_batch(networks[:4]), graph):
        there = tensors(moved(batch, torch.device("meta")))
        assert len(there) == len(tensors(batch)) > 8
        assert {t.device.type for t in there} == {"meta"}
        assert moved(batch, torch.device("cpu")) is batch


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_one_line(name):
    with pytest.raises(CgError, match=f"^device '{name}' cannot be used: [^\n]+$"):
        device_named(name)
    assert device_named("cpu").type == "cpu"


@pytest.mark.parametrize("encoder", ["path", "contrastive"])
def test_mixed_precision_is_near_single(networks, encoder):
    losses = {}
    for precision in ("float32", "bfloat16", "auto"):
        found = losses[precision] = []
        made = train(
            config_of(encoder, precision=precision, device="cpu"),
            {"a": networks[:20]},
            report=lambda _, loss, f=found: f.append(loss),
        )
        assert made.encode(networks[:3]).dtype == np.float32
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.05)
    assert losses["auto"] == losses["float32"]
    assert (losses["bfloat16"] == losses["float32"]) == (
        encoder == "path"
    )  # without a head, all of it is in single precision


def test_accumulated_batches_are_the_mean_of_their_gradients(networks):
    """One family of one batch: its gradient twice, halved, is its gradient."""
    families = {"a": networks[:8]}
    once, twice = [], []
    train(config_of("path", accumulate=1), families, report=lambda _, loss: once.append(loss))
    train(config_of("path", accumulate=2), families, report=lambda _, loss: twice.append(loss))
    np.testing.assert_allclose(twice, once, rtol=1e-4)


def test_a_run_goes_on_with_another_precision_but_not_another_step(networks, tmp_path):
    families = {"a": networks[:20]}
    train(config_of("path", steps=2), families, tmp_path)
    train(config_of("path", steps=2, precision="float32", device="cpu"), families, tmp_path, resume=True)
    with pytest.raises(CgError, match="accumulate"):
        train(config_of("path", steps=2, accumulate=2), families, tmp_path, resume=True)
