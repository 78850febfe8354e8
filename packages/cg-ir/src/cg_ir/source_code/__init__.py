"""A graph as readable PyTorch source: one file that imports only torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cg_ir.graph import Graph
    from cg_ir.source_code.program import Source

__all__ = ["save_source", "to_source"]


def to_source(graph: Graph) -> Source:
    """PyTorch source of a graph: a class for each kind of region, loops over regions that repeat, and a function ``build()``.

    The text imports only torch and runs as it is; it needs no torch to be written. ``build()`` returns a module that computes what
    :func:`cg_ir.to_module` computes, with freshly initialised weights.

    Returns:
        ``text``, and ``paths``: where the module of each node with weights lies in the module that ``build()`` returns.

    Raises:
        GraphError: the graph has an operator that cannot be written as PyTorch, such as ``Custom``.
    """
    from cg_ir.source_code.program import write_program

    return write_program(graph)


def save_source(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write :func:`to_source`'s text to a file."""
    from cg_ir.files import write_text

    write_text(path, to_source(graph).text)
