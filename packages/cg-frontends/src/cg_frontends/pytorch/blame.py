"""Which line of the user's own code failed."""

from __future__ import annotations

import inspect
import os
import traceback
from typing import Any

import torch

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OPERATOR = "cg_operator"
_TORCH = os.path.dirname(os.path.abspath(torch.__file__))

#: What depends on elements, and what to do instead.
_BRANCHES = ("control flow", "branch on shapes instead")
_CHOICES = (
    "which rows are taken",
    "keep all rows and mask them, or let the choice index one tensor of all experts' weights",
)
_LENGTHS = ("the length of a packed sequence", "pass the padded sequence")
#: What torch says of lengths without elements.
_PACKED = "'lengths' argument should be a 1D CPU int64 tensor"


def blame(error: BaseException, code: Any = None) -> str:
    """``file:line`` of the innermost frame outside torch and this package; without one, where ``code`` is defined, or an empty string."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if _is_users(frame.filename):
            place = f"{frame.filename}:{frame.lineno}"
    return place or definition(code)


def definition(code: Any) -> str:
    """``file:line`` of a function, or of the constructor of a class, outside torch; an empty string where there is none."""
    function = inspect.unwrap(getattr(code, "__init__") if isinstance(code, type) else code) if callable(code) else None  # noqa: B009
    found = getattr(function, "__code__", None)
    if found is None or not _is_users(found.co_filename):
        return ""
    return f"{found.co_filename}:{found.co_firstlineno}"


def _is_users(filename: str) -> bool:
    path = os.path.abspath(filename)
    return not path.startswith((_OWN + os.sep, _TORCH + os.sep)) and os.path.exists(path) and "importlib" not in path


def describe(error: BaseException, module: Any) -> str:
    """One line: what failed, where, and why.

    Args:
        module: whose ``forward`` it was.
    """
    what = type(module).__name__
    place = blame(error, getattr(type(module), "forward", None))
    where = f"{what}.forward at {place}" if place else f"{what}.forward"
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if reads_elements(error):
        what, instead = (
            _CHOICES
            if "torch.nonzero()" in reason or "aten::nonzero" in reason
            else _LENGTHS
            if _PACKED in reason
            else _BRANCHES
        )
        return f"{where}: {what} depends on the elements of a tensor, which a graph cannot hold; {instead}"
    operator = getattr(error, _OPERATOR, "")
    return f"{where}: {type(error).__name__}: {reason}{operator and f' ({operator})'}"


def tell_operator(error: BaseException, text: str) -> None:
    """Note on an error which operator failed and what it was given; the innermost one stays."""
    if not hasattr(error, _OPERATOR):
        setattr(error, _OPERATOR, text)


class DataDependent(Exception):
    """The program asked for the elements of a tensor that has none."""


def reads_elements(error: BaseException) -> bool:
    """Whether the program failed because it asked for the elements of a tensor that has none."""
    text = str(error)
    return isinstance(error, DataDependent) or any(
        sign in text
        for sign in (
            "cannot be called on meta tensors",
            "Cannot copy out of meta tensor",
            "data-dependent",
            "data-independent",
            "aten::nonzero",
            "Boolean value of Tensor",
            _PACKED,
        )
    )
