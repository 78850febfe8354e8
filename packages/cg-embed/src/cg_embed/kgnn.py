"""The paper's encoder as a torch module: a k-GNN branch and a Transformer branch with Laplacian positions.

The k-GNN branch stacks graph convolutions (Morris et al., AAAI 2019, arXiv 1810.02244, ``GraphConv`` of torch-geometric):
x_i' = W_1 x_i + W_2 sum_p x_p. The paper lets messages follow the data flow only; ``both_ways`` adds a second
convolution over the reversed edges. The
Transformer branch attends over all operators of a graph, whose places are told by the eigenvectors of the smallest non-trivial
eigenvalues of the normalised Laplacian (Dwivedi and Bresson, arXiv 2012.09699). Both are averaged over operators and joined. Layout
operators are left out of the graphs.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, linear
from torch_geometric.nn import GraphConv
from torch_geometric.utils import segment

from cg_ir import batch as make_batch

from .merging import Round, merge
from .packed_attention import transformer_layer
from .path_encoder import N_FEATURES, NUMBERS, node_features
from .signature_features import CLASSES, SignatureFeatures
from .spectrum import spectrum_vectors

# columns of `path_encoder.node_features` that the paper's node features lack
_BEYOND_PAPER = ("stride", "dilation", "groups", "gain", "moment", "macs", "params")


@dataclass(frozen=True)
class Layer:
    """One graph convolution over classes of nodes, from B classes to C, see `cg_embed.merging.Round`.

    Attributes:
        before: class before of each class (C,).
        inputs: classes before of the inputs (E,); those of class c are ``inputs[input_ptr[c] : input_ptr[c + 1]]``.
        consumers, consumer_ptr: likewise against the flow; None where no messages flow.
    """

    before: Tensor
    inputs: Tensor
    input_ptr: Tensor
    consumers: Tensor | None
    consumer_ptr: Tensor | None


@dataclass(frozen=True)
class GraphBatch:
    """A batch for `GraphEncoder`. Graphs are sorted by size; N nodes, G graphs.

    Attributes:
        x: features of the distinct signatures (C, F).
        code: row of ``x`` of each node (N,).
        layers: what each graph convolution computes.
        node: class of each node after the last of them (N,).
        ptr: first node of each graph (G + 1,).
        positions: (N, P).
        sizes: how many graphs of how many nodes follow each other.
        order: the graphs' own order, (G,): row of each in the sorted one.
    """

    x: Tensor
    code: Tensor
    layers: tuple[Layer, ...]
    node: Tensor
    ptr: Tensor
    positions: Tensor
    sizes: tuple[tuple[int, int], ...]
    order: Tensor


def prepare_graph(graph: Any, positions: int) -> tuple[Any, np.ndarray[Any, Any]]:
    """The view without layout operators, and its positions: eigenvectors 2 .. positions + 1 of the Laplacian, of unit mean square.

    A vector's sign is such that it grows with the depth of the operators; where it is indifferent to depth, mirror images of
    the graph differ by it, which an average over operators does not see.
    """
    simple = graph.simplify()
    if not positions:
        return simple, np.zeros((len(simple), 0))
    if id(graph) not in _POSITIONS:  # not by equality: equal graphs may order their nodes differently
        _POSITIONS[id(graph)] = {}
        weakref.finalize(graph, _POSITIONS.pop, id(graph), None)
    known = _POSITIONS[id(graph)]
    if positions not in known:
        known[positions] = _positions(simple, positions)
    return simple, known[positions]


#: Positions of graphs that are still in use, by their number: eigenvectors take longer than a step of training.
_POSITIONS: dict[int, dict[int, np.ndarray[Any, Any]]] = {}


def _positions(simple: Any, positions: int) -> np.ndarray[Any, Any]:
    vectors = spectrum_vectors(simple, positions + 1)[1][:, 1:] * np.sqrt(len(simple))
    depth = np.zeros(len(simple))
    begin = simple.indptr.tolist()
    for i in range(len(simple)):
        if begin[i + 1] > begin[i]:
            depth[i] = 1 + depth[simple.indices[begin[i] : begin[i + 1]]].max()
    slope = vectors.T @ (depth - depth.mean())
    return vectors * np.where(slope < 0, -1.0, 1.0)


def graph_batch(
    prepared: Sequence[tuple[Any, np.ndarray[Any, Any]]], rich: bool, layers: int, both_ways: bool = False
) -> GraphBatch:
    """Join prepared graphs.

    Args:
        prepared: as `prepare_graph` made them.
        rich: whether node features go beyond those of the paper (operator, resolution, channels, kernel).
        layers: graph convolutions.
        both_ways: whether messages flow against the data too.
    """
    lengths = np.array([len(graph) for graph, _ in prepared])
    order = np.argsort(lengths, kind="stable")
    batch = make_batch([prepared[i][0] for i in order])
    f = SignatureFeatures(batch.signatures)
    used, code = np.unique(np.asarray(batch.codes), return_inverse=True)
    values = node_features(f, used)[0]
    if not rich:
        values = np.delete(values, [len(CLASSES) + NUMBERS.index(name) for name in _BEYOND_PAPER], axis=1)
    rounds = merge(code, batch.indptr, batch.indices, layers, both_ways)
    joined = [
        Layer(
            torch.from_numpy(r.before),
            *_neighbours(r.inputs, r),
            *(_neighbours(r.consumers, r) if both_ways else (None, None)),
        )
        for r in rounds
    ]
    sizes, counts = np.unique(lengths, return_counts=True)
    return GraphBatch(
        torch.from_numpy(values.astype(np.float32)),
        torch.from_numpy(code),
        tuple(joined),
        torch.from_numpy(rounds[-1].node if rounds else code),
        torch.from_numpy(np.asarray(batch.node_offsets, dtype=np.int64)),
        torch.from_numpy(np.concatenate([prepared[i][1] for i in order]).astype(np.float32)),
        tuple(zip(counts.tolist(), sizes.tolist(), strict=True)),
        torch.from_numpy(np.argsort(order)),
    )


def flip_signs(batch: GraphBatch, generator: torch.Generator | None = None) -> GraphBatch:
    """The batch with random signs of each graph's position vectors, as in training of Dwivedi and Bresson (arXiv 2012.09699).

    An eigenvector is as good as its negative. A network that always reads the same one learns single graphs by their positions.

    Args:
        generator: of the signs; torch's own if absent.
    """
    shape = (len(batch.ptr) - 1, batch.positions.shape[1])
    signs = torch.randint(0, 2, shape, generator=generator).to(batch.positions.dtype) * 2 - 1
    return replace(batch, positions=batch.positions * signs.repeat_interleave(batch.ptr.diff(), dim=0))


def n_node_features(rich: bool) -> int:
    """Length of the node features of `graph_batch`."""
    return N_FEATURES if rich else N_FEATURES - len(_BEYOND_PAPER)


def _neighbours(edges: np.ndarray[Any, Any], round_: Round) -> tuple[Tensor, Tensor]:
    """Sources of edges that are sorted by target, and the first edge of each target."""
    first = np.searchsorted(edges[1], np.arange(len(round_.before) + 1))
    return torch.from_numpy(edges[0].copy()), torch.from_numpy(first)


def class_means(x: Tensor, batch: GraphBatch) -> Tensor:
    """Mean over the nodes of each graph of their classes' states (C, width), in the graphs' own order."""
    return embedding_bag(batch.node, x, batch.ptr, mode="mean", include_last_offset=True).index_select(0, batch.order)


def convolve(along: nn.ModuleList, x: Tensor, batch: GraphBatch, against: nn.ModuleList | tuple[()] = ()) -> Tensor:
    """Graph convolutions and tanh, layer by layer, to states of the last classes of nodes (C, width).

    What `GraphConv` computes for every node is computed once for each class of nodes with the same state.

    Args:
        along: layers along the data flow; ``against`` their companions against it, if messages flow both ways.
        x: states of the distinct signatures (C, width).
        batch: made for as many layers.
    """
    for i, (layer, classes) in enumerate(zip(along, batch.layers, strict=True)):
        message = _convolve(layer, x, classes.before, classes.inputs, classes.input_ptr)
        if len(against):
            message = message + _convolve(against[i], x, classes.before, classes.consumers, classes.consumer_ptr)
        x = torch.tanh(message)
    return x


def _convolve(layer: Any, x: Tensor, before: Tensor, neighbours: Any, ptr: Any) -> Tensor:
    """W_1 x + W_2 (sum over neighbours of x) + b; sums run over the rows of (B, width), so the maps come first."""
    sums = embedding_bag(neighbours, linear(x, layer.lin_rel.weight), ptr, mode="sum", include_last_offset=True)
    own = embedding(before, linear(x, layer.lin_root.weight))
    result: Tensor = own + sums + layer.lin_rel.bias
    return result


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
        start = self.embed(batch.x)
        x = convolve(self.along, start, batch, self.against)
        count = (batch.ptr[1:] - batch.ptr[:-1])[:, None]
        attended = (segment(self._attend(start, batch), batch.ptr) / count).index_select(0, batch.order)
        return torch.cat([class_means(x, batch), attended], dim=1)

    def _attend(self, start: Tensor, batch: GraphBatch) -> Tensor:
        """States of the operators after the Transformer branch, (N, width).

        An operator starts as the sum of what its signature and its position say, so the first layer's queries, keys and values are sums of maps of
        the few signatures and of the short positions.
        """
        x = torch.addmm(embedding(batch.code, start), batch.positions, self.place.weight.t())
        for i, layer in enumerate(self.attention):
            assert isinstance(layer, nn.TransformerEncoderLayer)
            joint = None
            if not i:
                weight, bias = layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
                kinds = embedding(batch.code, linear(start, weight, bias))
                joint = torch.addmm(kinds, batch.positions, (weight @ self.place.weight).t())
            x = transformer_layer(layer, x, batch.sizes, joint)
        return x

    def forward(self, batch: GraphBatch) -> Tensor:
        return self.head(self.readout(batch))
