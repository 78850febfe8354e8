"""Walks through an ONNX graph and adds nodes of the format.

What an operator becomes is said by a *reading*, a function registered by its name with :func:`reads`; it is given the importer and an
:class:`Operation`. Values of the ONNX graph are known by name: nodes, weights, or constants with their elements where those are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Call, Leaf, Tape, Value
from cg_frontends.onnx_.folding import evaluate
from cg_ir import GraphError, SourceError

__all__ = ["READINGS", "Importer", "Operation", "reads"]

Reading = Callable[["Importer", "Operation"], Any]
_F = TypeVar("_F", bound=Callable[..., Any])
READINGS: dict[str, Reading] = {}
DEFERRED = "onnx::deferred"
_FLOATS = {"float32", "float64", "float16", "bfloat16"}
#: Operators that leave weights and constants as they are.
_SAME = {"Identity", "CastLike"}
#: Operators with graphs inside: what runs depends on data.
_CONTROL = {"If", "Loop", "Scan", "SequenceMap"}


def reads(*names: str) -> Callable[[_F], _F]:
    """Register the reading of ONNX operators."""

    def register(function: _F) -> _F:
        for name in names:
            READINGS[name] = function
        return function

    return register


@dataclass
class Operation:
    """One node of the ONNX graph.

    Attributes:
        inputs: nodes (numbers), or weights and constants; ``None`` for absent optional inputs.
        attrs: attributes as Python values.
        outputs: how many outputs are named.
    """

    name: str
    op: str
    inputs: list[int | Value | None]
    attrs: dict[str, Any]
    outputs: int
    arrays: dict[int, NDArray[Any]] = field(default_factory=dict)

    def input(self, position: int) -> int | Value | None:
        """An input, or ``None``."""
        return self.inputs[position] if position < len(self.inputs) else None

    def array(self, position: int) -> NDArray[Any] | None:
        """The elements of a constant input, where they are known."""
        return self.arrays.get(position)

    def numbers(self, position: int, attribute: str = "", default: Any = None) -> list[int] | None:
        """Integers given as an attribute (older opsets) or as a constant input."""
        if attribute and attribute in self.attrs:
            return [int(v) for v in self.attrs[attribute]]
        if self.input(position) is None:
            return None if default is None else list(default)
        array = self.array(position)
        if array is None:
            raise SourceError(
                f"{self.name} ({self.op}): its input {position} depends on data, so its shape is not known"
            )
        return [int(v) for v in array.reshape(-1)]


class Importer:
    """Imports one graph.

    Args:
        graph: the ONNX graph.
        opsets: the model's ``opset_import``.
        shapes: shapes and element types of the inputs by name, batch of 1 included.
        inferred: shapes by name that onnx's own rules give, for operators outside the vocabulary.
    """

    def __init__(
        self,
        graph: onnx.GraphProto,
        opsets: list[Any],
        shapes: Mapping[str, tuple[tuple[int, ...], str]],
        inferred: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.inferred = inferred
        self.low = Lowering(Tape())
        self.opsets = opsets
        self.opset = next((o.version for o in opsets if o.domain in ("", "ai.onnx")), 0)
        self.values: dict[str, int | Value] = {}
        self._statistics: set[int] = set()
        self.arrays: dict[str, NDArray[Any]] = {}
        for tensor in graph.initializer:
            self._initializer(tensor)
        for index, (name, (shape, dtype)) in enumerate(shapes.items()):
            self.values[name] = self.low.add("Input", shape=shape, index=index, dtype=dtype)
        for node in graph.node:
            self._node(node)
        for index, output in enumerate(graph.output):
            if output.name not in self.values:
                raise SourceError(f"output '{output.name}' is made by no node")
            node = self.node(self.values[output.name])
            self.low.add("Output", node, shape=self.low.shape(node), index=index)
        # exporters store equal tensors once: a mean of zeros may be a bias too
        owned = {id(slot.leaf) for spec in self.low.specs for slot in spec.slots}
        leaves = self.low.tape.leaves
        self.low.tape.leaves[:] = [x for x in leaves if id(x) in owned or id(x) not in self._statistics]

    # --- what readings use --------------------------------------------------------------------------------------------

    def node(self, value: int | Value | None) -> int:
        """The number of a value's node."""
        assert value is not None
        return self.low.node(value) if isinstance(value, Value) else value

    def shape(self, value: int | Value | None) -> tuple[int, ...]:
        """The shape of a value."""
        assert value is not None
        return value.shape if isinstance(value, Value) else self.low.shape(value)

    def add(self, op: str, *inputs: int | Value | None, **options: Any) -> int:
        """Add a node; see ``Lowering.add``."""
        return self.low.add(op, *(self.node(i) for i in inputs), **options)

    def owned(self, value: int | Value | None) -> bool:
        """Whether an operator may own a value as its parameters."""
        return isinstance(value, Value) and self.low.owned(value)

    def not_learned(self, *values: int | Value | None) -> None:
        """Running statistics: initializers that are no parameters."""
        self._statistics |= {id(v.leaf) for v in values if isinstance(v, Value) and v.leaf is not None}

    def operand(self, value: int | Value | None) -> int:
        """An operand of elementwise arithmetic; a constant that is one number is a scalar."""
        if isinstance(value, Value) and value.kind == CONSTANT and value.fill is not None and prod(value.shape) == 1:
            return self.scalar(value.fill)
        return self.node(value)

    def reshape(self, value: int | Value | None, shape: tuple[int, ...]) -> int:
        """The value in another shape."""
        return self.add("Reshape", value, shape=shape)

    def transpose(self, value: int | Value | None, perm: tuple[int, ...]) -> int:
        """The value with its axes in another order."""
        return self.add("Transpose", value, perm=perm)

    def scalar(self, number: float) -> int:
        """A scalar constant."""
        return self.low.scalar(number)

    # --- values -------------------------------------------------------------------------------------------------------

    def _initializer(self, tensor: onnx.TensorProto) -> None:
        shape = tuple(tensor.dims)
        dtype = _dtype(tensor.data_type)
        array = None
        if tensor.data_location != onnx.TensorProto.EXTERNAL and prod(shape) <= 2**16:
            try:
                array = numpy_helper.to_array(tensor)
            except Exception as error:
                raise SourceError(
                    f"initializer '{tensor.name}' cannot be read: {' '.join(str(error).split())[:200]}"
                ) from None
        if dtype in _FLOATS and shape:
            leaf = Leaf(tensor.name, prod(shape))
            self.low.declare(leaf)
            self.values[tensor.name] = Value(WEIGHT, shape, dtype, leaf=leaf, place=(0, shape, _strides(shape)))
        else:
            self._constant(tensor.name, shape, dtype, array)

    def _constant(self, name: str, shape: tuple[int, ...], dtype: str, array: NDArray[Any] | None) -> None:
        fill = None
        if array is not None:
            self.arrays[name] = array
            if array.size and array.dtype.kind in "fiub" and (array == array.reshape(-1)[0]).all():
                fill = float(array.reshape(-1)[0])
        self.values[name] = Value(CONSTANT, shape, dtype, fill=fill)

    def _node(self, node: onnx.NodeProto) -> None:
        where = f"{node.name or node.output[0]} ({node.op_type})"
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise SourceError(f"{where}: its input '{missing[0]}' is made by no earlier node")
        attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attrs = {k: _plain(v) for k, v in attrs.items()}
        inputs = [self.values[name] if name else None for name in node.input]
        if node.op_type in _SAME and isinstance(inputs[0], Value):
            self.values[node.output[0]] = inputs[0]
            if node.input[0] in self.arrays:
                self.arrays[node.output[0]] = self.arrays[node.input[0]]
            return
        if self._folded(node, inputs, attrs):
            return
        self.low.region = _region(node)
        operation = Operation(where.rpartition(" ")[0], node.op_type, inputs, attrs, len(node.output))
        operation.arrays = {i: self.arrays[name] for i, name in enumerate(node.input) if name in self.arrays}
        if node.op_type in _CONTROL:
            raise SourceError(
                f"{where}: control flow inside the file, which a graph cannot hold; export the model with it resolved"
            )
        if self._of_weights(node, operation, inputs):
            return
        for name, result in zip(node.output, self._read(node, operation, where), strict=False):
            if name and result is not None:
                self.values[name] = result

    def _read(self, node: onnx.NodeProto, operation: Operation, where: str) -> list[Any]:
        reading = READINGS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        try:
            results = NotImplemented if reading is None else reading(self, operation)
            if results is NotImplemented:
                results = self._custom(node, operation.inputs)
        except (GraphError, SourceError) as error:
            raise SourceError(f"{where}: {error}") from error
        return list(results) if isinstance(results, (list, tuple)) else [results]

    def _of_weights(self, node: onnx.NodeProto, operation: Operation, inputs: list[int | Value | None]) -> bool:
        """Keep what is computed from parameters alone until something needs it as a node; an operator may own it."""
        if not any(isinstance(v, Value) and v.kind == WEIGHT for v in inputs):
            return False
        if any(isinstance(v, int) for v in inputs) or len(node.output) != 1:
            return False
        shape = self.inferred.get(node.output[0]) or self._dry_run(node, operation)
        first = next(v for v in inputs if isinstance(v, Value) and v.kind == WEIGHT)

        def read() -> int:
            (result,) = self._read(node, operation, operation.name)
            return self.node(result)

        call = Call(DEFERRED, (read, [v for v in inputs if v is not None]), {}, self.low.region)
        value = Value(WEIGHT, shape, first.dtype, call)
        call.outputs = (value,)
        self.values[node.output[0]] = value
        return True

    def _dry_run(self, node: onnx.NodeProto, operation: Operation) -> tuple[int, ...]:
        """The shape that an operation gives, without leaving its nodes behind."""
        mark = self.low.mark()
        shape = self.shape(self._read(node, operation, operation.name)[0])
        self.low.rewind(mark)
        return shape

    def _folded(self, node: onnx.NodeProto, inputs: list[int | Value | None], attrs: dict[str, Any]) -> bool:
        """Compute a node that depends on constants and shapes alone."""
        if node.op_type == "Constant":
            value = next(iter(attrs.values()))
            array = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
            if "value_float" in attrs or "value_floats" in attrs:
                array = array.astype(np.float32)
            self._constant(node.output[0], array.shape, str(array.dtype), array)
            return True
        if node.op_type in ("Shape", "Size"):
            shape = self.shape(inputs[0])
            array = np.asarray(
                shape[attrs.get("start", 0) : attrs.get("end")] if node.op_type == "Shape" else prod(shape),
                dtype=np.int64,
            )
            self._constant(node.output[0], array.shape, "int64", array)
            return True
        if (
            any(not isinstance(v, Value) or v.kind != CONSTANT for v in inputs if v is not None)
            or node.op_type in _CONTROL
        ):
            return False
        known = [None if not name else self.arrays.get(name) for name in node.input]
        if any(array is None for array, name in zip(known, node.input, strict=True) if name):
            return False
        results = evaluate(node, known, self.opsets)
        if results is None:
            return False
        for name, array in zip((n for n in node.output if n), results, strict=False):
            self._constant(name, array.shape, str(array.dtype), array)
        return True

    def _custom(self, node: onnx.NodeProto, inputs: list[int | Value | None]) -> list[int | None]:
        shapes = [self.inferred.get(name) for name in node.output]
        first = shapes[0]
        if first is None:
            raise SourceError("outside the vocabulary, and its output shape is not known")
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
        self.low.unknown[name] = self.low.unknown.get(name, 0) + 1
        slots = [v for v in inputs if isinstance(v, Value) and v.kind == WEIGHT and self.low.owned(v)]
        given = [v for v in inputs if v is not None and v not in slots]
        made = self.add("Custom", *given, shape=first, slots=slots, name=name, params=sum(prod(v.shape) for v in slots))
        further = [
            None if s is None else self.add("Select", made, shape=s, index=i) for i, s in enumerate(shapes[1:], 1)
        ]
        return [made, *further]


@lowers(DEFERRED)
def _deferred(low: Lowering, out: Any, read: Callable[[], int], inputs: Any) -> int:
    """A computation on weights whose result is needed as a node."""
    return read()


def _plain(value: Any) -> Any:
    """An attribute as Python has it: text, and floats as short as they were written (0.1, not the nearest float32)."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return float(str(np.float32(value)))
    return value


def _dtype(code: int) -> str:
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(code))
    except KeyError:
        return "float32"


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _region(node: onnx.NodeProto) -> str:
    """The module path that torch's exporters write into node names or metadata, if any."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = [part.strip(" '\"") for part in entry.value.strip("[]").split(",")]
            return scopes[-2] if len(scopes) > 1 else ""
    parts = node.name.strip("/").split("/")
    return ".".join(parts[:-1]) if node.name.startswith("/") else ""
