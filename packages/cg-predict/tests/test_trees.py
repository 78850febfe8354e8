"""Trees as arrays, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

from cg_predict.pool import GRID
from cg_predict.trees import Forest

RNG = np.random.default_rng(0)


def grown(x: np.ndarray, y: np.ndarray, boosted: bool) -> tuple[Forest, np.ndarray]:
    """A forest, and what scikit-learn's predicts."""
    if boosted:
        model = GradientBoostingRegressor(n_estimators=15, random_state=0).fit(x, y)
        trees = [stage[0].tree_ for stage in model.estimators_]
        return Forest.from_trees(trees, [0.1] * 15, float(y.mean())), model.predict(x)
    model = ExtraTreesRegressor(9, min_samples_leaf=3, random_state=0).fit(x, y)
    return Forest.from_trees([tree.tree_ for tree in model.estimators_], [1 / 9] * 9), model.predict(x)


@pytest.mark.parametrize("boosted", [False, True])
def test_forest_predicts_as_scikit_learn_does(boosted: bool) -> None:
    x = np.round(RNG.random((300, 6)) * GRID).astype(np.float32) / GRID - 0.5
    forest, expected = grown(x, x[:, 0] + np.abs(x[:, 1]), boosted)
    np.testing.assert_allclose(forest.predict(x), expected, atol=1e-5)
    assert len(forest) == (15 if boosted else 9)
    stored = Forest.from_arrays(forest.to_arrays())
    if boosted:  # thresholds between grid values survive half precision, so only leaf values are rounded
        np.testing.assert_allclose(stored.predict(x), expected, atol=5e-3)
    assert stored.to_arrays()["number"].dtype == np.float16


def test_forests_of_unequal_and_large_trees_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_predict.trees._AT_ONCE", 2000)
    x = RNG.normal(size=(700, 4)).astype(np.float32)
    y = np.sin(3 * x[:, 0]) + x[:, 1]
    trees = [DecisionTreeRegressor(max_leaf_nodes=size, random_state=0).fit(x, y) for size in (2, 3, 400)]
    trees.append(DecisionTreeRegressor().fit(x, np.full(len(x), 2.0)))  # a mere leaf
    forest = Forest.from_trees([tree.tree_ for tree in trees], [1.0, -2.0, 0.5, 1.0], 3.0)
    expected = 3.0 + sum(w * tree.predict(x) for w, tree in zip([1.0, -2.0, 0.5, 1.0], trees, strict=True))
    np.testing.assert_allclose(forest.predict(x), expected, atol=1e-5)
    assert forest.predict(x[:0]).shape == (0,)
    assert forest.depth == max(tree.get_depth() for tree in trees)


def test_a_value_at_the_threshold_goes_left() -> None:
    tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [5.0, 7.0])
    forest = Forest.from_trees([tree.tree_], [1.0])
    assert forest.predict(np.array([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))]])).tolist() == [5.0, 7.0]


def test_nodes_follow_each_other_as_the_arrays_promise() -> None:
    x = RNG.normal(size=(60, 3)).astype(np.float32)
    forest, _ = grown(x, x[:, 0], False)
    inner = forest.feature >= 0
    assert (forest.value[inner] == 0).all()
    assert (forest.left[~inner] == np.flatnonzero(~inner)).all()
    assert np.isinf(forest.threshold[~inner]).all()
    children = np.concatenate([forest.left[inner], forest.left[inner] + 1, forest.roots])
    np.testing.assert_array_equal(np.sort(children), np.arange(len(inner)))  # every node has one parent, or is a root


def test_a_stored_forest_is_the_same_but_for_half_precision() -> None:
    x = RNG.normal(size=(80, 3)).astype(np.float32)
    forest, _ = grown(x, x[:, 0], True)
    again = Forest.from_arrays(forest.to_arrays())
    for name in ("roots", "feature", "left"):
        np.testing.assert_array_equal(getattr(again, name), getattr(forest, name))
        assert getattr(again, name).dtype == getattr(forest, name).dtype
    np.testing.assert_allclose(again.value, forest.value, rtol=1e-3, atol=1e-6)
    assert (again.depth, again.offset) == (forest.depth, pytest.approx(forest.offset))


def test_a_tree_whose_children_lie_too_far_away_is_not_stored() -> None:
    count = 2**16 + 3
    left = np.arange(count, dtype=np.int32)
    left[0] = 2**16
    feature = np.full(count, -1, dtype=np.int16)
    feature[0] = 0
    some = np.zeros(count, dtype=np.float32)
    forest = Forest(np.zeros(1, dtype=np.int32), feature, some, left, some, 1)
    with pytest.raises(ValueError, match=r"^a tree is too large to store$"):
        forest.to_arrays()
    left[0] = 2**16 - 1
    assert forest.to_arrays()["step"][0] == 2**16 - 1
