"""Pre-training as a plain torch-geometric loop would do it: the yardstick for `cg_embed.pretrain`, with the same models and losses.

Graphs are `torch_geometric.data.Data` that were made once, with node features and Laplacian positions; a batch is a ``Batch`` of them. The
paper's encoder runs its graph convolutions over all nodes on a plain edge index and its Transformer on a padded dense batch. The path-weighted
encoder walks the levels of the batch, all nodes of a level at once, and leaves gradients to autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import global_mean_pool
from torch_geometric.utils import scatter, softmax, to_dense_batch

from cg_embed.kgnn import _BEYOND_PAPER, GraphEncoder, prepare_graph
from cg_embed.path_encoder import DIRECTIONS, NUMBERS, node_features
from cg_embed.path_layer import PathModule
from cg_embed.signature_features import CLASSES, SignatureFeatures

__all__ = ["PlainContrastive", "PlainPath", "contrastive_data", "path_data"]


# --- the paper's encoder ----------------------------------------------------------------------------------------------


def contrastive_data(graph: Any, positions: int) -> Data:
    """Features of every node (n, F), edges along the flow, positions (n, P)."""
    simple, places = prepare_graph(graph, positions)
    f = SignatureFeatures(simple.signatures)
    x = node_features(f, np.asarray(simple.codes))[0]
    x = np.delete(x, [len(CLASSES) + NUMBERS.index(name) for name in _BEYOND_PAPER], axis=1)
    return Data(
        x=torch.from_numpy(x.astype(np.float32)),
        edge_index=_edge_index(simple),
        positions=torch.from_numpy(places.astype(np.float32)),
        num_nodes=len(simple),
    )


def _edge_index(graph: Any) -> Tensor:
    target = np.repeat(np.arange(len(graph)), np.diff(graph.indptr))
    return torch.from_numpy(np.stack([np.asarray(graph.indices, dtype=np.int64), target]))


class PlainContrastive(nn.Module):
    """`cg_embed.kgnn.GraphEncoder` (messages along the flow), with its weights."""

    def __init__(self, encoder: GraphEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, data: Sequence[Data]) -> Tensor:
        batch = Batch.from_data_list(list(data))
        x = start = self.encoder.embed(batch.x)
        for layer in self.encoder.along:
            x = torch.tanh(layer(x, batch.edge_index))
        dense, mask = to_dense_batch(start + self.encoder.place(batch.positions), batch.batch)
        for layer in self.encoder.attention:
            dense = layer(dense, src_key_padding_mask=~mask)
        attended = (dense * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return self.encoder.head(torch.cat([global_mean_pool(x, batch.batch), attended], dim=1))


# --- the path-weighted encoder ----------------------------------------------------------------------------------------


def path_data(graph: Any) -> Data:
    """Features of every node that some network input reaches (n, F), edges along the flow, each node's level in both directions."""
    f = SignatureFeatures(graph.signatures)
    live = np.zeros(len(graph), dtype=bool)
    for node in range(len(graph)):
        inputs = graph.indices[graph.indptr[node] : graph.indptr[node + 1]]
        live[node] = live[inputs].any() if len(inputs) else f.is_input[graph.codes[node]] > 0
    codes = np.asarray(graph.codes)[live]
    x, transparent = node_features(f, codes)
    edges = _edge_index(graph).numpy()
    edges = (np.cumsum(live) - 1)[edges[:, live[edges].all(axis=0)]]
    return Data(
        x=torch.from_numpy(x.astype(np.float32)),
        transparent=torch.from_numpy(transparent)[:, None],
        weighted=torch.from_numpy(f.weighted[codes].astype(np.float32))[:, None],
        edge_index=torch.from_numpy(edges),
        along=_levels(len(codes), edges),
        against=_levels(len(codes), edges[::-1]),
        num_nodes=len(codes),
    )


