"""Python code of the user's: loading a callable that a text names, and seeding what it draws from."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cg_evolve.errors import SearchError

__all__ = ["PREFIX", "load_callable", "place_of", "seeded", "source_of"]

#: Beginning of the names of modules that are loaded from files.
PREFIX = "_cg_user_"


def load_callable(text: str) -> Callable[..., Any]:
    """What ``file.py:callable`` or ``module.path:callable`` names; the code runs, a file once in a process.

    Raises:
        SearchError: there is no such file or callable, or the code fails.
    """
    place, _, name = text.rpartition(":")
    try:
        found: Any = _module(os.path.abspath(place)) if place.endswith(".py") else importlib.import_module(place)
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise SearchError(f"{place}: has no '{name}'") from None
    except SearchError:
        raise
    except (Exception, SystemExit) as error:
        raise SearchError(f"{text}: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise SearchError(f"{text}: is {type(found).__name__}, not a function")
    return found


@functools.cache
def _module(path: str) -> Any:
    if not os.path.isfile(path):
        raise SearchError(f"{path}: there is no such file")
    name = PREFIX + re.sub(r"\W", "_", path)
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # its siblings can be imported, as when Python runs the file
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def place_of(function: Callable[..., Any]) -> str:
    """The text that names a function, by its file; only a name where it is in none (a notebook) or inside another function."""
    name = getattr(function, "__qualname__", type(function).__name__)
    file = getattr(getattr(function, "__code__", None), "co_filename", "")
    if "<" in name or not name.isidentifier() or not file.endswith(".py") or not os.path.isfile(file):
        return f"<{name.strip('<>')}>"
    path = Path(file).resolve()
    return f"{os.path.relpath(path) if path.is_relative_to(Path.cwd()) else path}:{name}"


def source_of(made: Any) -> str:
    """The source code of a function or class; nothing of other objects, or where it is not known."""
    if not inspect.isfunction(made) and not inspect.isclass(made):
        return ""
    try:
        return inspect.getsource(made)
    except (OSError, TypeError):
        return ""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it the global generators of Python, numpy and torch start from a seed; afterwards they are where they were."""
    before, before_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what user code draws from
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        if "torch" not in sys.modules:
            yield
            return
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)  # noqa: NPY002
