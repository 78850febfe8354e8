"""The paper's encoder as a torch module: a k-GNN branch and a Transformer branch with Laplacian positions.

The k-GNN branch stacks graph convolutions (Morris et al., AAAI 2019, arXiv 1810.02244, ``GraphConv`` of torch-geometric):
x_i' = W_1 x_i + W_2 sum_p x_p. The paper lets messages follow the data flow only; ``both_ways`` adds a second
convolution over the reversed edges. The
Transformer branch attends over all operators of a graph, whose places are told by the eigenvectors of the smallest non-trivial
eigenvalues of the normalised Laplacian (Dwivedi and Bresson, arXiv 2012.09699). Both are averaged over operators and joined. Layout
operators are left out of the graphs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import GraphConv
from torch_geometric.utils import segment, to_dense_batch

from cg_ir import batch as make_batch

from .path_encoder import N_FEATURES, NUMBERS, node_features
from .signature_features import CLASSES, signature_features
from .spectrum import spectrum_vectors

__all__ = ["GraphBatch", "GraphEncoder", "graph_batch", "prepare_graph"]

# columns of `path_encoder.node_features` that the paper's node features lack
_BEYOND_PAPER = ("stride", "dilation", "groups", "gain", "moment", "macs", "params")


@dataclass(frozen=True)
class GraphBatch:
    """A batch for `GraphEncoder`: features (N, F), edges along and against the flow, graph of each node, positions (N, P)."""

    x: Tensor
    along: EdgeIndex
    against: EdgeIndex
    graph: Tensor
    ptr: Tensor
    positions: Tensor


def prepare_graph(graph: Any, positions: int) -> tuple[Any, np.ndarray[Any, Any]]:
    """The view without layout operators, and its positions: eigenvectors 2 .. positions + 1 of the Laplacian, of unit mean square.

    A vector's sign is such that it grows with the depth of the operators; where it is indifferent to depth, mirror images of
    the graph differ by it, which an average over operators does not see.
    """
    simple = graph.simplify()
    if not positions:
        return simple, np.zeros((len(simple), 0))
    vectors = spectrum_vectors(simple, positions + 1)[1][:, 1:] * np.sqrt(len(simple))
    depth = np.zeros(len(simple))
    begin = simple.indptr.tolist()
    for i in range(len(simple)):
        if begin[i + 1] > begin[i]:
            depth[i] = 1 + depth[simple.indices[begin[i] : begin[i + 1]]].max()
    slope = vectors.T @ (depth - depth.mean())
    return simple, vectors * np.where(slope < 0, -1.0, 1.0)


def graph_batch(prepared: Sequence[tuple[Any, np.ndarray[Any, Any]]], rich: bool) -> GraphBatch:
    """Join prepared graphs; without ``rich``, node features are those of the paper (operator, resolution, channels, kernel)."""
    batch = make_batch([graph for graph, _ in prepared])
    f = signature_features(batch.signatures)
    codes = np.asarray(batch.codes)
    used, place = np.unique(codes, return_inverse=True)
    values = node_features(f, used)[0]
    if not rich:
        values = np.delete(values, [len(CLASSES) + NUMBERS.index(name) for name in _BEYOND_PAPER], axis=1)
    n = len(codes)
    target = np.repeat(np.arange(n), np.diff(batch.indptr))
    source = np.asarray(batch.indices, dtype=np.int64)
    return GraphBatch(
        torch.from_numpy(values[place].astype(np.float32)),
        _edges(source, target, n),
        _edges(target, source, n),
        torch.from_numpy(np.asarray(batch.graph_index, dtype=np.int64)),
        torch.from_numpy(np.asarray(batch.node_offsets, dtype=np.int64)),
        torch.from_numpy(np.concatenate([p for _, p in prepared]).astype(np.float32)),
    )


def n_node_features(rich: bool) -> int:
    """Length of the node features of `graph_batch`."""
    return N_FEATURES if rich else N_FEATURES - len(_BEYOND_PAPER)


def _edges(source: np.ndarray[Any, Any], target: np.ndarray[Any, Any], n: int) -> EdgeIndex:
    """Edges sorted by target with a filled cache: message passing on a CPU is then several times faster."""
    order = np.argsort(target, kind="stable")
    index = EdgeIndex(torch.from_numpy(np.stack([source[order], target[order]])), sparse_size=(n, n), sort_order="col")
    return index.fill_cache_()


class GraphEncoder(nn.Module):
    """Graphs to vectors (G, 2 width) before, and (G, projection) after the projection head.

    Args:
        width: channels of both branches.
        layers: graph convolutions; attention has ``attention_layers``.
        positions: Laplacian eigenvectors.
        both_ways: messages against the data flow too.
        rich: node features beyond the paper's (strides, groups, pool sizes, ...).
        projection: length of the projected vectors.
    """

    def __init__(
        self,
        width: int = 64,
        layers: int = 6,
        attention_layers: int = 2,
        heads: int = 4,
        positions: int = 8,
        both_ways: bool = False,
        rich: bool = False,
        projection: int = 64,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(n_node_features(rich), width)
        self.along = nn.ModuleList(GraphConv(width, width) for _ in range(layers))
        self.against = nn.ModuleList(GraphConv(width, width) for _ in range(layers if both_ways else 0))
        self.place = nn.Linear(positions, width, bias=False)
        self.attention = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True)
            for _ in range(attention_layers)
        )
        self.head = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, projection))

    def readout(self, batch: GraphBatch) -> Tensor:
        """Mean of both branches over operators, (G, 2 width)."""
        x = start = self.embed(batch.x)
        with warnings.catch_warnings():
            # torch calls its own sparse formats, which EdgeIndex rests on, a beta feature
            warnings.filterwarnings("ignore", message="Sparse ", category=UserWarning)
            for i, layer in enumerate(self.along):
                message = layer(x, batch.along)
                if len(self.against):
                    message = message + self.against[i](x, batch.against)
                x = torch.tanh(message)
        dense, mask = to_dense_batch(start + self.place(batch.positions), batch.graph)
        for layer in self.attention:
            dense = layer(dense, src_key_padding_mask=~mask)
        attended = (dense * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        count = (batch.ptr[1:] - batch.ptr[:-1])[:, None]
        return torch.cat([segment(x, batch.ptr) / count, attended], dim=1)

    def forward(self, batch: GraphBatch) -> Tensor:
        return self.head(self.readout(batch))
