"""The context of a ranking: scale, features and the score without labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cg_ir import hash_all
from cg_predict.context import Context, Encodings, evenly_spaced
from cg_predict.features import descriptors, neighbourhoods, path_vectors
from cg_predict.pool import PoolScale
from cg_predict.prior import Prior, load_prior


@pytest.fixture(scope="module")
def graphs(family):
    return family[0][:40]


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior(("transnas", "timm"))


@pytest.mark.parametrize(("embedding", "counts"), [(False, False), (True, False), (False, True), (True, True)])
def test_encodings_are_what_the_encoders_say(graphs, embedding: bool, counts: bool) -> None:
    found = Encodings.of(graphs, embedding, counts)
    assert found.hashes == hash_all(graphs)
    np.testing.assert_array_equal(found.descriptors, descriptors().encode(graphs))
    for part, wanted, encoder in (
        (found.vectors, embedding, path_vectors),
        (found.neighbourhoods, counts, neighbourhoods),
    ):
        assert (part is not None) == wanted
        if part is not None:
            np.testing.assert_array_equal(part, encoder().encode(graphs))


@pytest.mark.parametrize("count", [1, 7, 39, 40, 100])
def test_some_of_them_are_evenly_spaced(graphs, count: int) -> None:
    found = Encodings.of(graphs, counts=True)
    some = found.some(count)
    assert len(some) == min(count, 40)
    rows = [found.hashes.index(key) for key in some.hashes]
    assert np.ptp(np.diff(rows)) <= 1 if len(rows) > 1 else rows == [0]
    np.testing.assert_array_equal(some.descriptors, found.descriptors[rows])
    assert some.neighbourhoods is not None
    np.testing.assert_array_equal(some.neighbourhoods, found.neighbourhoods[rows])
    assert some.vectors is None


def test_a_sample_of_a_pool_does_not_depend_on_its_order(graphs) -> None:
    shuffled = [graphs[i] for i in np.random.default_rng(0).permutation(40)]
    chosen = [g.hash for g in evenly_spaced(graphs, 9)]
    assert chosen == [g.hash for g in evenly_spaced(shuffled, 9)]
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (min(hash_all(graphs)), max(hash_all(graphs)))
    assert evenly_spaced(shuffled, 40) == shuffled


def test_in_a_pool_scores_are_those_of_the_prior_there(graphs, prior: Prior) -> None:
    around = Encodings.of(graphs)
    among = prior.among(around.descriptors, PoolScale(around.descriptors))
    context = Context(around, prior, pooled=True)
    assert context.expected == among.expected
    np.testing.assert_array_equal(context.scores(around), among.scores)
    strangers = around.at(np.array([3, 1]))
    strangers = replace(strangers, hashes=["new", strangers.hashes[1]], descriptors=strangers.descriptors * 1.1)
    told = context.scores(strangers)
    assert told[1] == among.scores[1]  # known by its hash
    assert told[0] == among.score(strangers.descriptors[:1])[0]


def test_alone_the_score_depends_on_the_network_alone(graphs, prior: Prior) -> None:
    networks = Encodings.of(graphs)
    for around in (Encodings.of([]), networks.some(5), networks):
        context = Context(around, prior, pooled=False)
        np.testing.assert_array_equal(context.scores(networks), prior.score(networks.descriptors))
        assert context.expected == 0.6  # nothing is seen of a pool


@pytest.mark.parametrize("count", [2, 10, 40])
def test_without_a_pool_few_networks_hardly_set_the_scale(graphs, prior: Prior, count: int) -> None:
    around = Encodings.of(graphs[:count])
    own, scale = PoolScale(around.descriptors), Context(around, prior, pooled=False).scale
    expected = np.sqrt((count * own.deviation**2 + 5 * prior.spread**2) / (count + 5))
    np.testing.assert_allclose(scale.deviation[own.varies], expected[own.varies])
    assert (scale.deviation[~own.varies] == 1.0).all()
    assert (Context(around, prior, pooled=True).scale.deviation == own.deviation).all()


def test_views_are_weighed_by_what_mattered_in_similar_families(graphs, prior: Prior) -> None:
    around = Encodings.of(graphs, True, True)
    context = Context(around, prior, pooled=True)
    views, scores = context.views(around)
    assert set(views) == {"descriptors", "components", "neighbourhoods", "embedding"}
    scale, vectors = PoolScale(around.descriptors), PoolScale(around.vectors)
    similarity = prior.among(around.descriptors, scale).similarity
    weights = prior.relevance(similarity)
    expected = scale.standardise(around.descriptors) * weights["descriptors"][scale.varies]
    np.testing.assert_allclose(views["descriptors"], expected, rtol=1e-5)
    expected = vectors.standardise(around.vectors) * weights["embedding"][vectors.varies]
    np.testing.assert_allclose(views["embedding"], expected, rtol=1e-5)
    assert views["neighbourhoods"] is around.neighbourhoods
    np.testing.assert_array_equal(scores, context.scores(around))
    other = Context(around, replace(prior, vectors="of other weights"), pooled=True).views(around)[0]
    np.testing.assert_array_equal(other["embedding"], vectors.standardise(around.vectors))


def test_parts_that_do_not_take_part_have_no_view(graphs, prior: Prior) -> None:
    around = Encodings.of(graphs)
    nobody = prior.without(prior.sources)
    for which in (prior, nobody):
        assert set(Context(around, which, pooled=True).views(around)[0]) == {"descriptors", "components"}
    scale = PoolScale(around.descriptors)
    views = Context(around, nobody, pooled=True).views(around)[0]
    np.testing.assert_array_equal(views["descriptors"], scale.standardise(around.descriptors))


def test_a_sample_stands_for_the_pool(graphs, prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_predict.context.PLACED", 9)
    context = Context(Encodings.of(graphs), prior, pooled=True)
    views, scores = context.sample
    assert {len(view) for view in views.values()} == {len(scores)} == {9}
    np.testing.assert_array_equal(scores, context.scores(context.around.some(9)))
