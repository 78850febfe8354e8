"""The predictor as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.base import clone

from cg_embed.checkpoint import CheckpointError
from cg_ir.errors import CgError
from cg_ir.testing import ScorerSuite
from cg_predict import LabelError, Predictor
from cg_predict.features import descriptors
from cg_predict.metrics import spearman
from cg_predict.prior import load_prior, shipped_directory
from cg_predict.settings import Settings
from cg_predict.tables import FAMILIES as TABLES
from cg_predict.tables import relatives_of
from cg_predict.targets import normal_scores

FAMILIES = tuple(dict.fromkeys(f.name for f in TABLES))


class TestConformance(ScorerSuite):
    """What every scorer does."""

    def make(self):
        return Predictor(warn=False)


def test_sources_are_the_families_that_are_left():
    assert Predictor().sources == FAMILIES
    for family in FAMILIES:
        assert Predictor(exclude=(family,)).sources == tuple(f for f in FAMILIES if f not in relatives_of((family,)))
    assert set(FAMILIES) - set(Predictor(exclude=("nb101", "nb201")).sources) == {
        "nb101",
        "nb201",
        "transnas",
    }  # shares cells
    assert Predictor(use_prior=False).sources == ()


def test_nothing_of_an_excluded_family_is_in_the_prior():
    whole, without = load_prior(), load_prior(("nb201",))
    assert set(whole.experts) == {f.table for f in TABLES}
    assert set(without.experts) == {f.table for f in TABLES} - {"nb201", "transnas micro", "transnas macro"}
    assert not {"nb201", "transnas"} & {e.family for e in without.experts.values()}
    assert not {"nb201", "transnas"} & set(without.trust.families)
    assert set(whole.trust.families) == set(FAMILIES)
    assert not np.array_equal(without.relevance()["descriptors"], whole.relevance()["descriptors"])


def test_families_left_out_are_not_asked(family):
    graphs, _ = family
    score = {
        exclude: tuple(Predictor(exclude=exclude, warn=False).predict(graphs, pool=graphs))
        for exclude in ((), ("nb201",), ("nb201", "nb101"), FAMILIES)
    }
    assert len(set(score.values())) == 4
    assert set(score[FAMILIES]) == {0.0}


def test_the_checkpoint_is_small_and_says_what_it_is():
    folder = shipped_directory()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    card = (folder / "README.md").read_text()
    assert all(f"| {table.table} |" in card for table in TABLES)
    assert "fit-prior" in card


def test_ranks_without_a_label(family):
    graphs, labels = family
    predictor = Predictor(warn=False)
    assert predictor.score(graphs, labels, pool=graphs) > 0.7
    score, std = predictor.predict(graphs, return_std=True, pool=graphs)
    assert score.shape == std.shape == (len(graphs),)
    assert (std > 0).all()


def test_labels_sharpen_the_ranking(family):
    graphs, labels = family
    predictor = Predictor(warn=False)
    before = predictor.score(graphs[60:], labels[60:], pool=graphs)
    after = predictor.fit(graphs[:60], labels[:60]).score(graphs[60:], labels[60:], pool=graphs)
    assert after > max(before, 0.95)


def test_two_labels_do_not_overthrow_what_other_families_taught(family):
    graphs, labels = family
    known = Predictor(warn=False).predict(graphs, pool=graphs)
    order = np.argsort(known)
    for pair in ([order[-50], order[-40]], [order[40], order[-40]]):  # both good by chance; told apart
        predictor = Predictor().fit([graphs[i] for i in pair], labels[pair])
        score, std = predictor.predict(graphs, return_std=True, pool=graphs)
        assert spearman(score, known) > 0.9
        np.testing.assert_allclose(score, predictor.predict(graphs, pool=graphs))
        assert std.min() > 0.2


@pytest.mark.parametrize("pool", [True, False])
def test_the_score_without_labels_fades(family, pool):
    graphs, labels = family
    among = graphs if pool else None
    known = Predictor(warn=False).predict(graphs, pool=among)
    backwards = Predictor(warn=False)  # labels that contradict it
    agreement = [
        spearman(backwards.fit(graphs[:n], -labels[:n]).predict(graphs, pool=among), known) for n in (2, 10, 60)
    ]
    assert agreement[0] > agreement[1] > agreement[2]
    assert agreement[0] > 0.5
    assert agreement[2] < -0.5


@pytest.mark.parametrize("which", ["drawn", "best by the prior", "worst by the prior"])
def test_scores_are_those_in_the_pool_whichever_networks_were_labelled(family, which):
    graphs, labels = family
    order = np.argsort(Predictor(warn=False).predict(graphs, pool=graphs))
    part = {"drawn": slice(0, None, 4), "best by the prior": slice(-25, None), "worst by the prior": slice(0, 25)}[
        which
    ]
    chosen = order[part]
    predictor = Predictor().fit([graphs[i] for i in chosen], labels[chosen])
    score, std = predictor.predict(graphs, return_std=True, pool=graphs)
    truth = normal_scores(labels)
    assert abs(score.mean()) < 0.3  # among themselves the labelled would be at 0
    assert abs(score[chosen].mean() - truth[chosen].mean()) < 0.6
    assert np.mean(np.abs(score - truth) < 1.645 * std) > 0.7


def test_only_the_order_of_labels_counts(family):
    graphs, labels = family
    a = Predictor().fit(graphs[:30], labels[:30]).predict(graphs, pool=graphs)
    b = Predictor().fit(graphs[:30], np.exp(3 * labels[:30])).predict(graphs, pool=graphs)
    np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("labelled", [0, 25])
def test_without_a_pool_a_prediction_depends_on_its_network_alone(family, labelled):
    graphs, labels = family
    predictor = Predictor(warn=False)
    if labelled:
        predictor.fit(graphs[:labelled], labels[:labelled])
    together = predictor.predict(graphs[40:60])
    alone = np.concatenate([predictor.predict([g]) for g in graphs[40:60]])
    np.testing.assert_allclose(together, alone, atol=1e-5)  # covariances are of single precision


def test_order_of_the_networks_and_of_the_pool_does_not_matter(family):
    graphs, labels = family
    turn = np.random.default_rng(0).permutation(len(graphs))
    predictor = Predictor().fit(graphs[:25], labels[:25])
    straight = predictor.predict(graphs, pool=graphs)
    shuffled = [graphs[i] for i in turn]
    again = Predictor().fit(graphs[:25], labels[:25]).predict(shuffled, pool=shuffled)
    np.testing.assert_allclose(straight[turn], again, atol=1e-4)


@pytest.mark.parametrize("labels", [0, 20])
def test_a_network_that_occurs_twice_is_encoded_once(family, labels, monkeypatch):
    graphs, y = family
    predictor = Predictor(warn=False)
    if labels:
        predictor.fit(graphs[:labels], y[:labels])
    once = predictor.predict(graphs[:30], return_std=True)
    seen = []
    encode = descriptors().encode
    monkeypatch.setattr(descriptors(), "encode", lambda networks: seen.append(len(networks)) or encode(networks))
    twice = predictor.predict([*graphs[29::-1], *graphs[:30]], return_std=True)
    assert max(seen) == 30
    for a, b in zip(once, twice, strict=True):
        np.testing.assert_allclose(b, np.concatenate([a[::-1], a]), atol=1e-5)  # covariances are of single precision


def test_equal_seeds_agree_and_parameters_are_scikit_learns(family):
    graphs, labels = family
    a = Predictor(exclude=("nb101",), seed=3)
    b = clone(a)
    assert b.get_params()["exclude"] == ("nb101",)
    one = a.fit(graphs[:20], labels[:20]).predict(graphs, pool=graphs)
    np.testing.assert_array_equal(one, b.fit(graphs[:20], labels[:20]).predict(graphs, pool=graphs))


def test_suggest_names_unlabelled_networks_once(family):
    graphs, labels = family
    predictor = Predictor(warn=False)
    first = predictor.suggest(graphs, 8)
    assert len(set(first)) == 8
    assert first == Predictor(warn=False).suggest(graphs, 8)
    assert first[:3] == predictor.suggest(graphs, 3)
    predictor.fit([graphs[i] for i in first], labels[first])
    assert not set(first) & set(predictor.suggest(graphs, 8))
    with pytest.raises(CgError, match="between 1 and 160"):
        Predictor(warn=False).suggest(graphs, 161)


def test_labels_that_rank_nothing_fall_back_to_the_prior_with_a_warning(family):
    graphs, _ = family
    plain = Predictor(warn=False)
    for labels in ([1.0], [2.0, 2.0, 2.0]):
        predictor = Predictor(warn=False)
        with pytest.warns(UserWarning, match="rank nothing"):
            predictor.fit(graphs[: len(labels)], labels)
        np.testing.assert_array_equal(predictor.predict(graphs), plain.predict(graphs))


def test_bad_labels_are_refused_and_duplicates_merged(family):
    graphs, labels = family
    with pytest.raises(LabelError, match="finite"):
        Predictor().fit(graphs[:2], [1.0, float("nan")])
    with pytest.raises(LabelError, match="text"):
        Predictor().fit(graphs[:2], ["1", "2"])
    twice = Predictor().fit([*graphs[:20], *graphs[:20]], np.concatenate([labels[:20], labels[:20]]))
    once = Predictor().fit(graphs[:20], labels[:20])
    np.testing.assert_allclose(twice.predict(graphs), once.predict(graphs))


def test_networks_unlike_everything_known_are_told(family):
    graphs, _ = family
    told = Predictor(exclude=[f for f in FAMILIES if f != "nb101"]).familiarity(graphs)
    assert all(f.family == "nb101" and f.distance > 0.9 and not f.known for f in told)
    assert all(f.distance == float("inf") and not f.known for f in Predictor(use_prior=False).familiarity(graphs))


def test_no_networks_no_scores():
    score, std = Predictor().predict([], return_std=True)
    assert len(score) == len(std) == 0


def test_saved_predictors_come_back(family, tmp_path):
    graphs, labels = family
    predictor = Predictor(exclude=("nb201",)).fit(graphs[:30], labels[:30])
    predictor.save(tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model")
    assert loaded.sources == predictor.sources
    np.testing.assert_array_equal(loaded.predict(graphs, pool=graphs), predictor.predict(graphs, pool=graphs))
    Predictor(warn=False).save(tmp_path / "unfitted")
    assert Predictor.load(tmp_path / "unfitted").predict(graphs, pool=graphs).shape == (160,)


@pytest.mark.parametrize("part", ["embedding", "neighbourhoods"])
def test_a_part_that_is_left_out_is_neither_used_nor_saved(family, tmp_path, part):
    graphs, labels = family
    predictor = Predictor(**{part: False}).fit(graphs[:30], labels[:30])
    score = predictor.predict(graphs, pool=graphs)
    assert not np.array_equal(score, Predictor().fit(graphs[:30], labels[:30]).predict(graphs, pool=graphs))
    predictor.save(tmp_path / part)
    np.testing.assert_array_equal(Predictor.load(tmp_path / part).predict(graphs, pool=graphs), score)
    path = tmp_path / part / "config.json"
    document = json.loads(path.read_text())
    document["config"]["parameters"][part] = True
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="does not hold the vectors"):
        Predictor.load(tmp_path / part)


def test_files_that_are_no_predictor_are_refused(tmp_path, family):
    graphs, labels = family
    with pytest.raises(CheckpointError):
        Predictor.load(tmp_path)
    Predictor().fit(graphs[:5], labels[:5]).save(tmp_path)
    document = json.loads((tmp_path / "config.json").read_text())
    document["config"]["prior"] = "another"
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(CgError, match="fit it again"):
        Predictor.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="digest"):
        Predictor.load(tmp_path)


@pytest.mark.slow
def test_thousands_of_labels(family):
    graphs, labels = family
    predictor = Predictor(settings=Settings(exact_labels=60)).fit(graphs[:130], labels[:130])
    assert predictor.score(graphs[130:], labels[130:], pool=graphs) > 0.9
    _, std = predictor.predict(graphs[130:], return_std=True)
    assert (std > 0).all()


def test_suggest_draws_candidates_as_often_as_they_occur(family, monkeypatch):
    graphs, _ = family
    monkeypatch.setattr("cg_predict.predictor.WEIGHED", 10)
    pool = graphs[:120] + [graphs[120]] * 400
    for seed in range(5):
        chosen = Predictor(warn=False, seed=seed).suggest(pool, 3)
        assert graphs[120].hash in {pool[i].hash for i in chosen}
