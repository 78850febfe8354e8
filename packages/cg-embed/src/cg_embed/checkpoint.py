"""Checkpoints: a directory with ``model.safetensors``, ``config.json`` and a model card, ``README.md``. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_ir.files import atomic_path

__all__ = ["CheckpointError", "checkpoint_kind", "read_checkpoint", "shipped_directory", "write_checkpoint"]

FORMAT = 1


class CheckpointError(CgError):
    """A checkpoint that cannot be read."""


def write_checkpoint(
    directory: str | Path, kind: str, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], card: str = ""
) -> None:
    """Write a checkpoint; every file appears whole or not at all."""
    from safetensors.numpy import save

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, "kind": kind, "config": dict(config)}, indent=2, sort_keys=True) + "\n"
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    files = {"model.safetensors": save(arrays, metadata={"kind": kind}), "config.json": text.encode()}
    if card:
        files["README.md"] = card.encode()
    for name, data in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(data)


def read_checkpoint(directory: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Config and weights of a checkpoint.

    Raises:
        CheckpointError: missing or damaged files, another kind, a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = Path(directory)
    document = _document(folder)
    try:
        data = (folder / "model.safetensors").read_bytes()
    except OSError:
        raise CheckpointError(f"{folder} is no checkpoint: cannot read model.safetensors") from None
    if document.get("kind") != kind:
        raise CheckpointError(f"{folder} holds a {document.get('kind')} encoder, not a {kind} encoder")
    if document.get("format") != FORMAT:
        raise CheckpointError(f"{folder} has checkpoint format {document.get('format')}; this release reads {FORMAT}")
    try:
        return document["config"], load(data)
    except SafetensorError:
        raise CheckpointError(f"{folder / 'model.safetensors'} is damaged") from None


def checkpoint_kind(directory: str | Path) -> str:
    """What kind of checkpoint a directory holds."""
    return str(_document(Path(directory)).get("kind"))


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError:
        raise CheckpointError(f"{folder} is no checkpoint: cannot read config.json") from None
    except ValueError:
        raise CheckpointError(f"{folder / 'config.json'} is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise CheckpointError(f"{folder / 'config.json'} is not the config of a checkpoint")
    return document


def shipped_directory(name: str) -> Path:
    """The folder of a checkpoint that ships with the package."""
    return Path(__file__).parent / "checkpoints" / name
