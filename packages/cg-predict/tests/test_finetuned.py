"""The paper's recipe and its predecessor (extra ``torch``)."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir.errors import CgError, NotFitted
from cg_predict.metrics import spearman
from cg_predict.targets import LabelError

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed import ContrastiveConfig, ContrastiveEncoder  # noqa: E402
from cg_embed.kgnn import graph_batch, prepare_graph  # noqa: E402
from cg_predict.finetuned import LOSSES, FineTunedPredictor, KGNNPredictor, ranking_loss, scale_of  # noqa: E402


@pytest.mark.parametrize("kind", [FineTunedPredictor, KGNNPredictor])
def test_references_learn_from_sources_and_from_labels(kind, family):
    graphs, labels = family
    predictor = kind(epochs=12, tuning_epochs=15, rate=3e-3, tuning_rate=3e-3)
    with pytest.raises(CgError, match="needs labels"):
        predictor.predict(graphs[:2])
    predictor.pretrain({"stacks": (graphs[:60], labels[:60])})
    assert predictor.sources == ("stacks",)
    before = predictor.score(graphs[100:], labels[100:])
    assert before > 0.5
    predictor.fit(graphs[60:100], -labels[60:100])  # the target may contradict the sources
    first = predictor.predict(graphs[100:])
    assert spearman(first, labels[100:]) < before
    predictor.fit(graphs[60:100], -labels[60:100])
    np.testing.assert_allclose(predictor.predict(graphs[100:]), first, rtol=1e-4, atol=1e-5)


def test_the_ranking_loss_against_its_formula():
    rng = np.random.default_rng(0)
    found, wanted = torch.from_numpy(rng.normal(size=9)), torch.from_numpy(rng.normal(size=9))
    squared = float(((found - wanted) ** 2).mean())
    expected = 1 - np.corrcoef(found, wanted)[0, 1] + squared / 2
    assert float(ranking_loss(found, wanted)) == pytest.approx(expected, rel=1e-6)
    assert float(ranking_loss(found[:2], wanted[:2])) == pytest.approx(float(((found - wanted)[:2] ** 2).mean()))
    assert float(ranking_loss(wanted, wanted)) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(ranking_loss(found, torch.zeros(9)))  # equal labels


@pytest.mark.parametrize("kind", [FineTunedPredictor, KGNNPredictor])
def test_only_ranks_of_labels_count(kind, family):
    graphs, labels = family
    short = {"epochs": 1, "tuning_epochs": 2}
    a, b = (
        kind(**short).pretrain({"stacks": (graphs[:20], y[:20])}).fit(graphs[20:30], y[20:30]).predict(graphs[30:40])
        for y in (labels, np.exp(5 * labels))
    )
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [FineTunedPredictor, KGNNPredictor])
def test_the_readout_is_standardised_over_the_pool(kind, family):
    graphs, labels = family
    predictor = kind(epochs=1, tuning_epochs=2).pretrain({"stacks": (graphs[:20], labels[:20])})
    scored, others = graphs[30:40], graphs[40:50]
    found = predictor.predict(scored)
    np.testing.assert_allclose(predictor.predict(scored, pool=list(scored)), found, rtol=1e-4, atol=1e-5)
    assert not np.allclose(predictor.predict(scored, pool=others), found, atol=1e-3)
    assert predictor.predict([]).shape == (0,)
    predictor.fit(graphs[20:30], labels[20:30])  # from here on over the labelled networks
    found = predictor.predict(scored)
    np.testing.assert_allclose(predictor.predict(scored[:1]), found[:1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predictor.predict(scored, pool=graphs[20:30]), found, rtol=1e-4, atol=1e-5)


def test_an_unknown_loss_is_refused():
    with pytest.raises(CgError, match="loss should be one of ranking, squared, not 'rank'"):
        FineTunedPredictor(loss="rank")


@pytest.mark.parametrize("kind", [FineTunedPredictor, KGNNPredictor])
def test_a_process_on_the_readout_learns_from_labels(kind, family):
    """It keeps to the pool of `fit`, leaves the sources' weights alone, and learns what contradicts them."""
    graphs, labels = family
    predictor = kind(epochs=6, rate=3e-3, tuning="process").pretrain({"stacks": (graphs[:60], labels[:60])})
    before = predictor.predict(graphs[100:])
    predictor.fit(graphs[60:100], -labels[60:100], pool=graphs)
    found = predictor.predict(graphs[100:])
    assert spearman(found, -labels[100:]) > 0.5
    np.testing.assert_array_equal(predictor.predict(graphs[100:], pool=graphs[:10]), found)
    predictor.fit(graphs[60:100], labels[60:100], pool=graphs)
    assert spearman(predictor.predict(graphs[100:]), labels[100:]) > 0.5
    np.testing.assert_array_equal(
        predictor.pretrain({"stacks": (graphs[:60], labels[:60])}).predict(graphs[100:]), before
    )


def test_an_unknown_tuning_is_refused():
    with pytest.raises(CgError, match="tuning should be one of all, process, both, not 'head'"):
        KGNNPredictor(tuning="head")


