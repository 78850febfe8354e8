"""Public names of a package that are imported when they are first used, so that importing the package costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` (PEP 562) of a package with lazy names.

    In the package's ``__init__.py``::

        __getattr__, __dir__ = lazy_names(__name__, {"Search": "search"})

    Args:
        package: the package's ``__name__``.
        where: the submodule that defines each name, relative to the package.

    Returns:
        ``__getattr__``, which raises AttributeError for other names, and ``__dir__``.
    """

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(f"{package}.{where[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where})

    return get, names
