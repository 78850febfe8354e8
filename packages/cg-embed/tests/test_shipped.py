"""The checkpoints that ship with the package."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import ContrastiveEncoder, PathEncoder, shipped_encoder
from cg_embed.checkpoint import shipped_directory
from cg_embed.path_encoder import random_weights

KINDS = ("path", "contrastive")


def test_sizes_and_cards():
    files = [file for kind in KINDS for file in shipped_directory(kind).rglob("*")]
    assert sum(file.stat().st_size for file in files) < 5e6
    for kind in KINDS:
        names = sorted(file.name for file in shipped_directory(kind).iterdir())
        assert names == ["README.md", "config.json", "model.safetensors"]
        card = (shipped_directory(kind) / "README.md").read_text(encoding="utf-8")
        assert "Apache-2.0" in card
        assert "## Data" in card


def test_the_path_encoder_is_trained(networks):
    shipped = PathEncoder.shipped()
    random = PathEncoder(shipped.config)
    moved = [np.abs(shipped.weights[name] - random.weights[name]).max() for name in random.weights]
    assert min(moved) > 1e-3
    x = shipped.encode(networks)
    assert np.isfinite(x).all()
    assert np.abs(x - random.encode(networks)).max() > 0.1


def test_the_shipped_encoder_has_an_untrained_twin(networks):
    trained, untrained = shipped_encoder(), shipped_encoder(trained=False)
    assert untrained.config == trained.config
    np.testing.assert_array_equal(trained.encode(networks[:5]), PathEncoder.shipped().encode(networks[:5]))
    for name, value in random_weights(trained.config).items():
        np.testing.assert_array_equal(untrained.weights[name], value)
    assert np.abs(trained.encode(networks[:5]) - untrained.encode(networks[:5])).max() > 0.1


def test_the_contrastive_encoder_is_trained(networks):
    pytest.importorskip("torch_geometric")
    shipped = ContrastiveEncoder.shipped()
    x = shipped.encode(networks)
    assert np.isfinite(x).all()
    assert np.abs(x - ContrastiveEncoder(shipped.config).encode(networks)).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_are_those_of_the_card(kind):
    """The YAML beside a checkpoint, which the guide names as the way to rebuild it, says what the card says."""
    pytest.importorskip("torch_geometric")
    import yaml

    from cg_embed.pretrain import TrainingConfig, read_config

    config = read_config(shipped_directory(kind).with_suffix(".yaml"))
    card = (shipped_directory(kind) / "README.md").read_text(encoding="utf-8")
    stated = TrainingConfig(**yaml.safe_load(card.split("```yaml\n")[1].split("```")[0]))
    assert stated == config
    loaded = PathEncoder.load if kind == "path" else ContrastiveEncoder.load
    actual = loaded(shipped_directory(kind)).config
    assert all(getattr(actual, name) == value for name, value in config.options.items())
