"""Checkpoints: a directory with ``model.safetensors``, ``config.json`` and a model card, ``README.md``. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_ir.files import atomic_path

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
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    data = save(arrays, metadata={"kind": kind})
    document = {"format": FORMAT, "kind": kind, "config": dict(config), "digest": _digest(data)}
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    files = {"model.safetensors": data, "config.json": text.encode()}
    if card:
        files["README.md"] = card.encode()
    for name, content in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)


def read_checkpoint(directory: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Config and weights of a checkpoint.

    Raises:
        CheckpointError: missing or damaged files, weights that are not those of the config, numbers that are not finite, another kind, a newer format.
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
    path = folder / "model.safetensors"
    if "digest" in document and document["digest"] != _digest(data):  # checkpoints of earlier releases have none
        raise CheckpointError(f"{path} is not the file that config.json was written with: its digest is another")
    try:
        weights = load(data)
    except (SafetensorError, KeyError, MemoryError, TypeError, ValueError):
        raise CheckpointError(f"{path} is damaged") from None
    for name, value in weights.items():
        if kind != "training" and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise CheckpointError(f"{path}: {name[:60]!r} holds a number that is not finite")
    return document["config"], weights


def _digest(data: bytes) -> str:
    """Digest of a file of weights."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checkpoint_kind(directory: str | Path) -> str:
    """What kind of checkpoint a directory holds."""
    return str(_document(Path(directory)).get("kind"))


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError:
        raise CheckpointError(f"{folder} is no checkpoint: cannot read config.json") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{folder / 'config.json'} is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise CheckpointError(f"{folder / 'config.json'} is not the config of a checkpoint")
    return document


def shipped_directory(name: str) -> Path:
    """The folder of a checkpoint that ships with the package."""
    return Path(__file__).parent / "checkpoints" / name
