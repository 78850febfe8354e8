"""One node of an ONNX graph as a reading sees it, checked against onnx's schema of its operator.

A reading that does not look at something the node says has not understood the node. So an operation notes which attributes and inputs
were looked at: what was given, differs from the default and was not read makes the node a ``Custom``, never a silent guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import defs

from cg_frontends.lowering.tape import Value
from cg_ir import SourceError

_DEFAULT_DOMAINS = ("", "ai.onnx")
_READABLE = {
    onnx.AttributeProto.FLOAT: float, onnx.AttributeProto.INT: int, onnx.AttributeProto.STRING: bytes,
}  # fmt: skip


class Attributes(dict[str, Any]):
    """Attributes by name, defaults of the schema included, that remember which of them were looked at."""

    def __init__(self, given: dict[str, Any], defaults: dict[str, Any]) -> None:
        super().__init__({**defaults, **given})
        self.stated = {name for name, value in given.items() if name not in defaults or defaults[name] != value}
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.seen.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, its default, or ``default`` where the schema has none."""
        self.seen.add(name)
        return super().get(name, default)

    def unread(self) -> list[str]:
        """What the node states beyond the defaults and nobody looked at."""
        return sorted(self.stated - self.seen)


@dataclass
class Operation:
    """One node of the ONNX graph.

    Attributes:
        name: of the node, for messages.
        given: inputs: nodes (numbers), or weights and constants; ``None`` for absent optional ones.
        attrs: attributes as Python values.
        wanted: for each named output whether the file reads it.
        arrays: elements of the inputs that are known, by position.
        types: element types of the inputs, by position.
        reason: what a reading refused, see `refuse`.
    """

    name: str
    op: str
    given: list[int | Value | None]
    attrs: Attributes
    wanted: list[bool] = field(default_factory=lambda: [True])
    arrays: dict[int, NDArray[Any]] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    reason: str = ""

    @property
    def inputs(self) -> list[int | Value | None]:
        """All inputs."""
        self.seen.update(range(len(self.given)))
        return self.given

    @property
    def outputs(self) -> int:
        """How many outputs are named."""
        return len(self.wanted)

    def wants(self, position: int) -> bool:
        """Whether an output is named."""
        return position < len(self.wanted) and self.wanted[position]

    def input(self, position: int) -> int | Value | None:
        """An input, or ``None``."""
        self.seen.add(position)
        return self.given[position] if position < len(self.given) else None

    def array(self, position: int) -> NDArray[Any] | None:
        """The elements of a constant input, where they are known."""
        self.seen.add(position)
        return self.arrays.get(position)

    def dtype(self, position: int) -> str:
        """The element type of an input."""
        return self.types[position] if position < len(self.types) else "float32"

    def numbers(self, position: int, attribute: str = "") -> list[int] | None:
        """Integers given as an attribute (older opsets) or as a constant input."""
        if attribute and attribute in self.attrs:
            return [int(v) for v in self.attrs[attribute]]
        if self.input(position) is None:
            return None
        array = self.array(position)
        if array is None:
            raise SourceError(
                f"{self.name} ({self.op}): its input {position} depends on data, so its shape is not known"
            )
        return [int(v) for v in array.reshape(-1)]

    def required(self, position: int, attribute: str = "") -> list[int]:
        """As `numbers`, where the operator cannot do without."""
        found = self.numbers(position, attribute)
        if found is None:
            raise SourceError(f"{self.name} ({self.op}): lacks its input {position}")
        return found

    def number(self, position: int, default: float | None = None) -> float | None:
        """One number given as a constant input."""
        if self.input(position) is None:
            return default
        array = self.array(position)
        if array is None or array.size != 1:
            raise SourceError(f"{self.name} ({self.op}): its input {position} is not one known number")
        return float(array.reshape(-1)[0])

    def refuse(self, what: str) -> Any:
        """Note what of the node a reading understands and the format lacks; returns ``NotImplemented``."""
        self.reason = what
        return NotImplemented

    @property
    def outside(self) -> str:
        """What of the node is outside the vocabulary: what was refused, else what was not looked at."""
        return self.reason or ", ".join(self.unread())

    def unread(self) -> list[str]:
        """Attributes and inputs that the reading did not look at."""
        inputs = [f"input {i}" for i, v in enumerate(self.given) if v is not None and i not in self.seen]
        return [*self.attrs.unread(), *inputs]


def newest_opset() -> int:
    """The newest opset that the installed onnx knows."""
    return int(defs.onnx_opset_version())


def schema_of(node: onnx.NodeProto, opset: int) -> defs.OpSchema | None:
    """The schema of a node's operator at an opset; ``None`` where onnx has none."""
    return _schema(node.op_type, opset, "" if node.domain in _DEFAULT_DOMAINS else node.domain)


