"""Models of a few ONNX nodes, and whether the network of their graph computes what ONNX Runtime does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import cg_ir
from cg_frontends.onnx_ import copy_weights, from_onnx

Array = NDArray[Any]
_OPTIONS = onnxruntime.SessionOptions()
_OPTIONS.log_severity_level, _OPTIONS.intra_op_num_threads = 4, 1
_OPTIONS.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def numbers(*shape: int, seed: int = 0) -> Array:
    """Normal random numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def whole(*shape: int, low: int = -5, high: int = 6, seed: int = 0, dtype: str = "int64") -> Array:
    """Random whole numbers from ``low`` to below ``high``."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Array],
    weights: dict[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 22,
) -> onnx.ModelProto:
    """A model whose inputs ``x0``, ``x1``, ... have the shapes and types of arrays; what it gives is left open."""
    given = [
        helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for i, x in enumerate(inputs)
    ]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(list(nodes), "net", given, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def one(
    op: str,
    inputs: Sequence[Array],
    weights: dict[str, Any] | None = None,
    *,
    names: Sequence[str] = (),
    outputs: Sequence[str] = ("y",),
    opset: int = 22,
    **attrs: Any,
) -> onnx.ModelProto:
    """A model of one node.

    Args:
        names: what the node reads, ``""`` for what is left out; by default all inputs and then all weights.
    """
    read = names or [*(f"x{i}" for i in range(len(inputs))), *(weights or {})]
    return model_of([helper.make_node(op, read, outputs, **attrs)], inputs, weights, [n for n in outputs if n], opset)


def expected(model: onnx.ModelProto, inputs: Sequence[Array]) -> list[Array]:
    """What ONNX Runtime computes, its own rewriting of graphs turned off."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    # types of outputs, which ONNX Runtime wants to be stated
    inferred = {v.name: v for v in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output}
    for value in copy.graph.output:
        kind = inferred[value.name].type.tensor_type.elem_type
        value.type.tensor_type.elem_type = kind or TensorProto.FLOAT
    session = onnxruntime.InferenceSession(copy.SerializeToString(), _OPTIONS, providers=["CPUExecutionProvider"])
    return list(session.run(None, {f"x{i}": np.asarray(x) for i, x in enumerate(inputs)}))


def computed(model: onnx.ModelProto, inputs: Sequence[Array], graph: cg_ir.Graph | None = None) -> list[Array]:
    """What the network of the model's graph computes with the weights of the model."""
    network = cg_ir.to_module(from_onnx(model) if graph is None else graph).eval()
    copy_weights(model, network)
    with torch.no_grad():
        found = network(*(torch.from_numpy(np.asarray(x)) for x in inputs))
    return [a.numpy() for a in (found if isinstance(found, tuple) else (found,))]


def agree(model: onnx.ModelProto, *inputs: Array, wanted: Sequence[Array] | None = None) -> cg_ir.Graph:
    """The graph, without a Custom or a warning, of a model whose network gives the shapes, kinds and numbers of ONNX Runtime."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = from_onnx(model)
    assert [n.attrs["name"] for n in graph.nodes if n.op == "Custom"] == []
    found = computed(model, inputs, graph)
    wanted = expected(model, inputs) if wanted is None else wanted
    assert [a.shape for a in found] == [b.shape for b in wanted]
    stated = [node.shape for node in graph.nodes if node.op == "Output"]
    assert stated == [b.shape for b in wanted]
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype.kind == b.dtype.kind
        np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=1e-4, atol=1e-5)
    return graph


def told(model: onnx.ModelProto, match: str) -> cg_ir.Graph:
    """The graph of a model in which something became Custom, and a warning that matches said so.

    The outputs get the shape of the first input, so that no helper has to infer them.
    """
    for value in model.graph.output:
        for dim in model.graph.input[0].type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim.add().dim_value = dim.dim_value
    with pytest.warns(UserWarning, match=f"became Custom: {match}"):
        graph = from_onnx(model)
    assert "Custom" in operators(graph)
    return graph


def operators(graph: cg_ir.Graph) -> list[str]:
    """The operators between inputs and outputs."""
    return [node.op for node in graph.nodes if node.op not in ("Input", "Output")]
