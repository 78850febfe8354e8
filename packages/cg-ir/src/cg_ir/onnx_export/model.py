"""The whole ONNX model of a graph."""

from __future__ import annotations

import re
from typing import Any

import onnx
from onnx import helper

from cg_ir.graph import Graph
from cg_ir.onnx_export.emitter import DOMAIN, IR_VERSION, OPSET, Emitter
from cg_ir.onnx_export.weights import Weights

__all__ = ["export"]


def _scope(region: str) -> str:
    return "/".join(re.sub(r"[^\w-]", "_", part) for part in region.split(".") if part) + ("/" if region else "")


def export(graph: Graph, weights: Weights) -> Any:
    """The model of a graph whose operators have these weights."""
    e = Emitter(graph, weights)
    for node in graph.nodes:
        e.scope = _scope(node.region)
        e.emit(node)
    used = {name for node in e.nodes for name in node.input}
    opsets = [helper.make_opsetid("", OPSET)]
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
        ir_version=IR_VERSION,
        producer_name="cg-ir",
    )
    onnx.checker.check_model(model)
    return model