@lru_cache(1024)
def _schema(operator: str, opset: int, domain: str) -> defs.OpSchema | None:
    try:
        return defs.get_schema(operator, opset, domain)
    except Exception:
        return None


@lru_cache(1024)
def _stated(schema: defs.OpSchema) -> tuple[dict[str, defs.OpSchema.Attribute], list[str], dict[str, Any]]:
    """A schema's attributes by name, which of them are required, and the defaults of the others."""
    known = dict(schema.attributes)
    required = [name for name, about in known.items() if about.required]
    return known, required, {name: _value(a.default_value) for name, a in known.items() if a.default_value.type}


@lru_cache(1024)
def _types(schema: defs.OpSchema) -> tuple[list[str], list[str]]:
    """What a schema calls the element types of inputs and outputs, or the type itself where it allows one alone."""
    only = {c.type_param_str: c.allowed_type_strs[0] for c in schema.type_constraints if len(c.allowed_type_strs) == 1}
    inputs, outputs = ([only.get(f.type_str, f.type_str) for f in each] for each in (schema.inputs, schema.outputs))
    return inputs, outputs


def attributes_of(node: onnx.NodeProto, schema: defs.OpSchema | None) -> Attributes:
    """A node's attributes, checked against the schema.

    Raises:
        SourceError: one of another type than the schema's, one that is required and absent, text that is no UTF-8.
    """
    known, required, defaults = ({}, [], {}) if schema is None else _stated(schema)
    given: dict[str, Any] = {}
    for attribute in node.attribute:
        about = known.get(attribute.name)
        if about is not None and int(about.type.value) != attribute.type:
            raise SourceError(f"attribute '{attribute.name}' should be of type {about.type.name}")
        given[attribute.name] = _value(attribute)
    for name in required:
        if name not in given:
            raise SourceError(f"lacks its attribute '{name}'")
    return Attributes(given, defaults)


def _value(attribute: onnx.AttributeProto) -> Any:
    """An attribute as Python has it: text, and floats as short as they were written (0.1, not the nearest float32)."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return _text(attribute.name, value)
    if isinstance(value, float):
        return _short(value)
    if attribute.type in (onnx.AttributeProto.FLOATS, onnx.AttributeProto.INTS, onnx.AttributeProto.STRINGS):
        return [
            _text(attribute.name, v) if isinstance(v, bytes) else _short(v) if isinstance(v, float) else v
            for v in value
        ]
    return value


def _short(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(str(np.float32(value)))


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise SourceError(f"attribute '{name}' should be plain text, not {value!r:.40}") from None


def check_counts(node: onnx.NodeProto, schema: defs.OpSchema) -> None:
    """Whether a node has as many inputs and outputs as its schema allows.

    Raises:
        SourceError: it has not.
    """
    for what, count, low, high in (
        ("inputs", len(node.input), schema.min_input, schema.max_input),
        ("outputs", len(node.output), schema.min_output, schema.max_output),
    ):
        if not low <= count <= high:
            raise SourceError(f"takes {low} to {high} {what}, not {count}" if low != high else f"takes {low} {what}")


def output_types(node: onnx.NodeProto, schema: defs.OpSchema | None, types: Sequence[str]) -> Iterator[str]:
    """The element types of a node's outputs, as the schema ties them to those of its inputs.

    Args:
        types: of the inputs.
    """
    by_parameter: dict[str, str] = {}
    formals, outs = ([], []) if schema is None else _types(schema)
    for i, dtype in enumerate(types):
        if formals and dtype:
            by_parameter.setdefault(formals[min(i, len(formals) - 1)], dtype)
    for i in range(len(node.output)):
        name = outs[min(i, len(outs) - 1)] if outs else ""
        if name in by_parameter:
            yield by_parameter[name]
        elif name.startswith("tensor("):
            plain = name[len("tensor(") : -1]
            yield {"float": "float32", "double": "float64"}.get(plain, plain)
        else:
            yield _stated_type(node, schema) or (types[0] if types else "float32")


def _stated_type(node: onnx.NodeProto, schema: defs.OpSchema | None) -> str:
    """The type that an attribute states (Cast, EyeLike, RandomNormal), or that an operator has by default."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype", "output_dtype", "output_datatype") and attribute.i:
            return dtype_name(attribute.i)
    return "uint8" if node.op_type == "QuantizeLinear" else ""


#: Types whose elements older versions of onnx hold in wider ones.
_NARROW = {
    getattr(onnx.TensorProto, name.replace("_", "").upper()): name
    for name in ("bfloat16", "int4", "uint4", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
}


@lru_cache(64)
def dtype_name(code: int) -> str:
    """The name of an element type, by onnx's number.

    Raises:
        SourceError: there is none of this number.
    """
    try:
        return _NARROW.get(code) or str(onnx.helper.tensor_dtype_to_np_dtype(code))
    except Exception:
        raise SourceError(f"there is no element type {code}") from None
