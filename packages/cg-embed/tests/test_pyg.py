"""Networks as PyTorch Geometric's graphs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.errors import MissingExtra
from cg_ir.operators import OPERATOR_NAMES


def network(width: int = 8, depth: int = 2) -> Graph:
    builder = GraphBuilder(f"width {width}, depth {depth}")
    x = builder.add("Conv", builder.input((1, 3, 16, 16)), channels=width, kernel_shape=(3, 3), strides=(2, 2))
    for _ in range(depth):
        y = builder.add("Conv", x, channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = builder.add("Add", x, builder.add("Relu", y))
    builder.output(builder.add("Sub", x, builder.add("Sigmoid", x)))
    return builder.build()


def test_data_holds_the_graph():
    pytest.importorskip("torch_geometric")
    from cg_embed.pyg import FEATURES, to_data

    graph = network()
    data = to_data(graph)
    assert data.validate()
    assert data.num_nodes == len(graph)
    assert [OPERATOR_NAMES[code] for code in data.op.tolist()] == [node.op for node in graph.nodes]
    edges = {(s, t, p) for (s, t), p in zip(data.edge_index.T.tolist(), data.edge_position.tolist(), strict=True)}
    assert edges == {(s, node.index, p) for node in graph.nodes for p, s in enumerate(node.inputs)}
    column = {name: data.x[:, i].double().numpy() for i, name in enumerate(FEATURES)}
    np.testing.assert_allclose(2 ** column["macs"] - 1, [node.macs for node in graph.nodes], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(2 ** column["channels"] - 1, [node.shape[1] for node in graph.nodes], rtol=1e-4)
    assert (data.params.item(), data.macs.item(), data.hash) == (graph.params, graph.macs, graph.hash)


def test_data_makes_batches_and_trains_a_layer():
    pytest.importorskip("torch_geometric")
    import torch
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GINConv, global_add_pool

    from cg_embed.pyg import FEATURES, to_data

    graphs = [network(width, depth) for width in (4, 8) for depth in (1, 2)]
    batch = next(iter(DataLoader([to_data(graph) for graph in graphs], batch_size=4)))
    assert batch.num_graphs == 4
    assert batch.params.tolist() == [graph.params for graph in graphs]
    layer = GINConv(torch.nn.Linear(len(FEATURES), 3))
    vectors = global_add_pool(layer(batch.x, batch.edge_index), batch.batch)
    assert vectors.shape == (4, 3)
    vectors.sum().backward()
    assert layer.nn.weight.grad.abs().sum() > 0


def of_one(op: str, *shapes: tuple[int, ...], **attrs: Any) -> Graph:
    builder = GraphBuilder(op)
    builder.output(builder.add(op, *(builder.input(shape) for shape in shapes), **attrs))
    return builder.build()


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (of_one("Conv", (1, 4, 8, 6), channels=8, kernel_shape=(3, 5), strides=(2, 1), dilations=(1, 2), group=2, pads=(1, 4, 1, 4)),
         {"channels": 8, "height": 4, "width": 6, "elements": 192, "kernel": 5, "stride": 2, "dilation": 2, "group": 2, "inputs": 1}),
        (of_one("Add", (1, 4), (1, 4)), {"channels": 4, "height": 0, "width": 0, "elements": 4, "kernel": 0, "group": 0, "inputs": 2}),
    ],
)  # fmt: skip
def test_features_are_sizes_and_attributes(graph, expected):
    pytest.importorskip("torch_geometric")
    from cg_embed.pyg import FEATURES, to_data

    (place,) = [node.index for node in graph.nodes if node.op == graph.name]
    row = dict(zip(FEATURES, (2 ** to_data(graph).x[place].double() - 1).tolist(), strict=True))
    node = graph.nodes[place]
    for name, value in {**expected, "params": node.params, "macs": node.macs}.items():
        assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_without_torch_geometric_it_is_said_what_to_install(monkeypatch):
    from cg_embed.pyg import to_data

    monkeypatch.setitem(sys.modules, "torch_geometric.data", None)
    with pytest.raises(MissingExtra, match=r"cg-embed\[torch\]"):
        to_data(network())