def test_tuned_weights_and_a_process_are_averaged(family):
    graphs, labels = family
    short = {"epochs": 2, "tuning_epochs": 4}
    found = {}
    for tuning in ("all", "process", "both"):
        predictor = KGNNPredictor(tuning=tuning, **short).pretrain({"stacks": (graphs[:40], labels[:40])})
        predictor.fit(graphs[40:60], labels[40:60], pool=graphs)
        found[tuning] = predictor.predict(graphs[60:], pool=graphs)
    np.testing.assert_allclose(found["both"], (found["all"] + found["process"]) / 2, rtol=1e-4, atol=1e-5)


# --- against plain torch ----------------------------------------------------------------------------------------------


def test_scores_of_a_k_gnn_are_those_of_plain_graph_convolutions(family):
    """torch-geometric's `GraphConv` on every node of every network, tanh, means, the batch's own standardisation, a perceptron."""
    graphs, labels = family
    predictor = KGNNPredictor(epochs=1).pretrain({"stacks": (graphs[:20], labels[:20])})
    module = predictor._trained
    rows = []
    with torch.no_grad():
        for graph in graphs[20:26]:
            simple, none = prepare_graph(graph, 0)
            batch = graph_batch([(simple, none)], False, 0)
            x = module.embed(batch.x)[batch.code]
            targets = np.repeat(np.arange(len(simple)), np.diff(simple.indptr))
            edges = torch.from_numpy(np.stack([np.asarray(simple.indices, dtype=np.int64), targets]))
            for layer in module.layers:
                x = torch.tanh(layer(x, edges))
            rows.append(x.mean(dim=0))
        readout = torch.stack(rows)
        z = (readout - readout.mean(dim=0)) / (readout.var(dim=0, unbiased=False) + 1e-5).sqrt()
        first, _, second = module.head
        expected = second(torch.relu(first(z)))[:, 0]
    assert len(module.layers) == 6
    np.testing.assert_allclose(predictor.readouts(graphs[20:26]), readout, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predictor.predict(graphs[20:26]), expected, rtol=1e-3, atol=1e-4)


def test_standardisation_is_that_of_batch_normalisation():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(7, 4)) * [1, 5, 0, 1e-4]).float()
    centre, spread = scale_of(x)
    expected = torch.nn.BatchNorm1d(4, affine=False).train()(x)
    torch.testing.assert_close((x - centre) / spread, expected, rtol=1e-4, atol=1e-5)


def test_the_squared_loss_is_the_mean_squared_error():
    a, b = (torch.from_numpy(np.random.default_rng(i).normal(size=5)) for i in (0, 1))
    assert float(LOSSES["squared"](a, b)) == pytest.approx(float(((a - b) ** 2).mean()))
    assert LOSSES["ranking"] is ranking_loss


@pytest.mark.parametrize(("count", "size", "partitions"), [(7, 3, 2), (4, 10, 1), (0, 3, 4)])
def test_batches_are_random_partitions(family, count, size, partitions):
    graphs, labels = family
    predictor = KGNNPredictor()
    prepared = [prepare_graph(g, 0) for g in graphs[:count]]
    with predictor._random():
        batches = predictor._batches(prepared, labels[:count], size, partitions)
    seen = np.concatenate([wanted.numpy() for _, wanted in batches]) if batches else np.zeros(0)
    np.testing.assert_allclose(np.sort(seen), np.sort(np.tile(labels[:count], partitions)), rtol=1e-6)
    assert all(len(wanted) <= size for _, wanted in batches)
    assert [len(batch.ptr) - 1 for batch, _ in batches] == [len(wanted) for _, wanted in batches]


def test_an_encoder_that_was_handed_over_is_not_changed(family):
    graphs, labels = family
    encoder = ContrastiveEncoder(
        ContrastiveConfig(width=8, layers=1, attention_layers=1, heads=2, positions=2, projection=4)
    )
    before = encoder.encode(graphs[:5])
    predictor = FineTunedPredictor(encoder, epochs=1, tuning_epochs=2)
    np.testing.assert_allclose(
        predictor._build().readout(predictor._batch([prepare_graph(g, 2) for g in graphs[:5]])).detach(),
        before,
        atol=1e-5,
    )
    predictor.fit(graphs[:12], labels[:12])
    np.testing.assert_array_equal(encoder.encode(graphs[:5]), before)
    assert np.abs(predictor.readouts(graphs[:5]) - before).max() > 1e-4


def test_nothing_to_learn_from_is_refused(family):
    graphs, labels = family
    for sources in ({}, {"none": ([], [])}):
        with pytest.raises(CgError, match=r"no labelled network to learn from|there is no label"):
            KGNNPredictor().pretrain(sources)
    with pytest.raises(LabelError, match="2 labels for 3 networks"):
        KGNNPredictor().fit(graphs[:3], labels[:2])
    with pytest.raises(NotFitted, match=r"^fine-tuned needs labels: pretrain on other families or fit first$"):
        FineTunedPredictor().readouts(graphs[:2])


def test_torchs_random_numbers_are_left_alone_and_seeds_differ(family):
    graphs, labels = family
    state = torch.random.get_rng_state()
    short = {"epochs": 1, "tuning_epochs": 1}
    a, b, c = (
        KGNNPredictor(seed=seed, **short).fit(graphs[:8], labels[:8]).predict(graphs[8:12]) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3
