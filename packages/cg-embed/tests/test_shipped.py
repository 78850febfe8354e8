"""The checkpoint that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import PathEncoder, shipped_encoder
from cg_embed.checkpoint import shipped_directory
from cg_embed.path_encoder import random_weights


def test_size_and_card():
    files = list(shipped_directory("path").iterdir())
    assert sum(file.stat().st_size for file in files) < 5e6
    assert sorted(file.name for file in files) == ["README.md", "config.json", "model.safetensors"]
    card = (shipped_directory("path") / "README.md").read_text(encoding="utf-8")
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


def test_the_settings_are_those_of_the_card():
    """The YAML beside the checkpoint, which the guide names as the way to rebuild it, says what the card says."""
    pytest.importorskip("torch_geometric")
    import yaml

    from cg_embed.pretrain import TrainingConfig, read_config

    folder = shipped_directory("path")
    config = read_config(folder.with_suffix(".yaml"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert TrainingConfig(**yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])) == config
    actual = PathEncoder.shipped().config
    assert all(getattr(actual, name) == value for name, value in config.options.items())
