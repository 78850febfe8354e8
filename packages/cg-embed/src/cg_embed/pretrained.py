"""Checkpoints in the Hugging Face layout: from a folder, or by name from the hub.

A model on the hub is a repository with the files of a checkpoint (`cg_embed.checkpoint`) at its root: ``config.json``,
``model.safetensors`` and the model card ``README.md``. Only these are fetched.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TypeVar

from cg_ir.errors import MissingExtra

from .checkpoint import CheckpointError

_FILES = ["config.json", "model.safetensors", "README.md"]
#: ``owner/name`` as the hub admits it.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

Model = TypeVar("Model", bound="Pretrained")


class Pretrained(ABC):
    """A model that is saved as a checkpoint, with the methods that the Hugging Face libraries have."""

    @abstractmethod
    def save(self, directory: str | Path) -> None:
        """Write the checkpoint."""

    @classmethod
    @abstractmethod
    def load(cls: type[Model], directory: str | Path) -> Model:
        """Read what `save` wrote."""

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the checkpoint into a folder, as `save` does; the folder can be uploaded to the hub as it is."""
        self.save(directory)

    @classmethod
    def from_pretrained(cls: type[Model], name: str | Path, *, revision: str | None = None) -> Model:
        """Read a checkpoint.

        Args:
            name: a folder, or ``owner/name`` on the Hugging Face hub (extra ``hub``).
            revision: branch, tag or commit on the hub; the main branch by default.

        Raises:
            CheckpointError: no such folder or model, or its files are missing, damaged or of another kind.
            MissingExtra: a name on the hub without huggingface_hub installed.
        """
        return cls.load(checkpoint_directory(name, revision))


def checkpoint_directory(name: str | Path, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `name` itself, or where the files of a model on the hub have been fetched to.

    Raises:
        CheckpointError: neither a folder nor a model that can be fetched.
        MissingExtra: a name on the hub without huggingface_hub installed.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if not isinstance(name, str) or not _HUB_NAME.fullmatch(name):
        raise CheckpointError(f"there is no folder '{name}' (a model on the Hugging Face hub is called owner/name)")
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtra("cg-embed", "hub", f"there is no folder '{name}'; fetching it from the hub") from None
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # what it raises differs between releases and between the HTTP libraries below it
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"there is no folder '{name}', and the Hugging Face hub did not give it: {reason}"
        ) from error
