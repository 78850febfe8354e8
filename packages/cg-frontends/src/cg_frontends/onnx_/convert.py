"""An ONNX file or model becomes a graph."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import onnx

from cg_frontends import __version__
from cg_frontends.lowering.assembly import assemble
from cg_frontends.lowering.lowering import Lowering
from cg_frontends.onnx_ import readings  # noqa: F401 - registers the readings
from cg_frontends.onnx_.importer import Importer
from cg_frontends.onnx_.inference import inferred_shapes
from cg_frontends.onnx_.operation import dtype_name
from cg_ir import Graph, GraphError, SourceError

PRODUCER = {"name": "cg-frontends", "version": __version__}
Shapes = dict[str, "tuple[tuple[int, ...], str]"]
_LARGEST = 2**31 - 1


def convert(source: Any, inputs: Sequence[str], name: str | None) -> tuple[Lowering, Graph, list[str], str]:
    """The lowering, its graph, what to say of it, and what the model is called in messages."""
    model, what = _load(source)
    try:
        shapes, stated = _shapes(model.graph, inputs)
        importer = Importer(
            model, shapes, stated, lambda: inferred_shapes(model, shapes), _examples(model.graph, shapes)
        )
        graph = assemble(importer.low, name or model.graph.name or what, PRODUCER)
    except (GraphError, SourceError) as error:
        raise SourceError(f"{what}: {error}") from error
    except RecursionError:
        raise SourceError(f"{what}: nested too deep") from None
    return importer.low, graph, list(importer.notes), what


def _examples(graph: onnx.GraphProto, shapes: Shapes) -> int:
    """How many examples the file fixes where the user states the shape of one: its shapes were written for so many."""
    counts = set()
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in shapes and dims:
            counts.add(dims[0].dim_value if shapes[value.name][0][:1] == (1,) else 0)
    return counts.pop() if len(counts) == 1 and min(counts) > 1 else 1


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


def _shapes(graph: onnx.GraphProto, given: Sequence[str]) -> tuple[Shapes, dict[str, tuple[int, ...]]]:
    """Shape and element type by name of the inputs that are no initializers; the shapes that the file states for other values."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if given and len(given) != len(inputs):
        raise SourceError(
            f"{len(inputs)} inputs ({', '.join(v.name for v in inputs)}), but {len(given)} shapes are given"
        )
    symbols = {value.type.tensor_type.shape.dim[0].dim_param: 1 for value in inputs if value.type.tensor_type.shape.dim}
    symbols.pop("", None)
    shapes: Shapes = {}
    for index, value in enumerate(inputs):
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type"):
            raise SourceError(f"input '{value.name}' is no tensor, which a graph cannot take")
        dtype = dtype_name(kind.elem_type) if kind.elem_type else "float32"
        shapes[value.name] = (_given(kind, given[index], symbols) if given else _own(value, symbols), dtype)
        for size, dim in zip(shapes[value.name][0], kind.shape.dim, strict=False):
            if dim.dim_param:
                symbols.setdefault(dim.dim_param, size)
    stated = {}
    for value in (*graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        sizes = [symbols.get(d.dim_param, 0) if d.dim_param else d.dim_value for d in dims]
        if value.type.tensor_type.HasField("shape") and not given and all(0 < s <= _LARGEST for s in sizes):
            stated[value.name] = tuple(sizes)
    return shapes, stated


def _given(kind: onnx.TypeProto.Tensor, text: str, symbols: dict[str, int]) -> tuple[int, ...]:
    """The shape that the user states, without the batch or as a whole."""
    match = re.fullmatch(r"(\d+(?:[x,]\d+)*)(?::\w+)?", text.strip())
    if match is None:
        raise SourceError(f"input '{text}' should be sizes without the batch, such as 3x224x224")
    sizes = [int(s) for s in re.split("[x,]", match[1])]
    dims = list(kind.shape.dim)
    if not kind.HasField("shape") or len(dims) == len(sizes) + 1:
        # the batch is the leading axis, or the only one whose name is the batch's
        named = [i for i, d in enumerate(dims) if d.dim_param in symbols]
        sizes.insert(named[0] if len(named) == 1 else 0, 1)
    elif len(dims) != len(sizes):
        raise SourceError(
            f"input '{text}' has {len(sizes)} sizes, but the file's has {len(dims)} axes, the batch included"
        )
    return tuple(sizes)


def _own(value: onnx.ValueInfoProto, symbols: dict[str, int]) -> tuple[int, ...]:
    """The shape that the file states, its batch 1."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        raise SourceError(f"the file does not say how many axes input '{value.name}' has; say its sizes with --input")
    sizes = []
    for axis, size in enumerate(kind.shape.dim):
        if 0 < size.dim_value <= _LARGEST:
            sizes.append(size.dim_value)
        elif size.HasField("dim_value"):
            raise SourceError(
                f"axis {axis} of input '{value.name}' has size {size.dim_value}; say its sizes with --input"
            )
        elif axis == 0 or size.dim_param in symbols:
            sizes.append(symbols.get(size.dim_param, 1))
        else:
            text = size.dim_param or "?"
            raise SourceError(
                f"axis {axis} of input '{value.name}' is open ({text}); say its sizes with --input, for example 3x224x224"
            )
    return tuple(sizes)
