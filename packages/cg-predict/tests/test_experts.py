"""What one family's labels teach, and how it is stored."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from cg_predict.experts import (
    KNOWN,
    KNOWN_OF_A_ZOO,
    Expert,
    Source,
    _pack,
    _slices,
    _unpack,
    rank_correlations,
    representatives,
    slice_of,
    train_expert,
)
from cg_predict.metrics import spearman
from cg_predict.pool import GRID, PoolScale
from cg_predict.targets import normal_scores

GROUPS = ("plain", "paths", "signal", "pairs", "stages")


def source(zoo: bool = False, count: int = 100) -> Source:
    """Networks whose labels rise with two descriptors; the last column is constant."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 5)).astype(np.float32) * [1.0, 3.0, 0.5, 1.0, 0.0] + [0, 9, 1, 0, 2]
    labels = x[:, 0] + 0.3 * (x[:, 1] - 9) + 0.05 * rng.normal(size=count)
    vectors = rng.normal(size=(count, 3)).astype(np.float32)
    names = tuple(f"space:{i}" for i in range(count))
    zoo_labels = 70 + 5 * labels if zoo else None
    return Source("table", "family", x.astype(np.float32), normal_scores(labels), vectors, names, "acc", zoo_labels)


@cache
def trained(zoo: bool) -> Expert:
    return train_expert(source(zoo), GROUPS, seed=0)


def test_rank_correlations_are_spearmans() -> None:
    x = np.random.default_rng(0).normal(size=(500, 3)) @ np.random.default_rng(1).normal(size=(3, 3))
    ranks = (rankdata(x, axis=0) - 0.5) / len(x) - 0.5
    expected = np.array([[spearman(x[:, i], x[:, j]) for j in range(3)] for i in range(3)])
    np.testing.assert_allclose(rank_correlations(ranks), expected, atol=1e-5)
    ranks[:, 1] = 0.0  # what is constant correlates with nothing, itself included
    found = rank_correlations(ranks)
    assert not found[1].any()
    assert not found[:, 1].any()
    assert found[0, 0] == pytest.approx(1.0)


def test_representatives_are_the_farthest_from_those_before() -> None:
    x = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    x[7] = [30.0, -30.0]
    chosen = representatives(x, 20).tolist()
    z = PoolScale(x).standardise_all(x).astype(float)
    assert chosen[0] == np.linalg.norm(z, axis=1).argmin()
    for place in range(1, 20):
        gaps = cdist(z, z[chosen[:place]]).min(axis=1)
        assert gaps[chosen[place]] == pytest.approx(gaps.max())
    assert 7 in chosen
    assert sorted(representatives(x[:5], 20).tolist()) == [0, 1, 2, 3, 4]


def test_a_part_of_a_source_is_its_rows() -> None:
    whole, rows = source(zoo=True), np.array([5, 2, 9])
    part = whole.part(rows)
    for name in ("x", "scores", "vectors", "zoo"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows])
    assert part.names == ("space:5", "space:2", "space:9")
    assert (part.name, part.family, part.metric) == ("table", "family", "acc")
    bare = Source("t", "f", whole.x, whole.scores, whole.vectors).part(rows)
    assert (bare.names, bare.zoo) == ((), None)


def test_trees_see_the_whole_and_slices_each_ranked_in_itself() -> None:
    whole = source()
    ranks, scores = _slices(whole, np.random.default_rng(0))
    count = len(whole.x)
    own = PoolScale(whole.x).ranks(whole.x)
    first = {tuple(row) for row in ranks[:count]}
    assert first == {tuple(row) for row in own}
    assert len(ranks) == len(scores) > 3 * count  # nine slices of 60 to 150
    rest = ranks[count:]
    assert np.abs(rest).max() <= 0.5
    np.testing.assert_array_equal(rest * GRID, np.round(rest * GRID))
    zoo, _ = _slices(source(zoo=True), np.random.default_rng(0))
    assert len(zoo) == count  # a zoo has parts of every kind in it


@pytest.mark.parametrize(("count", "least"), [(200, 0.15), (200, 0.9), (40, 0.1)])
def test_a_slice_lies_between_two_values_of_one_column(count: int, least: float) -> None:
    x, rng = np.round(source(count=count).x, 1), np.random.default_rng(0)
    for _ in range(20):
        rows = slice_of(x, least, rng)
        assert len(set(rows.tolist())) == len(rows) >= max(int(least * count), min(60, count))
        others = np.delete(x, rows, axis=0)
        low, high = x[rows].min(axis=0), x[rows].max(axis=0)
        assert (~((others > low) & (others < high)).any(axis=0) & (low < high)).any()


@pytest.mark.parametrize("zoo", [False, True])
def test_an_expert_ranks_its_family_and_comes_back_from_its_arrays(zoo: bool) -> None:
    made, expert = source(zoo), trained(zoo)
    assert (expert.family, expert.zoo) == ("family", zoo)
    assert len(expert.known) == len(expert.names) == min(KNOWN_OF_A_ZOO if zoo else KNOWN, len(made.x))
    said = {
        "absolute": expert.absolute.predict(made.x),
        "relative": expert.relative.predict(PoolScale(made.x).ranks(made.x)),
        "anchored": expert.anchored(made.x),
    }
    for kind, values in said.items():
        assert spearman(values, made.scores) > 0.9, kind
    assert not expert.correlations[3].any()  # pairs of operators are not compared
    assert not expert.correlations[4].any()  # nor what is constant
    assert expert.relevance["descriptors"].argmax() in (0, 1)
    again = Expert.from_arrays("family", expert.names, expert.to_arrays())
    for values, stored in (
        (said["anchored"], again.anchored(made.x)),
        (said["absolute"], again.absolute.predict(made.x)),
    ):
        assert np.corrcoef(values, stored)[0, 1] > 0.995  # thresholds and points are in half precision
        assert np.median(np.abs(values - stored)) < 0.02
    np.testing.assert_allclose(again.effects.precision, expert.effects.precision, atol=1e-3)
    np.testing.assert_allclose(again.known, expert.known, rtol=1e-3, atol=1e-3)
    assert (again.names, again.zoo) == (expert.names, zoo)


def test_trees_on_ranks_read_no_stages_and_no_pairs() -> None:
    expert = trained(zoo=False)
    assert set(expert.relative.trees.feature.tolist()) <= {-1, 0, 1, 2}
    assert set(expert.absolute.trees.feature.tolist()) & {3}


@pytest.mark.parametrize("size", [1, 2, 7])
def test_symmetric_matrices_are_stored_by_their_upper_half(size: int) -> None:
    raw = np.random.default_rng(0).uniform(-1, 1, (size, size))
    matrix = (raw + raw.T) / 2
    packed = _pack(matrix)
    assert packed.shape == (size * (size + 1) // 2,)
    np.testing.assert_allclose(_unpack(packed), matrix, atol=1e-3)
