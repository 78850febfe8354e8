"""The predictor as a user meets it."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.base import clone

from cg_embed.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from cg_ir.errors import CgError
from cg_ir.testing import ScorerSuite
from cg_predict import LabelError, Predictor, UnfamiliarWarning
from cg_predict.features import descriptors
from cg_predict.gp import AveragedGaussianProcess
from cg_predict.metrics import spearman
from cg_predict.prior import load_prior, shipped_directory
from cg_predict.settings import Settings
from cg_predict.structures import SELECTED, STRUCTURES
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


# --- part by part, with few settings drawn, so that each takes no time ------------------------------------------------

QUICK = Settings(draws=10)


def quick(**parameters):
    return Predictor(**{"warn": False, "settings": QUICK, **parameters})


def test_parameters_are_those_given_and_knowledge_follows_them(family):
    assert Predictor().get_params() == {
        "exclude": (), "prior": None, "embedding": True, "neighbourhoods": True, "use_prior": True, "warn": True, "seed": 0, "settings": None,
    }  # fmt: skip
    assert (Predictor.name, Predictor.pooled) == ("predictor", True)
    with pytest.raises(TypeError, match="positional"):
        Predictor((), None)
    predictor = quick(exclude="nb101")
    first = predictor.knowledge
    assert predictor.knowledge is first
    assert (first.settings, first.excluded) == (QUICK, ("nb101",))
    assert Predictor().knowledge.settings == Settings()
    assert predictor.set_params(exclude=("timm",)).sources == tuple(f for f in FAMILIES if f != "timm")
    assert predictor.set_params(use_prior=False).sources == ()
    assert predictor.set_params(use_prior=True, settings=Settings(draws=20)).knowledge.settings.draws == 20
    graphs, _ = family
    assert predictor.expected_correlation(graphs) == predictor._context(graphs).expected


def test_the_nearest_known_network_tells_how_familiar_one_is(family):
    graphs, _ = family
    predictor = Predictor()
    distances, tables = predictor.knowledge.distances(descriptors().encode(graphs[:9]))
    told = predictor.familiarity(graphs[:9])
    np.testing.assert_allclose([f.distance for f in told], distances.min(axis=1))
    assert [f.family for f in told] == [predictor.knowledge.experts[tables[i]].family for i in distances.argmin(axis=1)]


def test_labels_are_kept_and_forgotten(family):
    graphs, _ = family
    predictor = quick()
    with pytest.raises(AttributeError, match="call fit first"):
        _ = predictor.labels_
    assert predictor.reset() is predictor
    assert predictor.fit([*graphs[:3], graphs[0]], [1.0, 2.0, 3.0, 2.0]) is predictor
    assert predictor.labels_.tolist() == [1.5, 2.0, 3.0]
    before = quick().predict(graphs[:5], pool=graphs)
    assert not np.array_equal(predictor.predict(graphs[:5], pool=graphs), before)
    np.testing.assert_array_equal(predictor.reset().predict(graphs[:5], pool=graphs), before)


def test_an_empty_pool_is_none(family):
    graphs, labels = family
    alone = quick().fit(graphs[:9], labels[:9]).predict(graphs[:5])
    empty = quick().fit(graphs[:9], labels[:9], pool=[])
    np.testing.assert_array_equal(empty.predict(graphs[:5]), alone)
    np.testing.assert_array_equal(empty.predict(graphs[:5], pool=[]), alone)
    assert len(quick().predict([])) == 0
    assert not np.array_equal(quick().predict(graphs[:5]), quick().predict(graphs[:5], pool=graphs))


@pytest.mark.parametrize("labelled", [0, 9])
def test_the_pool_of_fit_is_that_of_predictions_that_name_none(family, labelled):
    graphs, labels = family
    named = graphs[:80]
    predictor = quick()
    if labelled:
        predictor.fit(graphs[:9], labels[:9], pool=named)
    else:
        with pytest.warns(UserWarning, match=r"1 label\(s\) without two different values rank nothing"):
            predictor.fit(graphs[:1], [1.0], pool=named)
    among = predictor.predict(graphs[:20])
    np.testing.assert_array_equal(among, predictor.predict(graphs[:20], pool=named))
    for other in (graphs[80:], graphs[90:], graphs[100:]):
        elsewhere = predictor.predict(graphs[:20], pool=other)
        assert not np.array_equal(among, elsewhere)
        np.testing.assert_array_equal(elsewhere, predictor.predict(graphs[:20], pool=other))
    np.testing.assert_array_equal(among, predictor.predict(graphs[:20]))


def test_a_process_is_fitted_once_to_each_pool(family, monkeypatch):
    graphs, labels = family
    fitted = []
    fit = AveragedGaussianProcess.fit
    monkeypatch.setattr(AveragedGaussianProcess, "fit", lambda self, *given: fitted.append(1) or fit(self, *given))
    predictor = quick().fit(graphs[:9], labels[:9], pool=graphs[:80])
    assert len(fitted) == 1
    predictor.predict(graphs[:5])
    predictor.predict(graphs[:5], pool=graphs[:80])
    predictor.suggest(graphs[:80], 2)
    assert len(fitted) == 1
    for _ in range(2):
        predictor.predict(graphs[:5], pool=graphs[40:])
    assert len(fitted) == 2
    predictor.predict(graphs[:5], pool=graphs[50:])
    assert len(fitted) == 3
    predictor.fit(graphs[:9], labels[:9]).predict(graphs[:5])
    assert len(fitted) == 4
    kept = predictor._context(graphs)
    assert predictor.fit(graphs[:8], labels[:8])._context(list(graphs)) is kept
    assert predictor._context(graphs, kernels=True) is not kept


def test_scores_are_shrunk_to_the_correlation_that_is_expected(family):
    graphs, labels = family
    predictor = quick()
    score, std = predictor.predict(graphs, return_std=True, pool=graphs)
    expected = predictor.expected_correlation(graphs)
    assert score.std() == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(std, np.sqrt(1 - expected**2))
    assert predictor.score(graphs[:30], labels[:30], pool=graphs) == spearman(score[:30], labels[:30])
    with pytest.raises(LabelError, match="2 labels for 30"):
        predictor.score(graphs[:30], labels[:2])
    nothing, std = quick(use_prior=False).predict(graphs[:5], return_std=True, pool=graphs)
    assert (nothing.tolist(), std.tolist()) == ([0.0] * 5, [1.0] * 5)


@pytest.mark.parametrize(("expected", "told"), [(0.31, True), (0.5, False)])
def test_a_warning_where_little_is_to_be_expected(family, monkeypatch, recwarn, expected, told):
    graphs, labels = family
    monkeypatch.setattr("cg_predict.trust.Trust.expected", lambda self, evidence: expected)
    quick(warn=True).predict(graphs[:3])  # without a pool nothing is known of it
    quick(warn=False).predict(graphs[:3], pool=graphs)
    quick(warn=True, use_prior=False).predict(graphs[:3], pool=graphs)
    quick(warn=True).fit(graphs[:9], labels[:9]).predict(graphs[:3], pool=graphs)
    assert not recwarn.list
    quick(warn=True).predict(graphs[:3], pool=graphs)
    messages = [str(w.message) for w in recwarn.list if issubclass(w.category, UnfamiliarWarning)]
    assert len(messages) == told
    assert all("a rank correlation of about 0.3 is to be expected" in message for message in messages)


def test_suggestions_are_refused_where_there_are_none(family):
    graphs, labels = family
    predictor = quick()
    for count in (-1, 0, 4):
        with pytest.raises(CgError, match=f"between 1 and 3 of these networks, not {count}"):
            predictor.suggest([*graphs[:3], graphs[0]], count)
    assert len({graphs[i].hash for i in predictor.suggest([*graphs[:3], graphs[0]], 3)}) == 3
    predictor.fit(graphs[:3], labels[:3])
    with pytest.raises(CgError, match="every one of these networks has a label"):
        predictor.suggest(graphs[:3], 1)
    assert predictor.suggest(graphs[:4], 1) == [3]
    many = quick(settings=Settings(draws=10, exact_labels=8)).fit(graphs[:9], labels[:9])
    with pytest.raises(CgError, match="suggest works up to 8 labels"):
        many.suggest(graphs, 2)


def test_few_of_many_networks_are_weighed(family, monkeypatch):
    graphs, _ = family
    monkeypatch.setattr("cg_predict.predictor.WEIGHED", 20)
    seen = []
    suggest = AveragedGaussianProcess.suggest
    monkeypatch.setattr(
        AveragedGaussianProcess, "suggest",
        lambda self, candidates, pool, k: seen.append((len(candidates["components"]), len(pool["components"]), len(self.draws_), self.structures))
        or suggest(self, candidates, pool, k),
    )  # fmt: skip
    quick().suggest(graphs, 2)
    quick().suggest(graphs, 10)
    assert seen == [(20, 20, 8, STRUCTURES), (30, 20, 8, STRUCTURES)]
    assert quick(seed=1).suggest(graphs, 2) != quick(seed=2).suggest(graphs, 2)


def test_explanations_are_told_among_the_pool(family, monkeypatch):
    graphs, labels = family
    asked = []
    monkeypatch.setattr(
        "cg_predict.explain.explain", lambda predictor, graph, pool, seed: asked.append((graph, pool, seed))
    )
    predictor = quick(seed=4)
    predictor.explain(graphs[0])
    predictor.explain(graphs[0], pool=graphs[:7])
    predictor.fit(graphs[:5], labels[:5], pool=graphs[:9])
    predictor.explain(graphs[1])
    predictor.explain(graphs[1], pool=graphs[:7])
    assert asked == [
        (graphs[0], None, 4), (graphs[0], graphs[:7], 4), (graphs[1], graphs[:9], 4), (graphs[1], graphs[:7], 4),
    ]  # fmt: skip


def test_a_process_draws_settings_by_the_number_of_labels():
    predictor = quick(settings=Settings(draws=160, temper=3.0, calibration_labels=7.0))
    kernels = len(STRUCTURES)
    draws = {labels: predictor._process(labels, False).draws * kernels for labels in (0, 1, 5, 6, 20, 1000)}
    assert draws == {0: 160, 1: 15, 5: 15, 6: 15, 20: 60, 1000: 160}
    plain, selected = predictor._process(20, False), predictor._process(20, True)
    assert (plain.structures, selected.structures) == (STRUCTURES, SELECTED)
    assert (plain.refinements, plain.left_out, selected.refinements, selected.left_out) == (6, True, 3, False)
    assert (plain.temper, plain.calibration_labels) == (3.0, 7.0)
    assert plain.rng.random() == np.random.default_rng([0, 0]).random()


def test_kernels_look_at_what_takes_part_only():
    for part in ("embedding", "neighbourhoods"):
        structures = quick(**{part: False})._process(9, False).structures
        assert {view for s in structures for view in s.views} == {
            "descriptors",
            "components",
            "embedding",
            "neighbourhoods",
        } - {part}
        assert len(set(structures)) == len(structures)
    assert [s.views for s in quick(embedding=False)._process(9, False).structures] == [
        ("descriptors", "components"), ("descriptors", "neighbourhoods"), ("descriptors", "neighbourhoods"),
    ]  # fmt: skip
    assert not any(s.mean for s in quick(use_prior=False)._process(9, False).structures)


def test_networks_picked_for_being_good_are_told_by_their_scores(family, monkeypatch):
    graphs, labels = family
    order = np.argsort(quick().predict(graphs, pool=graphs)).tolist()
    seen = []
    process = Predictor._process
    monkeypatch.setattr(
        Predictor,
        "_process",
        lambda self, count, selected: seen.append((count, selected)) or process(self, count, selected),
    )
    best, worst, middle = order[-25:], order[:25], order[75:100]
    for chosen in (best, worst, middle, order[-45:-42]):  # three may be that good by chance
        quick().fit([graphs[i] for i in chosen], labels[chosen], pool=graphs)
    quick().fit([graphs[i] for i in best], labels[best])
    quick(settings=Settings(draws=10, selected=5.0)).fit([graphs[i] for i in best], labels[best], pool=graphs)
    assert seen == [(25, True), (25, False), (25, False), (3, False), (25, False), (25, False)]


def test_beyond_the_exact_labels_trees_learn_the_rest(family):
    graphs, labels = family
    settings = Settings(draws=10, exact_labels=9)
    at_the_limit = quick(settings=settings).fit(graphs[:9], labels[:9])
    np.testing.assert_array_equal(
        at_the_limit.predict(graphs[:20]), quick().fit(graphs[:9], labels[:9]).predict(graphs[:20])
    )
    beyond = quick(settings=settings).fit(graphs[:60], labels[:60])
    _, std = beyond.predict(graphs[60:90], return_std=True)
    assert len(set(std.tolist())) == 1  # of labels held out
    _, other = quick(settings=settings, seed=1).fit(graphs[:60], labels[:60]).predict(graphs[60:90], return_std=True)
    assert std[0] != other[0]
    score, _ = beyond.predict(graphs, return_std=True, pool=graphs)
    assert abs(score.mean()) < 0.2
    assert spearman(score[60:], labels[60:]) > 0.8


def test_a_saved_predictor_says_what_it_is(family, tmp_path):
    graphs, labels = family
    predictor = quick(exclude=("timm",), seed=5, prior=shipped_directory()).fit(graphs[:4], labels[:4])
    predictor.save(tmp_path / "a")
    config, arrays = read_checkpoint(tmp_path / "a", "predictor")
    parameters = predictor.get_params() | {
        "exclude": ["timm"],
        "prior": str(shipped_directory()),
        "settings": asdict(QUICK),
    }
    assert config == {
        "parameters": parameters, "sources": list(predictor.sources), "prior": predictor.knowledge.card["digest"],
        "hashes": [g.hash for g in graphs[:4]], "names": [g.name for g in graphs[:4]],
    }  # fmt: skip
    assert set(arrays) == {"labels", "descriptors", "vectors", "neighbourhoods"}
    np.testing.assert_array_equal(arrays["labels"], labels[:4])
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"Fitted to labels of 4 networks. Prior learned from: {', '.join(predictor.sources)}." in card
    loaded = Predictor.load(tmp_path / "a")
    assert loaded.get_params() == predictor.get_params() | {"prior": str(shipped_directory())}
    assert loaded._state.names == [g.name for g in graphs[:4]]
    quick(use_prior=False, settings=None).save(tmp_path / "b")
    config, arrays = read_checkpoint(tmp_path / "b", "predictor")
    assert "hashes" not in config
    assert (arrays["labels"].shape, arrays["descriptors"].shape) == ((0,), (0, len(predictor.knowledge.names)))
    card = (tmp_path / "b" / "README.md").read_text()
    assert "labels of 0 networks. Prior learned from: no family." in card
    assert Predictor.load(tmp_path / "b").get_params()["settings"] is None


@pytest.mark.parametrize(
    "damage", ["labels", "descriptors", "hashes", "vectors", "neighbourhoods", "width", "names", "parameters"]
)
def test_a_saved_predictor_whose_parts_do_not_fit_is_refused(family, tmp_path, damage):
    graphs, labels = family
    quick().fit(graphs[:4], labels[:4]).save(tmp_path)
    config, arrays = read_checkpoint(tmp_path, "predictor")
    reason = "does not hold the vectors"
    if damage == "descriptors":
        arrays[damage] = arrays[damage][:, 1:]
    elif damage == "vectors":
        del arrays[damage]
    elif damage == "width":
        arrays["vectors"] = arrays["vectors"][:, 1:]
    elif damage in ("labels", "neighbourhoods"):
        arrays[damage] = arrays[damage][1:]
    elif damage == "hashes":
        config[damage] = config[damage][1:]
    else:
        reason = "is no saved predictor"
        del config[damage]
    write_checkpoint(tmp_path, "predictor", config, dict(arrays), "")
    with pytest.raises(CheckpointError, match=reason):
        Predictor.load(tmp_path)
