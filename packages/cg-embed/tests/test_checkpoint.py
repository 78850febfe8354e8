"""Files of weights: what is written and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cg_embed import PathConfig, PathEncoder
from cg_embed.checkpoint import CheckpointError, checkpoint_kind, read_checkpoint, write_checkpoint


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


def test_what_is_written_is_read(tmp_path: Path) -> None:
    weights = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array([True, False]), "c": np.ones(2, dtype=np.float16)}
    write_checkpoint(tmp_path / "deep" / "folder", "thing", {"x": [1, "é"]}, weights, "# Card\n")
    config, found = read_checkpoint(tmp_path / "deep" / "folder", "thing")
    assert config == {"x": [1, "é"]}
    assert set(found) == set(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
    assert (tmp_path / "deep" / "folder" / "README.md").read_text() == "# Card\n"
    assert checkpoint_kind(tmp_path / "deep" / "folder") == "thing"
    assert {p.name for p in (tmp_path / "deep" / "folder").iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
    }
    write_checkpoint(tmp_path / "bare", "thing", {}, weights)
    assert not (tmp_path / "bare" / "README.md").exists()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "thing", {"x": 1}, {"a": np.ones(1)})
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(TypeError):
        write_checkpoint(tmp_path, "thing", {"x": object()}, {"a": np.zeros(1)})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("config.json", None, "{folder} is no checkpoint: cannot read config.json"),
        ("model.safetensors", None, "{folder} is no checkpoint: cannot read model.safetensors"),
        ("config.json", "{", "{folder}/config.json is not JSON"),
        ("config.json", b"\xff", "{folder}/config.json is not JSON"),
        ("config.json", "[]", "{folder}/config.json is not the config of a checkpoint"),
        ("config.json", '{"config": 3}', "{folder}/config.json is not the config of a checkpoint"),
        ("config.json", '{"config": {}, "kind": "other"}', "{folder} holds a other encoder, not a thing encoder"),
        ("config.json", '{"config": {}, "kind": "thing", "format": 2}', "{folder} has checkpoint format 2; this release reads 1"),
        ("config.json", '{"config": {}, "kind": "thing", "format": 1, "digest": "x"}',
         "{folder}/model.safetensors is not the file that config.json was written with: its digest is another"),
    ],
)  # fmt: skip
def test_damage_is_told_in_one_line(tmp_path: Path, file: str, content: str | bytes | None, told: str) -> None:
    write_checkpoint(tmp_path, "thing", {}, {"a": np.ones(1)})
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path, "thing")
    assert str(caught.value) == told.format(folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\xff" * 8 + b"{}"])
def test_weights_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    write_checkpoint(tmp_path, "thing", {}, {"a": np.ones(1)})
    (tmp_path / "config.json").write_text('{"config": {}, "kind": "thing", "format": 1}')
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"^{tmp_path / 'model'}.safetensors is damaged$"):
        read_checkpoint(tmp_path, "thing")


def test_only_training_may_hold_numbers_that_are_not_finite(tmp_path: Path) -> None:
    weights = {"moment": np.array([1.0, np.inf], dtype=np.float32)}
    write_checkpoint(tmp_path, "training", {}, weights)
    assert np.isinf(read_checkpoint(tmp_path, "training")[1]["moment"][1])
    write_checkpoint(tmp_path, "thing", {}, weights)
    with pytest.raises(CheckpointError, match=r"'moment' holds a number that is not finite$"):
        read_checkpoint(tmp_path, "thing")
