"""Descriptors on the scale of a pool."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from cg_predict.pool import CLIP, GRID, PoolScale


def pool(count: int = 60) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(count, 4)) * [1.0, 50.0, 1e-3, 1.0] + [0.0, 300.0, 2.0, 1e9]
    x[:, 3] = 1e9 + np.random.default_rng(1).normal(size=count)  # varies by less than a millionth of itself
    return x


def test_columns_are_told_in_the_pools_deviations() -> None:
    x = pool()
    scale = PoolScale(x)
    assert scale.varies.tolist() == [True, True, True, False]
    z = scale.standardise(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, ((x - x.mean(axis=0)) / x.std(axis=0))[:, :3].clip(-CLIP, CLIP), rtol=1e-4, atol=1e-5)
    far = x[:2] + np.array([[1e3], [-1e6]])
    assert scale.standardise(far)[:, 0].tolist() == [CLIP, -CLIP]
    whole = scale.standardise_all(x)
    assert whole.shape == x.shape
    np.testing.assert_array_equal(whole[:, :3], z)
    assert not whole[:, 3].any()
    assert scale.deviation[3] == 1.0


def test_ranks_count_what_lies_below_and_half_of_what_is_equal() -> None:
    x = np.array([[1.0], [2.0], [2.0], [5.0]])
    scale = PoolScale(x)
    assert scale.ranks(np.array([[0.0], [1.0], [1.5], [2.0], [5.0], [9.0]]))[:, 0].tolist() == [
        -0.5, -0.375, -0.25, 0.0, 0.375, 0.5,
    ]  # fmt: skip
    many = pool(500)
    ranks = PoolScale(many).ranks(many)
    np.testing.assert_allclose(ranks[:, 0], (rankdata(many[:, 0]) - 0.5) / 500 - 0.5, atol=0.51 / GRID)
    assert not ranks[:, 3].any()
    np.testing.assert_array_equal(ranks * GRID, np.round(ranks * GRID))


def test_large_pools_are_looked_at_evenly() -> None:
    x = np.linspace(0.0, 1.0, 10_000)[:, None] * [1.0, 2.0]
    scale = PoolScale(x)
    np.testing.assert_allclose(scale.mean, [0.5, 1.0], atol=1e-3)
    assert len(scale._sorted) == 4096
    assert (scale._sorted[0, 0], scale._sorted[-1, 1]) == (0.0, 2.0)
    exact = PoolScale(x[:4096])
    np.testing.assert_allclose(exact.mean, x[:4096].mean(axis=0))


RNG = np.random.default_rng(0)


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
