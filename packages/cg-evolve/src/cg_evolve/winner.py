"""The winner of a search as files: graph, and ONNX and PyTorch source where the exporters are installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cg_ir
from cg_ir.errors import CgError

if TYPE_CHECKING:
    from cg_evolve.search import Search

__all__ = ["export_winner"]


def export_winner(search: Search, folder: Path) -> dict[str, str]:
    """Write the best network to ``winner.cg.json``, ``winner.onnx`` and ``winner.py``.

    Returns:
        what was written, by kind; without a winner nothing.
    """
    best = search.best
    if best is None:
        return {}
    graph = best.graph
    written = {"graph": folder / "winner.cg.json"}
    graph.save(written["graph"])
    for kind, function, name in (("ONNX", "to_onnx", "winner.onnx"), ("source", "to_source", "winner.py")):
        path = folder / name
        path.unlink(missing_ok=True)  # of an earlier winner
        exporter: Any = getattr(cg_ir, function, None)
        if exporter is None:
            continue
        try:
            if kind == "ONNX":
                exporter(graph, path)
            else:
                path.write_text(exporter(graph), encoding="utf-8")
        except CgError:  # the extra is not installed, or an operator has no such form
            continue
        written[kind] = path
    return {kind: str(path) for kind, path in written.items()}
