"""A network at another resolution of its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cg_ir import GraphBuilder, GraphError
from cg_ir.operators import OPERATORS
from cg_ir.operators.shapes import stated

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["at_resolution"]


def at_resolution(graph: Graph, height: int, width: int) -> Graph:
    """The network with the same weights for images of another extent.

    Args:
        graph: a network with one input [1, channels, h, w].
        height, width: of the images.

    Raises:
        GraphError: the network does not take such images: an extent vanishes, or a weight's shape would depend on it.
    """
    builder = GraphBuilder(graph.name, canonical=False)
    for node in graph.nodes:
        attrs: dict[str, Any] = dict(node.attrs)
        shape: tuple[int, ...] | None = None
        channels: int | None = None
        operator = OPERATORS[node.op]
        if node.op == "Input":
            shape = (*node.shape[:2], height, width)
        elif node.op in ("Conv", "ConvTranspose"):
            channels = node.shape[1]
        elif node.op == "Gemm":
            channels = node.shape[-1]
        elif operator.shape is stated or operator.layout:
            shape = node.shape
        made = builder.add(
            node.op, *node.inputs, region=node.region, weights=node.weights, shape=shape, channels=channels, **attrs
        )
        if node.op == "Gemm" and node.params != _params(builder, made):
            raise GraphError(f"the weights of a Gemm of shape {list(node.shape)} depend on the extent of the image")
    return builder.build()


def _params(builder: GraphBuilder, index: int) -> int:
    """Parameters of a node under construction."""
    record = builder.records[index]
    ins = tuple(builder.shape(i) for i in record.inputs)
    return OPERATORS[record.op].params(ins, record.attrs, record.shape)
