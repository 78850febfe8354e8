"""Graphs and vectors for other libraries: PyTorch Geometric, pandas, and maps as pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cg_embed import Descriptors
from cg_embed.embedding_map import embedding_map
from cg_ir import CgError, Graph, GraphBuilder
from cg_ir.operators import OPERATOR_NAMES

HOSTILE = "</title><script>alert(1)</script>"


def network(width: int = 8, depth: int = 2) -> Graph:
    builder = GraphBuilder(f"width {width}, depth {depth}")
    x = builder.add("Conv", builder.input((1, 3, 16, 16)), channels=width, kernel_shape=(3, 3), strides=(2, 2))
    for _ in range(depth):
        y = builder.add("Conv", x, channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = builder.add("Add", x, builder.add("Relu", y))
    builder.output(builder.add("Sub", x, builder.add("Sigmoid", x)))
    return builder.build()


# --- PyTorch Geometric ------------------------------------------------------------------------------------------------


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


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_data_frame_holds_vectors_and_costs(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from cg_embed.frames import to_dataframe

    graphs, encoder = [network(4), network(8)], Descriptors()
    frame = to_dataframe(graphs, encoder)
    assert list(frame.index) == [graph.name for graph in graphs]
    assert frame["macs"].tolist() == [graph.macs for graph in graphs]
    np.testing.assert_array_equal(frame[list(encoder.names)].to_numpy(), encoder.encode(graphs))
    frame.to_parquet(tmp_path / "v.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "v.parquet"), frame)
    with pytest.raises(CgError, match="as many names"):
        to_dataframe(graphs, encoder, names=["one"])


# --- maps -------------------------------------------------------------------------------------------------------------


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(0).normal(size=(40, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.0])
    found = embedding_map(x, method="pca")
    expected = decomposition.PCA(2).fit(preprocessing.StandardScaler().fit_transform(x))
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, rtol=1e-9)
    scores = expected.transform(preprocessing.StandardScaler().fit_transform(x))
    np.testing.assert_allclose(np.abs(found.positions), np.abs(scores), atol=1e-9)


def test_the_picture_shows_and_names_every_network():
    values = [1.0, np.nan, 3.0]
    found = embedding_map(np.eye(3), names=["a", HOSTILE, "c"], values=values, label="accuracy <1>", method="pca")
    assert repr(found) == f"<Map of {len(found.positions)} networks by PCA>"
    root = ElementTree.fromstring(found._repr_html_())
    space = "{http://www.w3.org/2000/svg}"
    points = root.findall(f"{space}circle")
    assert [point.find(f"{space}title").text.split(": ")[0] for point in points] == ["a", HOSTILE, "c"]
    assert [point.get("fill") for point in points] == ["#440154", "none", "#fde725"]
    view = [float(number) for number in root.get("viewBox").split()]
    assert all(0 < float(p.get("cx")) < view[2] and 0 < float(p.get("cy")) < view[3] for p in points)
    assert root.findall(f".//{space}script") == []


def test_maps_of_networks_that_do_not_differ_are_drawn():
    ElementTree.fromstring(embedding_map(np.ones((4, 3))).to_svg())


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_is_seeded():
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 6)), rng.normal(size=(30, 6)) + 12])
    found = embedding_map(x, method="umap", seed=1)
    assert found.method == "umap"
    centres = found.positions[:30].mean(axis=0), found.positions[30:].mean(axis=0)
    spread = found.positions[:30].std() + found.positions[30:].std()
    assert np.linalg.norm(centres[0] - centres[1]) > spread
    np.testing.assert_array_equal(embedding_map(x, method="umap", seed=1).positions, found.positions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vectors": np.ones((1, 3))}, "two vectors"),
        ({"vectors": [[np.nan, 1.0], [1.0, 2.0]]}, "finite"),
        ({"vectors": np.eye(2), "names": ["a"]}, "as many names"),
        ({"vectors": np.eye(2), "values": [1.0]}, "as many values"),
        ({"vectors": np.eye(2), "method": "tsne"}, "pca or umap"),
    ],
)
def test_what_cannot_be_mapped_is_refused(arguments, message):
    with pytest.raises(CgError, match=message):
        embedding_map(**arguments)


def test_only_svg_is_written(tmp_path):
    found = embedding_map(np.eye(2))
    found.save(tmp_path / "map.svg")
    ElementTree.parse(tmp_path / "map.svg")
    with pytest.raises(CgError, match=r"should end in \.svg"):
        found.save(tmp_path / "map.png")
