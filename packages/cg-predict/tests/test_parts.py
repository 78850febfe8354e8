"""Kernels, trees as arrays, pool scale, targets, metrics and feature weights, each against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.gaussian_process.kernels import Matern
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from cg_predict.agreement import agreement_weights
from cg_predict.calibration import QuantileMap, expectation
from cg_predict.experts import rank_correlations, representatives
from cg_predict.halves import Halves
from cg_predict.kernels import Whitening, matern52, squared_distances
from cg_predict.metrics import precision_at_top, rank_of_best, regret, spearman
from cg_predict.pool import GRID, PoolScale
from cg_predict.relevance import likelihood_gradient, relevance
from cg_predict.support_vectors import SupportVectors
from cg_predict.targets import LabelError, check_labels, merge_duplicates, normal_scores
from cg_predict.trees import Forest

RNG = np.random.default_rng(0)


def test_matern_is_scikit_learns():
    a, b = RNG.normal(size=(7, 4)), RNG.normal(size=(5, 4))
    np.testing.assert_allclose(matern52(squared_distances(a, b), 1.7), Matern(1.7, nu=2.5)(a, b), atol=1e-12)


@pytest.mark.parametrize("shape", [(60, 6), (8, 30)])
def test_whitening_is_pca_up_to_scale(shape):
    x = RNG.normal(size=shape) @ RNG.normal(size=(shape[1], shape[1]))
    ours = Whitening(0.5, 5).fit(x).transform(x)
    pca = PCA(5).fit(x)
    theirs = pca.transform(x)
    deviation = theirs.std(axis=0)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs / np.sqrt(deviation)), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("boosted", [False, True])
def test_forest_predicts_as_scikit_learn_does(boosted):
    x = np.round(RNG.random((300, 6)) * GRID).astype(np.float32) / GRID - 0.5
    y = x[:, 0] + np.abs(x[:, 1])
    if boosted:
        model = GradientBoostingRegressor(n_estimators=15, random_state=0).fit(x, y)
        forest = Forest.from_trees([s[0].tree_ for s in model.estimators_], [0.1] * 15, float(y.mean()))
    else:
        model = ExtraTreesRegressor(9, min_samples_leaf=3, random_state=0).fit(x, y)
        forest = Forest.from_trees([e.tree_ for e in model.estimators_], [1 / 9] * 9)
    np.testing.assert_allclose(forest.predict(x), model.predict(x), atol=1e-5)
    stored = Forest.from_arrays(forest.to_arrays())
    if boosted:  # thresholds between grid values survive half precision, so only leaf values are rounded
        np.testing.assert_allclose(stored.predict(x), model.predict(x), atol=5e-3)
    assert stored.to_arrays()["number"].dtype == np.float16


def test_forests_of_unequal_and_large_trees_in_blocks(monkeypatch):
    monkeypatch.setattr("cg_predict.trees._AT_ONCE", 2000)
    x = RNG.normal(size=(700, 4)).astype(np.float32)
    y = np.sin(3 * x[:, 0]) + x[:, 1]
    trees = [DecisionTreeRegressor(max_leaf_nodes=size, random_state=0).fit(x, y) for size in (2, 3, 400)]
    trees.append(DecisionTreeRegressor().fit(x, np.full(len(x), 2.0)))  # a mere leaf
    forest = Forest.from_trees([tree.tree_ for tree in trees], [1.0, -2.0, 0.5, 1.0], 3.0)
    expected = 3.0 + sum(w * tree.predict(x) for w, tree in zip([1.0, -2.0, 0.5, 1.0], trees, strict=True))
    np.testing.assert_allclose(forest.predict(x), expected, atol=1e-5)
    assert forest.predict(x[:0]).shape == (0,)


def test_support_vectors_predict_as_scikit_learn_does():
    x = RNG.normal(size=(120, 5)).astype(np.float32) * [1, 10, 0.1, 1, 0]  # the last feature is constant
    y = np.sin(x[:, 0]) + 0.1 * x[:, 1]
    ours = SupportVectors.fitted(x, y, rate=0.4, penalty=2.0)
    assert ours.columns.tolist() == [0, 1, 2, 3]
    z = np.clip((x[:, :4] - x[:, :4].mean(0)) / x[:, :4].std(0), -3, 3)
    theirs = SVR(gamma=0.1, C=2.0, epsilon=0.06).fit(z, y).predict(z)
    np.testing.assert_allclose(ours.predict(x), theirs, atol=1e-4)
    far = np.full((1, 5), 1e6)
    np.testing.assert_allclose(ours.predict(far), ours.predict(ours.centre[None, [0, 1, 2, 3, 0]] + 1e3), atol=1e-4)
    np.testing.assert_allclose(SupportVectors.from_arrays(ours.to_arrays()).predict(x), ours.predict(x), atol=0.01)


def test_halves_are_the_mean_of_trees_and_a_smooth_function():
    x = RNG.normal(size=(80, 3)).astype(np.float32)
    y = x[:, 0] * x[:, 1]
    model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(x, y)
    trees = Forest.from_trees([s[0].tree_ for s in model.estimators_], [0.1] * 20, float(y.mean()))
    halves = Halves(trees, SupportVectors.fitted(x, y, 0.3, 3.0))
    np.testing.assert_allclose(halves.predict(x), (model.predict(x) + halves.smooth.predict(x)) / 2, atol=1e-5)
    np.testing.assert_allclose(Halves.from_arrays(halves.to_arrays()).predict(x), halves.predict(x), atol=0.02)


def test_pool_scale_standardises_ranks_and_drops_constants():
    x = RNG.normal(size=(200, 3))
    x[:, 1] = 4.0
    scale = PoolScale(x)
    assert scale.varies.tolist() == [True, False, True]
    z = scale.standardise(x)
    np.testing.assert_allclose(z, np.clip((x - x.mean(0))[:, [0, 2]] / x.std(0)[[0, 2]], -4, 4), rtol=1e-5)
    ranks = scale.ranks(x)
    np.testing.assert_allclose(ranks[:, 0], (rankdata(x[:, 0]) - 0.5) / 200 - 0.5, atol=0.51 / GRID)
    assert not ranks[:, 1].any()
    np.testing.assert_array_equal(ranks * GRID, np.round(ranks * GRID))


def test_normal_scores():
    y = np.array([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(normal_scores(y), norm.ppf((rankdata(y) - 0.5) / 4))


def test_scores_are_placed_in_a_pool():
    pool = RNG.normal(size=20_000)
    placement = QuantileMap(0.8 * pool, np.full(len(pool), 0.6))
    mean, std = placement(np.array([-1.0, 0.0, 2.0]), np.array([0.1, 0.2, 0.1]))
    np.testing.assert_allclose(mean, [-1.0, 0.0, 2.0], atol=0.03)  # variances add up to 1: nothing to correct
    np.testing.assert_allclose(std, [0.1, 0.2, 0.1], atol=0.01)
    # Labelled networks that were better than the pool: their mean, 0, is one deviation above the pool's.
    shifted = QuantileMap(0.8 * pool - 1.0, np.full(len(pool), 0.6))
    np.testing.assert_allclose(shifted.scores(np.array([-1.0, 0.0])), [0.0, 1.0], atol=0.03)
    rising = shifted.scores(np.linspace(-50.0, 50.0, 4001))
    assert (np.diff(rising) > 0).all()  # no two networks become equal, however far out
    assert np.isfinite(QuantileMap(np.zeros(1), np.full(1, 1e-6)).scores(np.array([-1.0, 0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("labels", "count", "part"),
    [
        ([1.0, float("nan")], 2, "finite"),
        ([1.0, float("inf")], 2, "finite"),
        (["a", "b"], 2, "'a'"),
        (["1", "2"], 2, "text"),
        ([1.0], 2, "1 labels for 2"),
        ([], 0, "no label"),
        ([[1.0, 2.0]], 1, "shape"),
        ([None, 1.0], 2, "None"),
    ],
)
def test_bad_labels_are_named(labels, count, part):
    with pytest.raises(LabelError, match=part):
        check_labels(labels, count)


def test_duplicates_count_once_with_their_mean():
    kept, labels = merge_duplicates(["a", "b", "a"], np.array([1.0, 5.0, 3.0]))
    assert kept == [0, 1]
    assert labels.tolist() == [2.0, 5.0]


def test_metrics_by_hand():
    truth, score = np.arange(40.0), np.arange(40.0)
    score[[39, 38]] = score[[38, 39]]
    assert precision_at_top(score, truth) == 1.0
    assert regret(score, truth) == 1.0
    assert rank_of_best(score, truth) == 2 / 40
    assert spearman(np.zeros(40), truth) == 0.0


def test_likelihood_gradient_is_the_slope():
    z, y = RNG.normal(size=(15, 4)), RNG.normal(size=15)
    weights, hyper = 0.3 * RNG.normal(size=4), np.array([0.2, -0.1, -1.0])
    value, by_weight, by_hyper = likelihood_gradient(z, y, weights, hyper, 2.0)
    for j in range(4):
        step = 1e-5 * np.eye(4)[j]
        slope = (
            likelihood_gradient(z, y, weights + step, hyper, 2.0)[0]
            - likelihood_gradient(z, y, weights - step, hyper, 2.0)[0]
        )
        assert by_weight[j] == pytest.approx(slope / 2e-5, abs=1e-6)
    for j in range(3):
        step = 1e-5 * np.eye(3)[j]
        slope = (
            likelihood_gradient(z, y, weights, hyper + step, 2.0)[0]
            - likelihood_gradient(z, y, weights, hyper - step, 2.0)[0]
        )
        assert by_hyper[j] == pytest.approx(slope / 2e-5, abs=1e-6)
    assert np.isfinite(value)


def test_relevance_finds_the_feature_that_matters():
    z = RNG.normal(size=(150, 12)).astype(np.float32)
    weights = relevance(z, np.sin(2 * z[:, 3]), seed=0)
    assert weights.argmax() == 3
    assert weights[3] > 2 * np.median(weights)


def test_agreement_tells_good_rankings_from_bad_ones_without_a_label():
    truth = RNG.normal(size=4000)
    quality = np.array([0.9, 0.7, 0.5, 0.0])
    views = np.stack([q * truth + np.sqrt(1 - q * q) * RNG.normal(size=len(truth)) for q in quality])
    np.testing.assert_allclose(agreement_weights(views), quality, atol=0.06)
    assert agreement_weights(np.vstack([views, -views[:1]]))[-1] == 0.0  # one that contradicts the others is not heard


def test_rank_correlations_are_spearmans():
    x = RNG.normal(size=(500, 3)) @ RNG.normal(size=(3, 3))
    ranks = (rankdata(x, axis=0) - 0.5) / len(x) - 0.5
    expected = np.array([[spearman(x[:, i], x[:, j]) for j in range(3)] for i in range(3)])
    np.testing.assert_allclose(rank_correlations(ranks), expected, atol=1e-5)


def test_representatives_leave_no_network_far_away():
    x = RNG.normal(size=(400, 2)).astype(np.float32)
    x[7] = [30.0, -30.0]
    chosen = representatives(x, 20)
    assert len(set(chosen.tolist())) == 20
    assert 7 in chosen
    assert len(representatives(x[:5], 20)) == 5


def test_expectation_is_regression_to_the_mean():
    score = RNG.normal(size=50_000)
    label = 0.6 * score + 0.8 * RNG.normal(size=len(score))
    mean, std = expectation(score, 0.6)
    assert np.polyfit(mean, label, 1)[0] == pytest.approx(1.0, abs=0.02)
    assert (label - mean).std() == pytest.approx(std[0], abs=0.01)
