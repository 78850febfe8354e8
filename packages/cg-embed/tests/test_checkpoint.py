"""Files of weights: what is written and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cg_embed import PathConfig, PathEncoder
from cg_embed.checkpoint import CheckpointError


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    PathEncoder(PathConfig(channels=4, seed=3)).save(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="its digest is another"):
        PathEncoder.load(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["digest"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    PathEncoder.load(tmp_path)
    name = next(name for name, value in weights.items() if value.dtype.kind == "f")
    for number in (np.nan, np.inf):
        weights[name].flat[0] = number
        save_file(weights, path)
        with pytest.raises(CheckpointError, match=f"'{name}' holds a number that is not finite"):
            PathEncoder.load(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="is not JSON"):
        PathEncoder.load(tmp_path)


def test_a_config_that_asks_for_all_memory_is_refused(tmp_path: Path) -> None:
    PathEncoder(PathConfig(channels=4, seed=3)).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["config"]["channels"] = 2**40
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"allocate|channels|large|dimension"):
        PathEncoder.load(tmp_path)
