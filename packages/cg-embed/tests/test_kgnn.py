"""The paper's encoder as a torch module."""

from __future__ import annotations

import gc

import networkx
import numpy as np
import pytest

from cg_embed import ContrastiveConfig, ContrastiveEncoder

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed import kgnn  # noqa: E402
from cg_embed.kgnn import flip_signs, graph_batch, n_node_features, prepare_graph  # noqa: E402

SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


def test_signs_of_positions_are_drawn_for_each_graph_and_vector(networks):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    batch = graph_batch(encoder.prepare(networks[:40]), rich=False, layers=2)
    flipped = flip_signs(batch, torch.Generator().manual_seed(0))
    assert torch.equal(flip_signs(batch, torch.Generator().manual_seed(0)).positions, flipped.positions)
    same, seen = [], batch.positions.abs() > 1e-6
    for begin, end in zip(batch.ptr[:-1].tolist(), batch.ptr[1:].tolist(), strict=True):
        for column in range(4):
            here = seen[begin:end, column]
            if here.any():
                ratio = (flipped.positions / batch.positions)[begin:end, column][here]
                assert ratio.unique().tolist() in ([1.0], [-1.0])
                same.append(ratio[0].item())
    assert abs(np.mean(same)) < 0.3
    assert flipped.x is batch.x
    without = graph_batch([(graph, np.zeros((len(graph), 0))) for graph in networks[:3]], rich=False, layers=2)
    assert flip_signs(without).positions.shape[1] == 0


@pytest.mark.parametrize("both_ways", [False, True])
def test_convolutions_over_classes_are_those_over_nodes(networks, both_ways):
    """torch-geometric's own `GraphConv` on every node, of the graphs without layout operators."""
    config = ContrastiveConfig(**SMALL, both_ways=both_ways, rich=True)
    module = ContrastiveEncoder(config).module
    prepared = [prepare_graph(g, config.positions) for g in networks[:12]]
    batch = graph_batch(prepared, rich=True, layers=config.layers, both_ways=both_ways)
    with torch.no_grad():
        found = module.readout(batch)[:, : config.width]
        for row, (graph, _) in zip(found, prepared, strict=True):
            alone = graph_batch([(graph, np.zeros((len(graph), 0)))], True, 0)
            x = module.embed(alone.x)[alone.code]
            targets = np.repeat(np.arange(len(graph)), np.diff(graph.indptr))
            edges = torch.from_numpy(np.stack([np.asarray(graph.indices, dtype=np.int64), targets]))
            for i, layer in enumerate(module.along):
                message = layer(x, edges)
                if both_ways:
                    message = message + module.against[i](x, edges.flip(0))
                x = torch.tanh(message)
            torch.testing.assert_close(row, x.mean(dim=0), rtol=1e-4, atol=1e-5)


def test_the_other_branch_attends_over_all_operators_of_a_graph(networks):
    config = ContrastiveConfig(**SMALL)
    module = ContrastiveEncoder(config).module
    prepared = [prepare_graph(g, config.positions) for g in networks[:9]]
    with torch.no_grad():
        found = module.readout(graph_batch(prepared, False, config.layers))[:, config.width :]
        for row, one in zip(found, prepared, strict=True):
            batch = graph_batch([one], False, 0)
            x = module.embed(batch.x)[batch.code] + module.place(batch.positions)
            for layer in module.attention:
                x = layer(x[None])[0]
            torch.testing.assert_close(row, x.mean(dim=0), rtol=1e-3, atol=1e-4)


def test_positions_are_eigenvectors_that_grow_with_depth(networks):
    for graph in networks[:10]:
        simple, positions = prepare_graph(graph, 3)
        edges = [
            (int(j), i) for i in range(len(simple)) for j in simple.indices[simple.indptr[i] : simple.indptr[i + 1]]
        ]
        whole = networkx.DiGraph(edges)
        whole.add_nodes_from(range(len(simple)))
        laplacian = networkx.normalized_laplacian_matrix(whole.to_undirected(), range(len(simple))).toarray()
        depth = np.zeros(len(simple))
        for node in networkx.topological_sort(whole):
            depth[node] = max((1 + depth[j] for j in whole.predecessors(node)), default=0)
        values = np.linalg.eigvalsh(laplacian)
        for k in range(min(3, len(simple) - 1)):
            vector = positions[:, k]
            np.testing.assert_allclose(np.mean(vector**2), 1.0, rtol=1e-5)
            np.testing.assert_allclose(laplacian @ vector, values[k + 1] * vector, atol=1e-4)
            assert vector @ (depth - depth.mean()) >= -1e-6
    assert prepare_graph(networks[0], 0)[1].shape == (len(networks[0].simplify()), 0)


def test_positions_are_kept_as_long_as_their_graph_and_no_longer(network_of, recipe_of):
    graph = network_of(recipe_of(np.random.default_rng(5), 8))
    key = id(graph)
    first = prepare_graph(graph, 4)[1]
    assert prepare_graph(graph, 4)[1] is first
    assert prepare_graph(graph, 2)[1].shape[1] == 2
    assert set(kgnn._POSITIONS[key]) == {2, 4}
    del graph
    gc.collect()
    assert key not in kgnn._POSITIONS


@pytest.mark.parametrize("rich", [False, True])
def test_the_papers_features_lack_some(networks, rich):
    batch = graph_batch([prepare_graph(networks[0], 0)], rich, 1)
    assert batch.x.shape[1] == n_node_features(rich)
    assert n_node_features(True) == n_node_features(False) + 7
