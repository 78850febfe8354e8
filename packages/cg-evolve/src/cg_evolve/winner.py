"""The winner of a search as files: graph, drawing, and ONNX and PyTorch source where the exporters are installed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from cg_ir.errors import CgError
from cg_ir.output_formats import FORMATS, write

if TYPE_CHECKING:
    from cg_evolve.search import Search

__all__ = ["export_winner"]

_WANTED = (".cg.json", ".svg", ".onnx", ".py")


def export_winner(search: Search, folder: Path) -> dict[str, str]:
    """Write the best network as ``winner.cg.json``, ``winner.svg``, ``winner.onnx`` and ``winner.py``.

    A form that the network does not have, or whose extra is not installed, is left out.

    Returns:
        what was written, by the ending of its name; nothing without a winner.
    """
    best = search.best
    written: dict[str, str] = {}
    for suffix in _WANTED:
        path = folder / f"winner{suffix}"
        path.unlink(missing_ok=True)  # of an earlier winner
        form = next((f for f in FORMATS if f.suffix == suffix), None)
        if best is None or form is None:
            continue
        with contextlib.suppress(CgError):
            write(best.graph, path, form.commands[0])
            written[suffix] = str(path)
    return written
