"""Builds the ONNX model of a graph: values, constants, nodes, and element types, which ONNX does not convert by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cg_ir.graph import Graph, Node
from cg_ir.onnx_export.weights import Weights
from cg_ir.operators import OPERATORS
from cg_ir.operators.shapes import positions

_OPSET = 20
_IR_VERSION = 9
#: Of operators that ONNX has no counterpart for.
DOMAIN = "cg_ir"

#: Element types that are computed with; others are read and written as float32.
_COMPUTED = "float32 float64 float16 int64 int32 int16 int8 uint8 bool"
_TYPES = {name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in _COMPUTED.split()}


class Emitter:
    """Collects the parts of a model.

    Attributes:
        graph: the graph.
        values: ONNX names of a node's outputs.
        types: element type of each node's first output.
    """

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.weights = weights
        self.values: dict[int, list[str]] = {}
        self.types: dict[int, str] = {}
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.scope = ""
        self._count = 0
        self._constants: dict[tuple[Any, ...], str] = {}

    def op(self, kind: str, *inputs: str, **attrs: Any) -> str:
        """Add a node; returns the name of its output."""
        return self.ops(kind, *inputs, outputs=1, **attrs)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, domain: str = "", **attrs: Any) -> list[str]:
        """Add a node of several outputs; returns their names."""
        self._count += 1
        name = f"{self.scope}{kind}_{self._count}"
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        given = {
            key: list(value) if isinstance(value, tuple) else int(value) if isinstance(value, bool) else value
            for key, value in attrs.items()
            if value is not None
        }
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **given))
        return names

    def tensor(self, array: NDArray[Any], label: str = "constant", owner: Node | None = None) -> str:
        """Add an initializer.

        Equal constants are added once; what an ``owner`` learned is added once for the nodes that share it, and never shared otherwise.
        """
        array = np.asarray(array, order="C")
        if owner is None:
            key: tuple[Any, ...] = (str(array.dtype), array.shape, array.tobytes())
        else:
            key = (owner.index if owner.weights is None else owner.weights, label)
        if key not in self._constants:
            self._count += 1
            name = f"{self.scope}{label}_{self._count}"
            self.initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def ints(self, values: Sequence[int]) -> str:
        """An int64 vector."""
        return self.tensor(np.array(values, dtype=np.int64))

    def number(self, value: float, dtype: str = "float32") -> str:
        """A scalar."""
        return self.tensor(np.array(value, dtype=dtype))

    def weight(self, node: Node, *names: str) -> str | None:
        """A tensor that the node owns, by the first of these names that it has."""
        own = self.weights.get(node.index, {})
        for name in names:
            if name in own:
                return self.tensor(own[name], name, node)
        return None

    def cast(self, value: str, dtype: str) -> str:
        """The value with another element type."""
        return self.op("Cast", value, to=_TYPES.get(dtype, TensorProto.FLOAT))

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """The value in another shape."""
        return self.op("Reshape", value, self.ints(shape))

    def source(self, node: Node, position: int = 0) -> str:
        """The name of an input."""
        return self.values[node.inputs[position]][0]

    def sources(self, node: Node) -> list[str]:
        """The names of all inputs."""
        return [self.values[i][0] for i in node.inputs]

    def dtype(self, node: Node, position: int = 0) -> str:
        """The element type of an input."""
        return self.types[node.inputs[position]]

    def operands(self, node: Node, skip: int = 0, dtype: str | None = None) -> list[str]:
        """The inputs after the first ``skip`` as one element type, by default the one that PyTorch computes with."""
        dtype = self.common(node, skip) if dtype is None else dtype
        return [
            name if self.types[i] == dtype else self.cast(name, dtype)
            for i, name in list(zip(node.inputs, self.sources(node), strict=True))[skip:]
        ]

    def common(self, node: Node, skip: int = 0) -> str:
        """The element type that PyTorch computes with."""
        types = [self.types[i] for i in node.inputs[skip:]]
        floats = [t for t in types if t.startswith(("float", "bfloat"))]
        return max(floats) if floats else types[0]

    def readers(self, node: Node) -> list[Node]:
        """The nodes that read further outputs."""
        return [n for n in self.graph.nodes if n.op == "Select" and n.inputs[0] == node.index]

    def declaration(self, name: str, dtype: str, shape: Sequence[int]) -> Any:
        """What the model says of an input or output."""
        return helper.make_tensor_value_info(name, _TYPES.get(dtype, TensorProto.FLOAT), list(shape))

    # --- nodes of the graph ---------------------------------------------------------------------------------------

    def emit(self, node: Node) -> None:
        """Add a node of the graph to the model."""
        operator = OPERATORS[node.op]
        made = None
        if operator.to_onnx is not None:
            made = operator.to_onnx(self, node)
        elif operator.onnx:
            made = self.op(node.op, *self.sources(node), **node.attrs)
        if made is None:
            attrs = {key: value for key, value in node.signature.items if value is not None and value != ()}
            name = str(attrs.pop("name")) or node.op if node.op == "Custom" else node.op
            outputs = 1 + max((n.attrs["index"] for n in self.readers(node)), default=0)
            made = self.ops(name, *self.sources(node), outputs=outputs, domain=DOMAIN, **attrs)
        self.values[node.index] = [made] if isinstance(made, str) else list(made)
        self.types[node.index] = self._type(node)

    def _type(self, node: Node) -> str:
        """Element type of the first output; of the one that a ``Select`` reads."""
        operator = OPERATORS[node.op]
        if node.op == "Select":
            source = node.graph.nodes[node.inputs[0]]
            return "int64" if OPERATORS[source.op].further is positions else self.types[source.index]
        if operator.result == "common":
            return self.common(node, operator.numbers or 0)
        if operator.result == "first":
            return self.types[node.inputs[0]] if node.inputs else "float32"
        return str(node.attrs.get(operator.result, operator.result))


def _scope(region: str) -> str:
    return "/".join(re.sub(r"[^\w-]", "_", part) for part in region.split(".") if part) + ("/" if region else "")


def export(graph: Graph, weights: Weights) -> Any:
    """The model of a graph whose operators have these weights."""
    e = Emitter(graph, weights)
    for node in graph.nodes:
        e.scope = _scope(node.region)
        e.emit(node)
    used = {name for node in e.nodes for name in node.input}
    opsets = [helper.make_opsetid("", _OPSET)]
    if any(node.domain == DOMAIN for node in e.nodes):
        opsets.append(helper.make_opsetid(DOMAIN, 1))
    model = helper.make_model(
        helper.make_graph(
            e.nodes,
            graph.name or "graph",
            [value for _, value in sorted(e.inputs, key=lambda pair: pair[0])],
            [value for _, value in sorted(e.outputs, key=lambda pair: pair[0])],
            [tensor for tensor in e.initializers if tensor.name in used],
            doc_string=graph.hash,
        ),
        opset_imports=opsets,
        ir_version=_IR_VERSION,
        producer_name="cg-ir",
    )
    onnx.checker.check_model(model)
    return model
