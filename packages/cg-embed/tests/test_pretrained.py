"""Checkpoints in the Hugging Face layout, from folders and by name."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cg_embed import PathConfig, PathEncoder
from cg_embed.checkpoint import CheckpointError, shipped_directory, write_checkpoint
from cg_ir.errors import MissingExtra

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OFFLINE = f"""
from cg_embed import PathEncoder
for revision in (None, "v1", "{COMMIT}"):
    encoder = PathEncoder.from_pretrained("someone/path-encoder", revision=revision)
print(encoder.config.channels)
try:
    PathEncoder.from_pretrained("someone/nothing")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_folder_reads_back_as_it_was_saved(networks, tmp_path):
    encoder = PathEncoder(PathConfig(channels=4, seed=3))
    encoder.save_pretrained(tmp_path / "encoder")
    again = PathEncoder.from_pretrained(tmp_path / "encoder")
    assert again.config == encoder.config
    np.testing.assert_array_equal(again.encode(networks[:5]), encoder.encode(networks[:5]))
    assert {path.name for path in (tmp_path / "encoder").iterdir()} == {"config.json", "model.safetensors"}


def test_the_shipped_checkpoint_has_the_layout(networks):
    folder = shipped_directory("path")
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    found = PathEncoder.from_pretrained(str(folder)).encode(networks[:3])
    np.testing.assert_array_equal(found, PathEncoder.shipped().encode(networks[:3]))


def test_the_contrastive_encoder_as_well(networks, tmp_path):
    pytest.importorskip("torch_geometric")
    from cg_embed import ContrastiveConfig, ContrastiveEncoder

    encoder = ContrastiveEncoder(ContrastiveConfig(width=8, seed=3))
    encoder.save_pretrained(tmp_path)
    again = ContrastiveEncoder.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.encode(networks[:3]), encoder.encode(networks[:3]))


@pytest.mark.parametrize("name", ["no such folder", "./missing", "a/b/c", Path("owner/name")])
def test_what_is_neither_a_folder_nor_a_name_on_the_hub(name):
    with pytest.raises(CheckpointError, match=r"there is no folder .* is called owner/name"):
        PathEncoder.from_pretrained(name)


def test_another_kind_of_checkpoint_is_named(tmp_path):
    write_checkpoint(tmp_path, "contrastive", {}, {})
    with pytest.raises(CheckpointError, match="holds a contrastive encoder, not a path encoder"):
        PathEncoder.from_pretrained(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("huggingface_hub") is not None, reason="huggingface_hub is installed")
def test_a_name_without_the_library_says_what_to_install():
    with pytest.raises(MissingExtra, match=r"pip install 'cg-embed\[hub\]'"):
        PathEncoder.from_pretrained("someone/path-encoder")


def test_a_name_is_resolved_by_the_hub_library(tmp_path):
    """Without a network, from the library's own cache, laid out as a download leaves it."""
    pytest.importorskip("huggingface_hub")
    model = tmp_path / "hub" / "models--someone--path-encoder"
    shutil.copytree(shipped_directory("path"), model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    for name in ("main", "v1"):
        (model / "refs" / name).write_text(COMMIT)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    channels, error = done.stdout.splitlines()
    assert int(channels) == PathEncoder.shipped().config.channels
    assert error.startswith("CheckpointError there is no folder 'someone/nothing', and the Hugging Face hub did not")
