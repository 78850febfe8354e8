"""Constant folding: what follows from constants and shapes alone is computed, with onnx's reference evaluator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

__all__ = ["evaluate"]

_LIMIT = 2**22  # elements; larger constants keep their shape alone


def evaluate(node: onnx.NodeProto, inputs: list[NDArray[Any] | None], opsets: list[Any]) -> list[NDArray[Any]] | None:
    """The outputs of a node whose inputs are known, or ``None`` where it cannot be computed.

    Args:
        inputs: one array an input of the node, ``None`` for absent optional ones.
        opsets: the model's ``opset_import``.
    """
    names = [f"x{i}" if name else "" for i, name in enumerate(node.input)]
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    alone.ClearField("input")
    alone.input.extend(names)
    outputs = [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [alone],
        "constant",
        [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in names if n],
        [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in outputs],
    )
    model = onnx.helper.make_model(graph, opset_imports=opsets)
    given = {name: array for name, array in zip(names, inputs, strict=True) if name}
    if sum(0 if a is None else a.size for a in given.values()) > _LIMIT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(model).run(None, given)
    except Exception:
        return None
    arrays = [np.asarray(r) for r in results]
    return arrays if all(a.size <= _LIMIT for a in arrays) else None
