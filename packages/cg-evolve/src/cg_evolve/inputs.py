"""The files that a run begins with: their digests are in its record, so that it never goes on with others."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError

if TYPE_CHECKING:
    from cg_evolve.config import Config

__all__ = ["COPIES", "copy_code", "digest_of", "inputs_of", "names_python", "refuse_others"]

#: Folder of a run with the Python files that it began with.
COPIES = "inputs"
_CALLABLE = re.compile(r"(?P<place>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)(?:#\d+)?")


def inputs_of(config: Config, code: Mapping[str, str] | None = None) -> dict[str, str]:
    """The digests of all files and folders that a configuration names, by their names.

    Args:
        config: of the run.
        code: source code of functions by the text that stands for them in the configuration, in place of the files that they are in.
    """
    found = {text: _digest_of_text(source) for text, source in (code or {}).items()}
    for path in _named(config, found):
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


def _digest_of_text(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


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
        if name not in now and _CALLABLE.fullmatch(name):
            restore, what = "call cg_evolve.run with it", "is a function that the run was begun with from Python"
        raise SearchError(f"{folder}: {name} {what}; {restore}, or start a run in another folder")


def copy_code(folder: Path, inputs: Mapping[str, str], code: Mapping[str, str] | None = None) -> None:
    """Keep the Python files and functions that a run begins with in its folder."""
    for name, digest in inputs.items():
        copy = folder / COPIES / _copy_name(name, digest)
        if copy.exists():
            continue
        if code is not None and name in code:
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(code[name], encoding="utf-8")
        elif name.endswith(".py") and os.path.isfile(name):
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(name, copy)


def _copy_name(name: str, digest: str) -> str:
    stem = re.sub(r"[^\w.-]+", "_", Path(name).name)
    return f"{digest[:12]}-{stem}" + ("" if stem.endswith(".py") else ".py")


def _named(config: Config, known: Collection[str]) -> Iterator[str]:
    """Everything in a configuration that may be a path, without texts that are known otherwise."""
    if config.pool is not None:
        yield config.pool
    base, _, _ = config.evaluator.partition("?")
    # The options of a plugin's evaluator may name what it writes, such as a log.
    evaluator = config.evaluator if ":" in base else base
    for text in (config.space, evaluator, config.scorer):
        if text not in known:
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
