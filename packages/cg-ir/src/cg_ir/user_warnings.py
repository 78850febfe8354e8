"""Warnings that point at the user's line, however deep in these packages they arise."""

from __future__ import annotations

import sys
import warnings

_OWN = ("cg_ir", "cg_frontends", "cg_embed", "cg_predict", "cg_evolve")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that lies outside the packages of this project.

    (What ``skip_file_prefixes`` of Python 3.12 does, for older ones, too.)
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OWN:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
