"""Walks through an ONNX graph and adds nodes of the format.

What an operator becomes is said by a *reading*, a function registered by its name with :func:`reads`; it is given the importer and an
:class:`Operation`. Values of the ONNX graph are known by name: nodes, weights, or constants with their elements where those are known.
An operator without a reading is replaced by the function by which the standard defines it, or becomes ``Custom``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import defs

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Call, Value
from cg_frontends.onnx_.folding import Folder
from cg_frontends.onnx_.functions import instantiate, standard_function
from cg_frontends.onnx_.operation import (
    Operation,
    attributes_of,
    check_counts,
    dtype_name,
    newest_opset,
    output_types,
    schema_of,
)
from cg_frontends.onnx_.parameters import Roles
from cg_frontends.onnx_.values import LARGE, Parts, Values, elements, is_float
from cg_ir import CgError, GraphError, SourceError

Reading = Callable[["Importer", Operation], Any]
_F = TypeVar("_F", bound=Callable[..., Any])
READINGS: dict[str, Reading] = {}
DEFERRED = "onnx::deferred"
#: Operators with graphs inside that run as often as data say.
_LOOPS = {"Loop", "Scan", "SequenceMap"}
_OLDEST = 11
#: Of one file, functions counted as their nodes.
_MOST_NODES = 2**17
_DEEPEST = 24
#: What a reading raises where a file does not fit the operator's definition.
_MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def reads(*names: str) -> Callable[[_F], _F]:
    """Register the reading of ONNX operators."""

    def register(function: _F) -> _F:
        for name in names:
            READINGS[name] = function
        return function

    return register


class Importer(Values):
    """Imports one graph.

    Args:
        model: the ONNX model.
        shapes: shapes and element types of the inputs by name, batch of 1 included.
        stated: shapes by name that the file states for its values, for operators outside the vocabulary.
        examples: how many the file was written for, where the graph is to be that of one.
        inferred: gives the shapes that onnx's own rules infer; asked at most once, and only where nothing else tells.

    Attributes:
        opset: of the default domain, at the node at hand.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        shapes: Mapping[str, tuple[tuple[int, ...], str]],
        stated: Mapping[str, tuple[int, ...]],
        inferred: Callable[[], Mapping[str, tuple[int, ...]]],
        examples: int = 1,
    ) -> None:
        graph = model.graph
        super().__init__(Roles(graph.node, (o.name for o in graph.output)), examples)
        self._opsets = {("" if o.domain == "ai.onnx" else o.domain): int(o.version) for o in model.opset_import}
        self._functions = {(f.domain, f.name): f for f in model.functions}
        self._stated, self._infer = stated, inferred
        self._inferred: Mapping[str, tuple[int, ...]] | None = None
        self._folder = Folder()
        self._depth = self._nodes = 0
        self._check_opset()
        for tensor in graph.initializer:
            self._initializer(tensor)
        for index, (name, (shape, dtype)) in enumerate(shapes.items()):
            self.values[name] = self.low.add("Input", shape=shape, index=index, dtype=dtype)
            self.types[name] = dtype
        self._run(graph.node)
        self.low.region = ""
        for index, output in enumerate(graph.output):
            if output.name not in self.values:
                raise SourceError(f"output '{output.name}' is made by no node")
            node = self.node(self.values[output.name])
            self.low.add("Output", node, shape=self.low.shape(node), index=index)

    @property
    def opset(self) -> int:
        """The opset of the default domain."""
        return self._opsets.get("", 0)

    def _check_opset(self) -> None:
        if self.opset > newest_opset():
            raise SourceError(
                f"opset {self.opset} is newer than {newest_opset()}, the newest of the installed onnx; a newer onnx reads it"
            )

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _run(self, nodes: Iterable[onnx.NodeProto]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SourceError(f"functions and branches are nested more than {_DEEPEST} deep")
        for node in nodes:
            self._nodes += 1
            if self._nodes > _MOST_NODES:
                raise SourceError(f"more than {_MOST_NODES} nodes, functions counted as their nodes")
            self._node(node)
        self._depth -= 1

    def _node(self, node: onnx.NodeProto) -> None:
        where = f"{node.name or (node.output[0] if node.output else '?')} ({node.op_type})"
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise SourceError(f"{where}: its input '{missing[0]}' is made by no earlier node")
        function = self._functions.get((node.domain, node.op_type))
        if function is not None:
            self._call(function, node)
            return
        schema = schema_of(node, self._opsets.get("" if node.domain == "ai.onnx" else node.domain, self.opset))
        try:
            self._read_node(node, schema, where)
        except SourceError as error:
            text = str(error)
            raise SourceError(text if text.startswith(where) else f"{where}: {text}") from error
        except GraphError as error:
            raise SourceError(f"{where}: {error}") from error
        except RecursionError:
            raise SourceError(f"{where}: nested too deep") from None
        except _MISFITS as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise SourceError(f"{where}: inputs or attributes that do not fit the operator ({reason})") from error

    def _read_node(self, node: onnx.NodeProto, schema: defs.OpSchema | None, where: str) -> None:
        if schema is not None:
            check_counts(node, schema)
            self._check_age(node, schema)
        operation = self._operation(node, schema, where.rpartition(" ")[0])
        if node.op_type == "If":
            self._branch(node, operation)
            return
        if node.op_type in _LOOPS:
            raise SourceError(
                "control flow inside the file, which a graph cannot hold; export the model with it resolved"
            )
        types = list(output_types(node, schema, operation.types))
        for name, dtype in zip(node.output, types, strict=True):
            self.types[name] = dtype
        if self._folded(node, operation):
            return
        region = _region(node)
        self.low.region = region or self.low.region if self._depth > 1 else region
        if self._of_weights(node, operation, types[0] if types else "float32"):
            return
        results = self._read(node, operation)
        if results is None:
            if self._by_definition(node, schema, operation):
                return
            results = self._custom(node, operation)
        for name, result in zip(node.output, results, strict=False):
            if name and result is not None:
                self.values[name] = result

    def _operation(self, node: onnx.NodeProto, schema: defs.OpSchema | None, name: str) -> Operation:
        inputs = [self.values[i] if i else None for i in node.input]
        arrays = {i: self.arrays[n] for i, n in enumerate(node.input) if n in self.arrays}
        types = [self.types.get(n, "float32") if n else "" for n in node.input]
        attrs = attributes_of(node, schema)
        return Operation(name, node.op_type, inputs, attrs, [bool(n) for n in node.output], arrays, types)

    def _check_age(self, node: onnx.NodeProto, schema: defs.OpSchema) -> None:
        """Files older than the readings are read as far as their operators have not changed since."""
        if node.domain not in ("", "ai.onnx") or self.opset >= _OLDEST:
            return
        later = schema_of(node, _OLDEST)
        if later is None or later.since_version != schema.since_version:
            raise SourceError(
                f"opset {self.opset} is older than {_OLDEST}, and the operator has changed since; "
                "onnx.version_converter.convert_version brings it up"
            )

    def _read(self, node: onnx.NodeProto, operation: Operation) -> list[Any] | None:
        """What the reading of an operator makes of it; ``None`` where there is none, or where it leaves something unread."""
        reading = READINGS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if reading is None:
            return None
        mark = self.low.mark()
        results = reading(self, operation)
        if results is not NotImplemented:
            found = [results] if not isinstance(results, list) or isinstance(results, Parts) else results
            complete = all(not w or (i < len(found) and found[i] is not None) for i, w in enumerate(operation.wanted))
            if complete and not operation.unread():
                return found
        self.low.rewind(mark)
        return None

    # --- constants ----------------------------------------------------------------------------------------------------

    def _folded(self, node: onnx.NodeProto, operation: Operation) -> bool:
        """Compute a node that depends on constants and shapes alone."""
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            return self._constant_node(node, operation)
        if node.op_type in ("Shape", "Size") and not isinstance(operation.given[0], Parts):
            shape = self.shape(operation.given[0])
            a = operation.attrs
            array = np.asarray(shape[a.get("start", 0) : a.get("end")] if node.op_type == "Shape" else prod(shape))
            self._constant(node.output[0], array.shape, "int64", array.astype(np.int64))
            return True
        if node.op_type == "CastLike" and 0 in operation.arrays:  # the type alone of the second input matters
            array = operation.arrays[0]
            with contextlib.suppress(TypeError):
                like = array.astype(operation.dtype(1)) if array.dtype.kind in "fiub" else array
                self._constant(node.output[0], like.shape, str(like.dtype), like)
                return True
        if any(not isinstance(v, Value) or v.kind != CONSTANT for v in operation.given if v is not None):
            return False
        known = [operation.arrays.get(i) for i in range(len(operation.given))]
        if any(array is None and name for array, name in zip(known, node.input, strict=True)):
            return False
        results = self._folder.fold(node.op_type, operation.attrs, known, len(node.output))
        if results is None or operation.attrs.unread():
            return False
        for name, array in zip(node.output, results, strict=False):
            if name:
                self._constant(name, array.shape, str(array.dtype), array)
        return True

    def _constant_node(self, node: onnx.NodeProto, operation: Operation) -> bool:
        if len(operation.attrs) != 1:
            raise SourceError("a Constant has one value")
        name, value = next(iter(operation.attrs.items()))
        if not isinstance(value, onnx.TensorProto):
            if name not in ("value_float", "value_floats", "value_int", "value_ints"):
                raise SourceError(f"holds a '{name}', which is no tensor of numbers")
            array = np.asarray(value, dtype=np.float32 if "float" in name else np.int64)
        elif value.data_location == onnx.TensorProto.EXTERNAL and node.output[0] not in self._roles.learned:
            raise SourceError("its elements lie in another file, which is not read")
        elif value.data_location == onnx.TensorProto.EXTERNAL or prod(int(d) for d in value.dims) > LARGE:
            shape = tuple(int(d) for d in value.dims)
            self._tensor(node.output[0], shape, dtype_name(value.data_type), None, value, named=False)
            return True
        else:
            array = elements(value)
        self._tensor(node.output[0], array.shape, str(array.dtype), array, value, named=False)
        return True

    def _of_weights(self, node: onnx.NodeProto, operation: Operation, dtype: str) -> bool:
        """Keep what is computed from parameters alone until something needs it as a node; an operator may own it."""
        given = operation.given
        if not any(isinstance(v, Value) and v.kind == WEIGHT for v in given):
            return False
        if any(v is not None and not isinstance(v, Value) for v in given) or len(node.output) != 1:
            return False
        if node.op_type in ("Identity", "Cast", "CastLike") and isinstance(given[0], Value) and is_float(dtype):
            self.values[node.output[0]] = given[0]
            return True
        shape = self._dry_run(node, operation)
        if shape is None:
            return False
        attrs, names = operation.attrs, [v is not None for v in given]

        def read() -> int:
            results = self._read(node, operation)
            assert results is not None
            return self.node(results[0])

        def compute(read: Any, arrays: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
            left = iter(arrays)
            found = Folder().fold(node.op_type, attrs, [next(left) if n else None for n in names], 1)
            return None if found is None else found[0]

        call = Call(DEFERRED, (read, [v for v in given if v is not None]), {}, self.low.region)
        call.func = compute
        value = Value(WEIGHT, shape, dtype, call)
        call.outputs = (value,)
        self.values[node.output[0]] = value
        return True

    def _dry_run(self, node: onnx.NodeProto, operation: Operation) -> tuple[int, ...] | None:
        """The shape that an operation gives, without leaving its nodes behind."""
        mark = self.low.mark()
        results = self._read(node, operation)
        shape = None if results is None else self.shape(results[0])
        self.low.rewind(mark)
        return shape

    # --- definitions and branches -------------------------------------------------------------------------------------

    def _call(self, function: onnx.FunctionProto, node: onnx.NodeProto) -> None:
        """Run a function of the file."""
        attributes = {a.name: a for a in (*function.attribute_proto, *node.attribute)}
        outer = self._opsets
        self._opsets = {
            **outer,
            **{("" if o.domain == "ai.onnx" else o.domain): int(o.version) for o in function.opset_import},
        }
        self._check_opset()
        region = _region(node)
        if region:
            self.low.region = region
        self._run_body(function, node, attributes)
        self._opsets = outer

    def _by_definition(self, node: onnx.NodeProto, schema: defs.OpSchema | None, operation: Operation) -> bool:
        """Replace an operator by the function that defines it in the standard, where its nodes can all be read."""
        if schema is None or any(isinstance(v, Parts) for v in operation.given):
            return False
        if any(attribute.name not in schema.attributes for attribute in node.attribute):
            return False  # the definition does not know them
        about = [
            None if v is None else (t, self.shape(v)) for v, t in zip(operation.given, operation.types, strict=True)
        ]
        function = standard_function(node, schema, self.opset, about)
        if function is None:
            return False
        attributes = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.type}
        attributes |= {a.name: a for a in node.attribute}
        mark, unknown = self.low.mark(), sum(self.low.unknown.values())
        values, arrays, types, depth = dict(self.values), dict(self.arrays), dict(self.types), self._depth
        outer = self._opsets
        if function.opset_import:
            self._opsets = {
                **outer,
                "": max((o.version for o in function.opset_import if o.domain == ""), default=self.opset),
            }
        try:
            self._run_body(function, node, attributes)
            if sum(self.low.unknown.values()) == unknown:
                return True
        except CgError:
            pass
        finally:
            self._opsets, self._depth = outer, depth
        self.low.rewind(mark)
        self.values, self.arrays, self.types = values, arrays, types
        return False

    def _run_body(
        self, function: onnx.FunctionProto, node: onnx.NodeProto, attributes: Mapping[str, onnx.AttributeProto]
    ) -> None:
        self._nodes += 1
        prefix = f"{node.name or node.op_type}.{self._nodes}."
        # roles told by position hold inside a function too
        nodes = instantiate(function, node, prefix, attributes)
        inner = Roles(nodes, ())
        self._roles.learned |= inner.learned
        self._roles.quantised |= inner.quantised
        self._run(nodes)

    def _branch(self, node: onnx.NodeProto, operation: Operation) -> None:
        """The branch of an ``If`` whose condition is known."""
        condition = operation.array(0)
        if condition is None or condition.size != 1:
            raise SourceError(
                "control flow inside the file, which a graph cannot hold; export the model with it resolved"
            )
        graph = operation.attrs["then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"]
        for tensor in graph.initializer:
            self._initializer(tensor)
        self._run(graph.node)
        for inner, outer in zip(graph.output, node.output, strict=True):
            if inner.name not in self.values:
                raise SourceError(f"output '{inner.name}' of a branch is made by no node")
            self.values[outer] = self.values[inner.name]
            self.types[outer] = self.types.get(inner.name, "float32")
            if inner.name in self.arrays:
                self.arrays[outer] = self.arrays[inner.name]

    # --- what is not known --------------------------------------------------------------------------------------------

    def _custom(self, node: onnx.NodeProto, operation: Operation) -> list[int | None]:
        inputs = operation.given
        shapes = [self._told_shape(name) if name else None for name in node.output]
        first = next((s for s in shapes if s is not None), None)
        if first is None or (node.output[0] and shapes[0] is None):
            raise SourceError(f"{self._why(operation)}, and its output shape is not known")
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
        outside = operation.outside if operation.op in READINGS and node.domain in ("", "ai.onnx") else ""
        shown = f"{name} with {outside}" if outside else name
        self.low.unknown[shown] = self.low.unknown.get(shown, 0) + 1
        slots = [v for v in inputs if isinstance(v, Value) and v.kind == WEIGHT and self.low.owned(v)]
        given = [v for v in inputs if v is not None and v not in slots and 0 not in self.shape(v)]
        made = self.add("Custom", *given, shape=first, slots=slots, name=name, params=sum(prod(v.shape) for v in slots))
        return [
            made if i == 0 else None if s is None else self.add("Select", made, shape=s, index=i)
            for i, s in enumerate(shapes)
        ]

    @staticmethod
    def _why(operation: Operation) -> str:
        outside = operation.outside if operation.op in READINGS else ""
        return f"used with {outside}, which is outside the vocabulary" if outside else "outside the vocabulary"

    def _told_shape(self, name: str) -> tuple[int, ...] | None:
        if name in self._stated:
            return self._stated[name]
        if self._inferred is None:
            self._inferred = self._infer()
        return self._inferred.get(name)


@lowers(DEFERRED)
def _deferred(low: Lowering, out: Any, read: Callable[[], int], inputs: Any) -> int:
    """A computation on weights whose result is needed as a node."""
    return read()


def _region(node: onnx.NodeProto) -> str:
    """The module path that torch's exporters write into node names or metadata, if any."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = [part.strip(" '\"") for part in entry.value.strip("[]").split(",")]
            return scopes[-2] if len(scopes) > 1 else ""
    parts = node.name.strip("/").split("/")
    return ".".join(parts[:-1]) if node.name.startswith("/") else ""
