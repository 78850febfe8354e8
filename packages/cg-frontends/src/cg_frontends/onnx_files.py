"""The frontend of ONNX files. Imports onnx when it converts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cg_ir.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from cg_ir import Graph


class OnnxFrontend:
    """Converts ``.onnx`` files and ``onnx.ModelProto`` objects; weights in external files are not read."""

    name = "onnx"

    def accepts(self, source: Any) -> bool:
        """Whether the source is a model or names an ``.onnx`` file."""
        if isinstance(source, str):
            return source.lower().endswith(".onnx")
        onnx = sys.modules.get("onnx")
        return onnx is not None and isinstance(source, onnx.ModelProto)

    def convert(
        self,
        source: Any,
        *,
        input: Any = (),
        strict: bool = False,
        verify: bool = False,
        name: str | None = None,
        args: Any = None,
        **options: Any,
    ) -> Graph:
        """The graph of a source.

        Args:
            source: a path or a model.
            input: shapes of the inputs without the batch, such as ``3x224x224``, for files that leave sizes open.
            strict: operators outside the vocabulary are an error.
            verify: file and graph are run on a random input (needs torch), and an error says that they differ.
            name: the graph's name; the model's own by default.
            args: of a SOURCE ``net.onnx?unfold=true``, see :func:`cg_frontends.onnx_.from_onnx`.

        Raises:
            SourceError: no readable ONNX model, or sizes that stay open; MissingExtra: onnx is not installed.
        """
        arguments = {"unfold": False, **(args or {})} if args is None or isinstance(args, dict) else {}
        if set(arguments) != {"unfold"} or not isinstance(arguments["unfold"], bool):
            raise SourceError("an ONNX file takes no --args, and after its name no more than ?unfold=true")
        if options:
            raise SourceError(f"an ONNX file takes no --{sorted(options)[0]}")
        try:
            import onnx  # noqa: F401
        except ImportError:
            raise MissingExtra("cg-frontends", "onnx", "reading ONNX files") from None
        from cg_frontends.onnx_ import from_onnx

        shapes = (input,) if isinstance(input, str) else tuple(input)
        return from_onnx(source, inputs=shapes, strict=strict, verify=verify, name=name, unfold=arguments["unfold"])
