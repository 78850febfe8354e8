"""What a graph can be turned into, as methods: views, documents, files, pictures.

The graph itself knows nothing of them. A method names the function that does the work, which is imported when it is called, as with
:mod:`cg_ir.output_formats`; so what computes on graphs needs neither serialisation nor drawing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from cg_ir.graph import Graph


def _apply(target: str, *arguments: Any, **options: Any) -> Any:
    """Call ``module:function``."""
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)(*arguments, **options)


class Forms:
    """The methods of :class:`cg_ir.Graph` that make something else of it."""

    __slots__ = ()

    def simplify(self) -> Graph:
        """The graph without layout operators: what read one reads the operator before it."""
        return _apply("cg_ir.simplify:simplify", self)

    def canonicalize(self) -> Graph:
        """The canonical form (the builder's own result already is)."""
        return _apply("cg_ir.canonical:canonicalize", self)

    def to_dict(self) -> dict[str, Any]:
        """The document as plain Python values, see docs/format.md."""
        return _apply("cg_ir.serialization:to_dict", self)

    def to_json(self) -> str:
        """The document as canonical JSON text."""
        return _apply("cg_ir.serialization:to_json", self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document; a name that ends in ``.gz`` is compressed. The file appears whole or not at all."""
        _apply("cg_ir.serialization:save", self, path)

    def to_svg(self, **options: Any) -> str:
        """A drawing, see :func:`cg_ir.drawing.to_svg`."""
        return _apply("cg_ir.drawing:to_svg", self, **options)

    def _repr_html_(self) -> str:
        return self.to_svg()
