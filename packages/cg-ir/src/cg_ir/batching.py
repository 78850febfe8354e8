"""Many graphs as one set of arrays, for vectorised passes over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cg_ir.graph import Graph
from cg_ir.signature import SignatureTable


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

    @cached_property
    def consumers(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The edges by source: CSR row pointers (nodes + 1,), the reading nodes (edges,), and the edges' numbers in ``indices``."""
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=len(self.codes))
        readers = np.repeat(np.arange(len(self.codes)), np.diff(self.indptr))
        return np.concatenate([[0], np.cumsum(counts)]), readers[order], order

    @cached_property
    def levels(self) -> list[NDArray[np.int64]]:
        """The nodes by the length of the longest path that leads to them: all inputs of a level lie in earlier ones."""
        starts, readers, _ = self.consumers
        waiting = np.diff(self.indptr)
        level = np.flatnonzero(waiting == 0)
        result = []
        while len(level):
            result.append(level)
            reached, counts = np.unique(readers[ranges(starts[level], starts[level + 1])], return_counts=True)
            waiting[reached] -= counts
            level = reached[waiting[reached] == 0]
        return result


def ranges(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The integers of all half-open ranges, one after the other."""
    sizes = ends - starts
    total = int(sizes.sum())
    if not total:
        return np.empty(0, dtype=np.int64)
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    return first + np.arange(total)


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
