"""Graphs for PyTorch Geometric: one :class:`torch_geometric.data.Data` a network (extra ``torch``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cg_ir.errors import MissingExtra
from cg_ir.operators import OPERATOR_NAMES

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from cg_ir.graph import Graph
    from cg_ir.signature import Signature

#: Names of the columns of ``Data.x``: sizes and attributes, logarithms to base 2 of 1 + value.
FEATURES = (
    "channels", "height", "width", "elements", "params", "macs", "kernel", "stride", "dilation", "group", "inputs",
)  # fmt: skip


def _features(signature: Signature) -> tuple[float, ...]:
    attrs = signature.attrs

    def largest(name: str) -> int:
        return max(attrs.get(name) or (0,))

    sizes = (*signature.shape[1:4], 0, 0, 0)
    values = (
        *sizes[:3], int(np.prod(signature.shape, dtype=object)), signature.params, signature.macs,
        largest("kernel_shape"), largest("strides"), largest("dilations"), attrs.get("group", 0), len(signature.input_shapes),
    )  # fmt: skip
    return tuple(float(np.log2(1.0 + float(value))) for value in values)


def to_data(graph: Graph) -> Data:
    """A network as PyTorch Geometric sees graphs.

    Nodes keep their order, so topological order holds; edges run from producer to consumer.

    Returns:
        ``Data`` with

        - ``x`` (n, 11) float32: :data:`FEATURES`;
        - ``op`` (n,) int64: the operator's number in ``cg_ir.operators.OPERATOR_NAMES``, for an embedding layer with ``data.num_ops`` rows;
        - ``edge_index`` (2, e) int64, and ``edge_position`` (e,) int64: which input of the consumer the edge is;
        - ``params``, ``macs`` (1,) float64; ``name``, ``hash`` texts.

    Raises:
        MissingExtra: torch or torch-geometric is not installed.
    """
    try:
        import torch
        from torch_geometric.data import Data
    except ImportError:
        raise MissingExtra("cg-embed", "torch", "PyTorch Geometric data") from None
    degrees = np.diff(graph.indptr).astype(np.int64)
    sources = graph.indices.astype(np.int64)
    targets = np.repeat(np.arange(len(graph), dtype=np.int64), degrees)
    positions = np.arange(len(sources), dtype=np.int64) - np.repeat(graph.indptr[:-1].astype(np.int64), degrees)
    return Data(
        x=torch.from_numpy(graph.signatures.column(_features).astype(np.float32)[graph.codes]),
        op=torch.from_numpy(graph.op_codes.astype(np.int64)),
        edge_index=torch.from_numpy(np.stack([sources, targets])),
        edge_position=torch.from_numpy(positions),
        params=torch.tensor([float(graph.params)], dtype=torch.float64),
        macs=torch.tensor([float(graph.macs)], dtype=torch.float64),
        num_nodes=len(graph),
        num_ops=len(OPERATOR_NAMES),
        name=graph.name,
        hash=graph.hash,
    )