def _levels(n: int, edges: np.ndarray[Any, Any]) -> Tensor:
    """Longest distance from a node without inputs (edges in the direction of the pass)."""
    level = np.zeros(n, dtype=np.int64)
    consumers: list[list[int]] = [[] for _ in range(n)]
    missing = np.bincount(edges[1], minlength=n)
    for source, target in edges.T.tolist():
        consumers[source].append(target)
    ready = np.flatnonzero(missing == 0).tolist()
    while ready:
        node = ready.pop()
        for target in consumers[node]:
            level[target] = max(level[target], level[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return torch.from_numpy(level)


class PlainPath(nn.Module):
    """`cg_embed.path_layer.PathModule` with its weights, node by node and level by level."""

    def __init__(self, module: PathModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, data: Sequence[Data]) -> Tensor:
        batch = Batch.from_data_list(list(data))
        return torch.cat([self._pass(batch, direction) for direction in DIRECTIONS], dim=1)

    def _pass(self, batch: Any, direction: str) -> Tensor:
        weights = self.module.layers[direction]
        a = torch.sigmoid(batch.x @ weights.a).masked_fill(batch.transparent, 1)
        b = (batch.x @ weights.b).masked_fill(batch.transparent, 0)
        g = torch.sigmoid(batch.x @ weights.g).masked_fill(batch.transparent, 1)
        phi = (batch.x @ weights.phi).masked_fill(batch.transparent, 0)
        mu = torch.sigmoid(weights.mu)
        source, target = batch.edge_index if direction == "along" else batch.edge_index.flip(0)
        level = batch[direction]
        n = len(level)
        s, m = torch.zeros_like(a), torch.zeros_like(a)
        order = torch.argsort(level[target], stable=True)
        source, target = source[order], target[order]
        bounds = torch.searchsorted(level[target].contiguous(), torch.arange(int(level.max()) + 2)).tolist()
        for depth in range(int(level.max()) + 1):
            nodes = torch.nonzero(level == depth)[:, 0]
            if depth == 0:
                s[nodes], m[nodes] = b[nodes], phi[nodes]
                continue
            part = slice(bounds[depth], bounds[depth + 1])
            place = torch.searchsorted(nodes, target[part])
            theirs, size = s[source[part]], len(nodes)
            top = scatter(theirs.detach(), place, dim=0, dim_size=size, reduce="max")
            total = scatter((theirs - top[place]).exp(), place, dim=0, dim_size=size, reduce="sum")
            count = torch.bincount(place, minlength=size)[:, None].to(a.dtype)
            u = top + total.log() - mu * count.log()
            h = scatter(softmax(theirs, place, num_nodes=size) * m[source[part]], place, dim=0, dim_size=size)
            s[nodes], m[nodes] = a[nodes] * u + b[nodes], g[nodes] * h + phi[nodes]
        ends = torch.bincount(source, minlength=n) == 0
        end_s = global_mean_pool(s[ends], batch.batch[ends], size=batch.num_graphs)
        end_m = global_mean_pool(m[ends], batch.batch[ends], size=batch.num_graphs)
        total = scatter(batch.weighted, batch.batch, dim=0).clamp(min=1)
        mean = scatter(batch.weighted * m, batch.batch, dim=0) / total
        centre = self._segment_ends(m, source, target, batch.weighted)
        middle = scatter(batch.weighted * centre, batch.batch, dim=0) / total
        spread = scatter(batch.weighted * (centre - middle[batch.batch]) ** 2, batch.batch, dim=0) / total
        return torch.asinh(torch.cat([end_s, end_m, mean, (spread + 1e-12).sqrt()], dim=1))

    @staticmethod
    def _segment_ends(m: Tensor, source: Tensor, target: Tensor, weighted: Tensor) -> Tensor:
        """m at the end of the chain that each node lies on."""
        n = len(m)
        degree_in, degree_out = torch.bincount(target, minlength=n), torch.bincount(source, minlength=n)
        chained = (degree_in[target] == 1) & (degree_out[source] == 1)
        following = torch.arange(n)
        following[source[chained]] = target[chained]
        while True:
            further = following[following]
            if torch.equal(further, following):
                return m[following]
            following = further
