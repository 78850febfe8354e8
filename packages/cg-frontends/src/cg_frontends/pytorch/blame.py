"""Which line of the user's own code failed."""

from __future__ import annotations

import os
import traceback

import torch

from cg_frontends.pytorch.recorder import DataDependent

__all__ = ["blame", "describe", "reads_elements"]

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TORCH = os.path.dirname(os.path.abspath(torch.__file__))


def blame(error: BaseException) -> str:
    """``file:line`` of the innermost frame outside torch and this package, or an empty string."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = os.path.abspath(frame.filename)
        if not path.startswith((_OWN + os.sep, _TORCH + os.sep)) and os.path.exists(path) and "importlib" not in path:
            place = f"{frame.filename}:{frame.lineno}"
    return place


def describe(error: BaseException, what: str) -> str:
    """One line: what failed, where, and why."""
    place = blame(error)
    where = f"{what}.forward at {place}" if place else f"{what}.forward"
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if reads_elements(error):
        return f"{where}: control flow depends on the elements of a tensor, which a graph cannot hold; branch on shapes instead"
    return f"{where}: {type(error).__name__}: {reason}"


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
        )
    )
