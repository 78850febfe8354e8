"""Many graphs as one set of arrays, for vectorised passes over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cg_ir.graph import Graph
from cg_ir.signature import SignatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Batch", "batch"]


@dataclass(frozen=True)
class Batch:
    """The disjoint union of graphs.

    Attributes:
        signatures: the table that ``codes`` refer to.
        codes: signature of each node, (nodes,).
        indptr: CSR row pointers of the inputs, (nodes + 1,).
        indices: inputs as node numbers of the union, (edges,).
        graph_index: graph of each node, (nodes,).
        node_offsets: first node of each graph, and the total, (graphs + 1,).
    """

    signatures: SignatureTable
    codes: NDArray[np.int32]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    graph_index: NDArray[np.int32]
    node_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.node_offsets) - 1


def batch(graphs: Sequence[Graph]) -> Batch:
    """Join graphs; those that refer to another table than the first are re-interned.

    Raises:
        ValueError: no graph is given.
    """
    if not graphs:
        raise ValueError("a batch needs at least one graph")
    table = graphs[0].signatures
    codes = []
    for graph in graphs:
        if graph.signatures is table:
            codes.append(graph.codes)
        else:
            distinct, inverse = np.unique(graph.codes, return_inverse=True)
            own = table.adopt(graph.signatures, distinct.tolist())
            codes.append(np.array([own[c] for c in distinct.tolist()], dtype=np.int32)[inverse])
    sizes = np.array([len(graph) for graph in graphs])
    edges = np.array([len(graph.indices) for graph in graphs])
    node_offsets = np.concatenate([[0], np.cumsum(sizes)])
    edge_offsets = np.concatenate([[0], np.cumsum(edges)])
    indptr = np.concatenate([*(graph.indptr[:-1] for graph in graphs), [edge_offsets[-1]]]).astype(np.int64)
    indptr[:-1] += np.repeat(edge_offsets[:-1], sizes)
    indices = np.concatenate([graph.indices for graph in graphs]).astype(np.int64)
    indices += np.repeat(node_offsets[:-1], edges)
    graph_index = np.repeat(np.arange(len(graphs), dtype=np.int32), sizes)
    return Batch(table, np.concatenate(codes), indptr, indices, graph_index, node_offsets)
