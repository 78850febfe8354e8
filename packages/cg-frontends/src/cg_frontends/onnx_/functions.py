"""Functions of ONNX: operators that are defined by others, those of a file and those of the standard.

A call is replaced by the function's nodes, with the caller's names, and that again until no call is left or a limit is met: a file
may nest functions so that the whole would never end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import defs


def instantiate(
    function: onnx.FunctionProto, node: onnx.NodeProto, prefix: str, attributes: Mapping[str, onnx.AttributeProto]
) -> list[onnx.NodeProto]:
    """The nodes of a function as ``node`` calls it.

    Args:
        prefix: in front of the names inside.
        attributes: of the call, with the function's defaults.
    """
    names = {formal: node.input[i] if i < len(node.input) else "" for i, formal in enumerate(function.input)}
    names |= {
        formal: node.output[i] for i, formal in enumerate(function.output) if i < len(node.output) and node.output[i]
    }
    return [_renamed(inner, names, prefix, attributes) for inner in function.node]


def _renamed(
    node: onnx.NodeProto, names: Mapping[str, str], prefix: str, attributes: Mapping[str, onnx.AttributeProto]
) -> onnx.NodeProto:
    made = onnx.NodeProto(op_type=node.op_type, domain=node.domain, name=prefix + (node.name or node.op_type))
    made.input.extend(names.get(name, prefix + name) if name else "" for name in node.input)
    made.output.extend(names.get(name, prefix + name) if name else "" for name in node.output)
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            given = attributes.get(attribute.ref_attr_name)
            if given is not None:
                copied = made.attribute.add()
                copied.CopyFrom(given)
                copied.name = attribute.name
            continue
        copied = made.attribute.add()
        copied.CopyFrom(attribute)
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = [_renamed(n, names, prefix, attributes) for n in attribute.g.node]
            del copied.g.node[:]
            copied.g.node.extend(inner)
            for value in (*copied.g.input, *copied.g.output):
                value.name = names.get(value.name, prefix + value.name)
            for tensor in copied.g.initializer:
                tensor.name = names.get(tensor.name, prefix + tensor.name)
    return made


def standard_function(
    node: onnx.NodeProto, schema: defs.OpSchema, opset: int, types: Sequence[tuple[str, tuple[int, ...]] | None]
) -> onnx.FunctionProto | None:
    """The function by which the standard defines an operator, ``None`` where it does not.

    Args:
        types: element type and shape of each input, ``None`` for absent ones.
    """
    try:
        plain = [v for v in schema.function_opset_versions if v <= opset]
        if plain:
            text = schema.get_function_with_opset_version(plain[-1])
        else:
            about = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
            if not about:
                return None
            given = [_type(t).SerializeToString() for t in types]
            text = schema.get_context_dependent_function_with_opset_version(about[-1], node.SerializeToString(), given)
        function = onnx.FunctionProto()
        function.ParseFromString(text)
    except Exception:  # onnx's builders fail on attributes that they do not expect
        return None
    return function if function.node else None


def _type(about: tuple[str, tuple[int, ...]] | None) -> onnx.TypeProto:
    if about is None:
        return onnx.TypeProto()
    dtype, shape = about
    return onnx.helper.make_tensor_type_proto(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
