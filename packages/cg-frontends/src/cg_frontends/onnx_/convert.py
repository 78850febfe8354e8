"""``from_onnx``: an ONNX file or model becomes a graph."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

import onnx

from cg_frontends import __version__
from cg_frontends.lowering.assembly import assemble
from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.onnx_ import readings  # noqa: F401 - registers the readings
from cg_frontends.onnx_.importer import Importer
from cg_ir import Graph, GraphError, SourceError

__all__ = ["from_onnx"]

_OLDEST = 11


def from_onnx(source: Any, *, inputs: Sequence[str] = (), name: str | None = None, strict: bool = False) -> Graph:
    """The computation graph of an ONNX model, at batch size 1.

    Float initializers are parameters, scalars excepted; running statistics of normalisations are not, and weights in external
    files are not read. What follows from constants and shapes is computed.

    Args:
        source: path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        inputs: shapes without the batch (``3x224x224``) for inputs whose sizes the model leaves open; a leading size that is open or
            symbolic is the batch, 1.
        name: the graph's name; the model graph's own if absent.
        strict: an operator outside the vocabulary is an error instead of a ``Custom`` node and a warning.

    Raises:
        SourceError: the file cannot be read, is older than opset 11, leaves sizes open, or holds control flow.
    """
    model, what = _load(source)
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST:
        raise SourceError(
            f"{what}: opset {opset} is older than {_OLDEST}; onnx.version_converter.convert_version brings it up"
        )
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    shapes = _input_shapes(model.graph, inputs, what)
    try:
        importer = Importer(model.graph, list(model.opset_import), shapes, _inferred(model, shapes))
        producer = {"name": "cg-frontends", "version": __version__}
        graph = assemble(importer.low, name or model.graph.name or what, producer)
    except (GraphError, SourceError) as error:
        raise SourceError(f"{what}: {error}") from error
    if importer.low.unknown:
        listed = ", ".join(f"{key} ({count}x)" for key, count in sorted(importer.low.unknown.items()))
        if strict:
            raise SourceError(f"{what}: operators outside the vocabulary: {listed}")
        warnings.warn(
            f"{what}: operators outside the vocabulary became Custom: {listed}", UnknownOperatorWarning, stacklevel=2
        )
    return graph


def _load(source: Any) -> tuple[onnx.ModelProto, str]:
    if isinstance(source, onnx.ModelProto):
        return source, source.graph.name or "model"
    path = os.fspath(source)
    if not os.path.isfile(path):
        raise SourceError(f"{path}: there is no such file")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise SourceError(f"{path}: no readable ONNX model ({type(error).__name__})") from None
    if not model.graph.node and not model.graph.output:
        raise SourceError(f"{path}: no ONNX model: it holds no graph")
    return model, path


def _input_shapes(graph: onnx.GraphProto, given: Sequence[str], what: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and element type by name of the inputs that are no initializers."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if given and len(given) != len(inputs):
        raise SourceError(
            f"{what}: {len(inputs)} inputs ({', '.join(v.name for v in inputs)}), but {len(given)} shapes are given"
        )
    shapes = {}
    for index, value in enumerate(inputs):
        kind = value.type.tensor_type
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type else "float32"
        if given:
            match = re.fullmatch(r"(\d+(?:[x,]\d+)*)(?::\w+)?", given[index].strip())
            if match is None:
                raise SourceError(
                    f"{what}: input '{given[index]}' should be sizes without the batch, such as 3x224x224"
                )
            shapes[value.name] = ((1, *(int(s) for s in re.split("[x,]", match[1]))), dtype)
            continue
        sizes = []
        for axis, size in enumerate(kind.shape.dim):
            if size.HasField("dim_value") and size.dim_value > 0:
                sizes.append(size.dim_value if axis else 1)
            elif axis == 0:
                sizes.append(1)
            else:
                text = size.dim_param or "?"
                raise SourceError(
                    f"{what}: axis {axis} of input '{value.name}' is open ({text}); say its sizes with --input, for example 3x224x224"
                )
        shapes[value.name] = (tuple(sizes), dtype)
    return shapes


def _inferred(model: onnx.ModelProto, shapes: dict[str, tuple[tuple[int, ...], str]]) -> dict[str, tuple[int, ...]]:
    """Shapes by name as onnx's own rules infer them: for operators outside the vocabulary."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.name in shapes:
            del value.type.tensor_type.shape.dim[:]
            for size in shapes[value.name][0]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    try:
        copy = onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:
        return {}
    known = {}
    for value in (*copy.graph.value_info, *copy.graph.output):
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.HasField("shape") and all(s > 0 for s in sizes):
            known[value.name] = tuple(sizes)
    return known
