"""Attention whose keys and values are shared by several queries' heads (grouped-query attention)."""

from __future__ import annotations

from cg_frontends.lowering.lowering import Lowering
from cg_frontends.lowering.tape import Value
from cg_ir import GraphError


def repeat_heads(low: Lowering, tensor: Value | int, heads: int) -> int:
    """Keys or values (..., h, s, e) with each head repeated to ``heads`` of them, as the programs that do it themselves spell it.

    Raises:
        GraphError: the heads do not divide.
    """
    node = low.node(tensor) if isinstance(tensor, Value) else tensor
    shape = low.shape(node)
    if len(shape) < 3 or shape[-3] == heads:
        return node
    own = shape[-3]
    if heads % own:
        raise GraphError(f"{heads} heads of queries do not share {own} heads of keys and values")
    *lead, _, length, width = shape
    wide = low.add(
        "Expand", low.reshape(node, (*lead, own, 1, length, width)), shape=(*lead, own, heads // own, length, width)
    )
    return low.reshape(wide, (*lead, heads, length, width))
