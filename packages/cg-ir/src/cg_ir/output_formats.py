"""File formats that graphs are written in, by the ending of the file's name.

To add one, write a function ``(graph, path, **options)`` and a row of :data:`FORMATS`; ``cg convert`` and ``cg draw`` follow from it.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

from cg_ir.errors import SourceError
from cg_ir.graph import Graph


@dataclass(frozen=True)
class OutputFormat:
    """A way to write a graph.

    Attributes:
        suffix: what the file's name ends in.
        target: ``module:function``, imported when it is used.
        commands: the commands that write it, ``convert`` or ``draw``.
        options: the options that it takes.
        doc: what it is.
    """

    suffix: str
    target: str
    commands: tuple[str, ...]
    options: tuple[str, ...] = ()
    doc: str = ""


FORMATS: tuple[OutputFormat, ...] = (
    OutputFormat(".cg.json", "cg_ir.serialization:save", ("convert",), doc="graph file"),
    OutputFormat(".cg.json.gz", "cg_ir.serialization:save", ("convert",), doc="compressed graph file"),
    OutputFormat(".svg", "cg_ir.drawing.svg:save_svg", ("draw",), ("depth", "theme", "simplify"), "drawing"),
    OutputFormat(".png", "cg_ir.drawing.png:save_png", ("draw",), ("depth", "theme", "simplify"), "picture"),
    OutputFormat(".html", "cg_ir.page.graph:save_html", ("draw",), ("depth", "theme", "simplify"), "interactive page"),
    OutputFormat(".py", "cg_ir.source_code:save_source", ("convert",), doc="PyTorch source"),
    OutputFormat(".onnx", "cg_ir.onnx_export:save_onnx", ("convert", "draw"), doc="ONNX model with random weights"),
    OutputFormat(".dot", "cg_ir.drawing.dot:save_dot", ("draw",), ("simplify",), "Graphviz"),
)


def endings(command: str) -> str:
    """What a command writes, in words."""
    return ", ".join(f"{f.suffix} ({f.doc})" for f in FORMATS if command in f.commands)


def write(graph: Graph, path: str | os.PathLike[str], command: str, **options: Any) -> None:
    """Write a graph in the format that the name of ``path`` ends in.

    Args:
        command: ``convert`` or ``draw``.
        options: passed on where they are not None; a format that does not take one that was given is an error.

    Raises:
        SourceError: the ending is unknown to the command, or an option does not apply; other ``CgError`` from the writer.
    """
    name = os.fspath(path)
    known = [f for f in FORMATS if command in f.commands]
    found = next((f for f in known if name.endswith(f.suffix)), None)
    if found is None:
        elsewhere = next((f for f in FORMATS if name.endswith(f.suffix)), None)
        hint = f" ('cg {elsewhere.commands[0]}' writes {elsewhere.suffix})" if elsewhere else ""
        raise SourceError(f"{name}: the name should end in {_either([f.suffix for f in known])}{hint}")
    given = {key: value for key, value in options.items() if value is not None and value is not False}
    for key in given:
        if key not in found.options:
            raise SourceError(f"--{key} does not apply to {found.suffix}")
    module, _, function = found.target.partition(":")
    getattr(importlib.import_module(module), function)(graph, path, **given)


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
