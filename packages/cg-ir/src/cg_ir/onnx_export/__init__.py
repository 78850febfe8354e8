"""A graph as an ONNX model, which Netron opens and ONNX runtimes run (extra ``onnx``)."""

from __future__ import annotations

import os
from typing import Any

from cg_ir.errors import GraphError, MissingExtra
from cg_ir.graph import Graph

__all__ = ["save_onnx", "to_onnx"]


def to_onnx(graph: Graph, module: Any = None) -> Any:
    """The ``onnx.ModelProto`` of a graph at batch size 1, opset 20.

    Args:
        module: what :func:`cg_ir.to_module` made of this graph; its weights go into the model. Without one the weights are random, always
            the same, of the size that keeps activations in scale.

    Returns:
        A model that passes ``onnx.checker``. Operators that ONNX has no counterpart for become nodes of the domain ``cg_ir``, which
        viewers show and runtimes refuse.

    Raises:
        GraphError: the module is that of another graph.
        MissingExtra: onnx is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-ir", "onnx", "writing ONNX") from None
    from cg_ir.onnx_export.emitter import export
    from cg_ir.onnx_export.weights import module_weights, random_weights

    if module is not None and getattr(module, "graph", None) is not graph:
        raise GraphError("the module runs another graph; give what to_module made of this one")
    return export(graph, random_weights(graph) if module is None else module_weights(graph, module))


def save_onnx(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write :func:`to_onnx`'s model to a file, which appears whole or not at all."""
    from cg_ir.files import atomic_path

    model = to_onnx(graph)
    try:
        data = model.SerializeToString()
    except ValueError:  # protobuf's limit of 2 GiB
        raise GraphError("too large for one ONNX file (2 GiB)", os.fspath(path)) from None
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise GraphError(f"cannot write: {error.strerror or error}", os.fspath(path)) from None
