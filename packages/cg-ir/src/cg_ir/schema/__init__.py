"""The published JSON Schema of graph documents, and the code that derives it from the operator table.

``cg-ir-1.0.schema.json`` beside this file describes documents of format version 1.0. JSON Schema cannot say that inputs come earlier or that
shapes follow from rules; for the rest it and the reader agree, which tests check in both directions.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from cg_ir.operators import OPERATORS, REQUIRED, Attribute, Operator

__all__ = ["SCHEMA_FILE", "build_schema", "published_schema"]

SCHEMA_FILE = "cg-ir-1.0.schema.json"

_INT_LIMIT = 2**53
_SIZE_LIMIT = 2**31 - 1


def published_schema() -> dict[str, Any]:
    """The schema as it is shipped with this package."""
    text = files("cg_ir.schema").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def _scalar(attribute: Attribute) -> dict[str, Any]:
    kind = attribute.kind.rstrip("s")
    if kind == "int":
        low = -_INT_LIMIT if attribute.minimum is None else attribute.minimum
        return {"type": "integer", "minimum": low, "maximum": _INT_LIMIT}
    if kind == "float":
        return {"type": "number", **({} if attribute.minimum is None else {"minimum": attribute.minimum})}
    if kind == "bool":
        return {"enum": [False, True, 0, 1]}
    return {"enum": list(attribute.choices)} if attribute.choices else {"type": "string"}


def _attribute(name: str, attribute: Attribute) -> dict[str, Any]:
    result = _scalar(attribute)
    if attribute.kind.endswith("s"):
        result = {"type": "array", "items": result}
        if name == "kernel_shape":
            result |= {"minItems": 1, "maxItems": 3}
        elif attribute.length:
            result |= {"minItems": attribute.length, "maxItems": 3 * attribute.length}
    if attribute.default is None:
        result = {"anyOf": [result, {"type": "null"}]}
    described = attribute.doc
    if attribute.default not in (REQUIRED, None) and attribute.default != ():
        described += f"; {json.dumps(attribute.default)} where absent"
    return {**result, "description": described}


def _operator(operator: Operator) -> dict[str, Any]:
    low, high = operator.arity
    attrs: dict[str, Any] = {
        "type": "object",
        "properties": {name: _attribute(name, a) for name, a in operator.attributes.items()},
        "additionalProperties": False,
    }
    required = ["op", "shape"]
    if operator.required:
        attrs["required"] = list(operator.required)
        required.append("attrs")
    if low:
        required.append("inputs")
    inputs: dict[str, Any] = {"minItems": low}
    if high is not None:
        inputs["maxItems"] = high
    return {
        "title": operator.name,
        "description": operator.doc,
        "properties": {"inputs": inputs, "attrs": attrs},
        "required": required,
    }


def _node() -> dict[str, Any]:
    """The schema of a node."""
    names = list(OPERATORS)
    return {
        "type": "object",
        "properties": {
            "op": {"enum": names, "description": "operator of the opset"},
            "inputs": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "description": "numbers of earlier nodes, in order; absent where there are none",
            },
            "attrs": {"type": "object", "description": "attributes that differ from their defaults"},
            "shape": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": _SIZE_LIMIT},
                "maxItems": 32,
                "description": "shape of the (first) output at batch size 1, batch included",
            },
            "region": {"type": "string", "description": "dotted path of the module or cell"},
            "weights": {
                "type": "string",
                "minLength": 1,
                "description": "key of weights that operators share; equal keys count once",
            },
        },
        "required": ["op", "shape"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"op": {"const": name}}, "required": ["op"]},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in names
        ],
    }


def build_schema() -> dict[str, Any]:
    """The schema that follows from the operator table."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:cg-ir:schema:1.0",
        "title": "cg-ir graph document, version 1.0",
        "description": "A neural network as a computation graph. The specification is docs/format.md.",
        "type": "object",
        "properties": {
            "cg_ir": {"const": "1.0", "description": "format version"},
            "opset": {"const": 1, "description": "version of the operator table"},
            "name": {"type": "string", "description": "what the network is called; not part of its identity"},
            "nodes": {
                "type": "array",
                "items": {"$ref": "#/$defs/node"},
                "contains": {"properties": {"op": {"const": "Output"}}, "required": ["op"]},
                "description": "in topological order",
            },
            "producer": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "name and version of what wrote the document",
            },
            "extras": {"type": "object", "description": "anything else; not part of the network's identity"},
        },
        "required": ["cg_ir", "opset", "nodes"],
        "additionalProperties": False,
        "$defs": {"node": _node(), **{name: _operator(operator) for name, operator in OPERATORS.items()}},
    }


def schema_text() -> str:
    """The schema file's text."""
    return json.dumps(build_schema(), indent=1, ensure_ascii=False) + "\n"
