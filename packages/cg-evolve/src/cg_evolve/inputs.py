"""The files that a run begins with: their digests are in its record, so that it never goes on with others."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError

if TYPE_CHECKING:
    from cg_evolve.config import Config

__all__ = ["COPIES", "copy_code", "digest_of", "inputs_of", "names_python", "refuse_others"]

#: Folder of a run with the Python files that it began with.
COPIES = "inputs"
_CALLABLE = re.compile(r"(?P<place>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)")


def inputs_of(config: Config) -> dict[str, str]:
    """The digests of all files and folders that a configuration names, by their names."""
    found: dict[str, str] = {}
    for path in _named(config):
        if os.path.exists(path) and path not in found:
            found[path] = digest_of(Path(path))
    return found


def names_python(text: str) -> bool:
    """Whether a space's or an evaluator's text names Python code: ``file.py:callable``, alone or as an option."""
    return any(part.endswith(".py") for part in _parts(text))


def digest_of(path: Path) -> str:
    """BLAKE2 digest of a file, or of everything in a folder by name, in hexadecimal.

    Raises:
        SearchError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    try:
        for file in files:
            if file is not path:
                digest.update(f"\0{file.relative_to(path).as_posix()}\0".encode())
            with open(file, "rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise SearchError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def refuse_others(folder: Path, recorded: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Make sure that a run goes on with the files that it began with.

    Raises:
        SearchError: one has another content, or is gone.
    """
    for name, digest in recorded.items():
        if now.get(name) == digest:
            continue
        copy = folder / COPIES / _copy_name(name, digest)
        restore = f"restore it ({copy} is what it was)" if copy.exists() else "restore it"
        what = "has another content than when the run began" if name in now else "is gone"
        raise SearchError(f"{folder}: {name} {what}; {restore}, or start a run in another folder")


def copy_code(folder: Path, inputs: Mapping[str, str]) -> None:
    """Keep the Python files that a run begins with in its folder."""
    for name, digest in inputs.items():
        if name.endswith(".py") and os.path.isfile(name):
            copy = folder / COPIES / _copy_name(name, digest)
            copy.parent.mkdir(exist_ok=True)
            if not copy.exists():
                shutil.copyfile(name, copy)


def _copy_name(name: str, digest: str) -> str:
    return f"{digest[:12]}-{Path(name).name}"


def _named(config: Config) -> Iterator[str]:
    """Everything in a configuration that may be a path."""
    if config.pool is not None:
        yield config.pool
    for text in (config.space, config.evaluator, config.scorer):
        yield from _parts(text)


def _parts(text: str) -> Iterator[str]:
    """What may be a path in ``NAME?option=PATH``, ``KIND:TARGET?option=PATH``, ``KIND:NAME=PATH``, ``PATH:callable`` and ``PATH``."""
    base, _, query = text.partition("?")
    values = [part.partition("=")[2] for part in query.split("&")]
    _, colon, target = base.partition(":")
    for part in (base, *((target, target.partition("=")[2]) if colon else ()), *values):
        match = _CALLABLE.fullmatch(part)
        if match is not None and match["place"].endswith(".py"):
            yield match["place"]
        elif part:
            yield part
