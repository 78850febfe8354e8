"""The paper's encoder: vectors and files."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict

import numpy as np
import pytest

from cg_embed import ContrastiveConfig, ContrastiveEncoder
from cg_embed.checkpoint import CheckpointError, write_checkpoint
from cg_ir.errors import MissingExtra

pytest.importorskip("torch")
pytest.importorskip("torch_geometric")


SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


def test_encoder_is_invariant_and_seeded(networks, recipe_of, network_of, order_of):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    x = encoder.encode(networks)
    assert x.shape == (len(networks), 32) == (len(networks), len(encoder)) == (len(networks), len(encoder.names))
    np.testing.assert_allclose(ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks), x, atol=1e-6)
    alone = np.concatenate([encoder.encode([g]) for g in networks])
    np.testing.assert_allclose(alone, x, atol=1e-5)
    z = encoder.encode(networks, projected=True)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    rng = np.random.default_rng(0)
    for _ in range(10):
        recipe = recipe_of(rng, 15)
        a, b = network_of(recipe), network_of(recipe, order=order_of(recipe, rng))
        branch = encoder.encode([a, b])[:, :16]  # of the other branch, repeated eigenvalues leave the basis open
        np.testing.assert_allclose(branch[0], branch[1], atol=1e-5)


@pytest.mark.parametrize(("both_ways", "rich"), [(True, False), (False, True)])
def test_options_beyond_the_paper(networks, both_ways, rich, tmp_path):
    config = ContrastiveConfig(**SMALL, both_ways=both_ways, rich=rich)
    encoder = ContrastiveEncoder(config)
    encoder.save(tmp_path)
    again = ContrastiveEncoder.load(tmp_path)
    assert again.config == config
    np.testing.assert_allclose(again.encode(networks), encoder.encode(networks), atol=1e-6)
    assert (
        np.abs(encoder.encode(networks) - ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks)).max() > 1e-3
    )


def test_vectors_do_not_depend_on_batches_nor_on_whether_graphs_were_prepared(networks):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    whole = encoder.encode(networks)
    np.testing.assert_allclose(encoder.encode(networks, batch_size=7), whole, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_prepared(encoder.prepare(networks)), whole, atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)
    assert encoder.encode([], projected=True).shape == (0, 8)
    assert encoder.encode(networks[:2], projected=True).dtype == np.float32


def test_another_seed_is_another_encoder_and_torchs_generator_is_left_alone(networks):
    import torch

    state = torch.random.get_rng_state()
    a, b = (ContrastiveEncoder(ContrastiveConfig(**SMALL, seed=seed)).encode(networks[:3]) for seed in (0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.abs(a - b).max() > 1e-2


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"embed.bias": None}, "weight embed.bias should have shape (16,), found nothing"),
        ({"embed.bias": np.zeros(3, dtype=np.float32)}, "weight embed.bias should have shape (16,), found (3,)"),
    ],
)
def test_weights_that_do_not_fit_are_named(damage, told, tmp_path):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    weights = {name: value.numpy() for name, value in encoder.module.state_dict().items()} | damage
    weights = {name: value for name, value in weights.items() if value is not None}
    with pytest.raises(ValueError, match=re.escape(told)):
        ContrastiveEncoder(encoder.config, weights)
    write_checkpoint(tmp_path, "contrastive", asdict(encoder.config), weights)
    with pytest.raises(CheckpointError) as caught:
        ContrastiveEncoder.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: {told}"


@pytest.mark.parametrize("config", [{"depth": 3}, {"width": "wide"}, {"heads": 3, "width": 16}, {"width": -4}])
def test_a_config_that_makes_no_encoder_is_refused(config, tmp_path):
    write_checkpoint(tmp_path, "contrastive", config, {"a": np.ones(1)})
    with pytest.raises(CheckpointError, match=f"^{tmp_path}: "):
        ContrastiveEncoder.load(tmp_path)


def test_without_torch_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"cg-embed\[torch\]"):
        ContrastiveEncoder()
