"""Where values come from and go to: inputs, outputs, bare parameters, constants, further outputs, and what is outside the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import DTYPE, Attribute
from cg_ir.operators.batch import Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, same, stated
from cg_ir.operators.torch_text import Elements, Template, tuple_text


def constant_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape, with as many elements as are recorded: all, one for all, or none."""
    shape = stated(ins, attrs, out)
    count = len(attrs["value"])
    if count > 1 and count != prod(out or ()):
        raise GraphError(f"{count} elements do not fill shape {list(out or ())}")
    return shape


def unknown_outputs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Any."""
    return None


def stated_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """What the converter counted."""
    return attrs["params"]


def parameter_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """Every element of a bare parameter."""
    return {"value": out}


def constant_layer(use: Use) -> Template:
    """Elements that are not recorded are ones, or zeros where they are integers."""
    value, dtype = use.attrs["value"], use.attrs["dtype"]
    shape = tuple_text(use.shape)
    whole = dtype.startswith(("int", "uint"))
    if len(value) <= 1:
        fill = value[0] if value else 1 if dtype.startswith(("float", "bfloat", "bool")) else 0
        text = repr(bool(fill)) if dtype == "bool" else repr(int(fill)) if whole else repr(float(fill))
        return (f"torch.full({shape}, {text}, dtype=torch.{dtype})",)
    # doubles on the way: elements are rounded once
    elements = Elements(tuple(int(v) for v in value) if whole or dtype == "bool" else value)
    ends = f", dtype=torch.{'int64' if whole else 'float64'}).to(torch.{dtype}).reshape({shape})"
    return ("torch.tensor(", elements, ends)


def input_onnx(e: Emitter, node: Node) -> str:
    name = f"input_{node.attrs['index']}"
    e.inputs.append((node.attrs["index"], e.declaration(name, node.attrs["dtype"], node.shape)))
    return name


def output_onnx(e: Emitter, node: Node) -> str:
    name = f"output_{node.attrs['index']}"
    e.outputs.append((node.attrs["index"], e.declaration(name, e.dtype(node), node.shape)))
    source = e.source(node)
    e.op("Identity", source)
    e.nodes[-1].output[0] = name
    return name


def constant_onnx(e: Emitter, node: Node) -> str:
    value, dtype = node.attrs["value"], node.attrs["dtype"]
    kind = dtype if dtype in ("float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool") else "float32"
    held = e.weights.get(node.index, {}).get("value")
    if held is not None:  # elements that the graph does not record, from the module
        return e.tensor(held.astype(kind))
    if not value:
        return e.tensor(np.full(node.shape, kind[:3] not in ("int", "uin"), dtype=kind))
    if len(value) == 1:
        return e.tensor(np.full(node.shape, value[0], dtype=kind))
    return e.tensor(np.array(value).astype(kind).reshape(node.shape))


_INDEX = Attribute("int", 0, minimum=0, doc="position among its kind")
SOURCES = [
    Operator(
        "Input", "source", (0, 0), stated, "What the network is given.", onnx=False,
        attributes={"index": _INDEX, "dtype": DTYPE}, result="dtype", to_onnx=input_onnx,
    ),
    Operator(
        "Output", "sink", (1, 1), same, "What the network returns.", onnx=False,
        attributes={"index": _INDEX}, batch=batch.keeps, view="view", to_onnx=output_onnx,
    ),
    Operator(
        "Parameter", "source", (0, 0), stated, "A bare learned tensor: class token, position embedding, layer scale.", onnx=False,
        tensors=parameter_tensors, result="float32", owned="parameter", to_onnx=lambda e, node: e.weight(node, "value"),
        owns=lambda use: (f"nn.Parameter(nn.init.trunc_normal_(torch.empty({', '.join(map(str, use.shape)) or '()'}), std=0.02))",),
    ),
    Operator(
        "Constant", "source", (0, 0), constant_shape, "A tensor that is not learned; small ones carry their elements in row-major order.",
        attributes={
            "value": Attribute("floats", (), doc="elements, or one that fills the shape; none where they are not recorded"),
            "dtype": DTYPE,
        },
        result="dtype", owns=constant_layer, owned="constant", to_onnx=constant_onnx,
    ),
    Operator(
        "Select", "layout", (1, 1), stated, "Reads output `index` of an operator that has several.", onnx=False,
        attributes={"index": Attribute("int", minimum=1, doc="which output")},
        to_onnx=lambda e, node: e.values[node.inputs[0]][node.attrs["index"]],
    ),
    Operator(
        "Custom", "custom", (0, None), stated, "An operator outside the vocabulary, with its original name.", onnx=False,
        params=stated_params, further=unknown_outputs,
        attributes={
            "name": Attribute("string", doc="the original name"),
            "params": Attribute("int", 0, minimum=0, doc="parameter count"),
        },
    ),
]  # fmt: skip
