"""The paper's recipe and its predecessor (extra ``torch``)."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir.errors import CgError
from cg_predict.metrics import spearman

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_predict.finetuned import FineTunedPredictor, KGNNPredictor, ranking_loss  # noqa: E402


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
