"""Options of search spaces: keyword arguments in Python, text after ``?`` in a space's name."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from cg_ir import ArchError, PluginError

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_flag(space: str, option: str, value: object) -> bool:
    """A boolean, also spelled ``true`` or ``false``.

    Raises:
        PluginError: anything else.
    """
    if isinstance(value, bool):
        return value
    result = _FLAGS.get(str(value).lower())
    if result is None:
        raise PluginError(f"{space}?{option} should be true or false, not {value!r}")
    return result


def read_integer(space: str, option: str, value: object, allowed: Collection[int]) -> int:
    """An integer among those allowed, also as text.

    Raises:
        PluginError: anything else.
    """
    text = str(value)
    result = int(text) if text.isdecimal() and len(text) < 10 else -1
    if result not in allowed:
        values = f"{min(allowed)} to {max(allowed)}" if len(allowed) > 8 else ", ".join(map(str, sorted(allowed)))
        raise PluginError(f"{space}?{option} should be one of {values}, not {value!r}")
    return result


def read_object(space: str, arch: Any) -> Any:
    """An architecture whose notation is a JSON object as that object; any other as it is.

    Raises:
        ArchError: it begins like one and is none.
    """
    if not isinstance(arch, str) or not arch.lstrip().startswith("{"):
        return arch
    try:
        return json.loads(arch)
    except (ValueError, RecursionError):
        raise ArchError(f"{space}: no valid JSON: {arch!r:.80}") from None


def read_choice(space: str, option: str, value: object, allowed: Collection[str]) -> str:
    """A word among those allowed.

    Raises:
        PluginError: anything else.
    """
    if value not in allowed:
        raise PluginError(f"{space}?{option} should be one of {', '.join(allowed)}, not {value!r}")
    return str(value)
