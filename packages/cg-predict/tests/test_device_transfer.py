"""A machine from a few measurements and models of others."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from cg_predict.device_transfer import BEFORE, DeviceTransfer, NearMachine, _Kernels, most_telling
from cg_predict.time_sum import fit_coefficients


def weight_as_mean(near, machine):
    bases = np.array([combination.base for combination in near.combinations])
    return near.weights[bases == machine].sum()


def test_transfer_finds_the_machine_that_is_alike():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(200, 3)) + rng.normal(size=(200, 1))
    measured = known[:, 1] + 2.0 + 0.01 * rng.standard_normal(200)
    transfer = DeviceTransfer(known[:6], measured[:6])
    assert weight_as_mean(transfer.near, 1) > 0.9
    mean, deviation = transfer.predict(known[6:])
    assert np.median(np.abs(mean - measured[6:])) < 0.05
    assert (np.abs(mean - measured[6:]) < 1.6449 * deviation).mean() > 0.8
    few, many = (DeviceTransfer(known[:n], measured[:n]).predict(known[180:])[1].mean() for n in (6, 160))
    assert many < few


def test_an_ideal_machine_is_no_mean():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(40, 3))
    near = NearMachine(known, known[:, 2], ideal=1)
    assert weight_as_mean(near, 2) == 0
    assert near.weights.sum() == pytest.approx(1)


def test_the_process_says_of_a_measurement_what_it_says_without_it(monkeypatch):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(30, 2))
    measured = known @ [0.7, 0.4] + 1.0 + 0.05 * rng.standard_normal(30)
    monkeypatch.setattr("cg_predict.device_transfer._NOISE", (0.08,))
    monkeypatch.setattr("cg_predict.device_transfer._SLOPES", (0.4,))
    monkeypatch.setattr("cg_predict.device_transfer._SMOOTH", (0.2,))
    monkeypatch.setattr("cg_predict.device_transfer._LENGTHS", (1.0,))
    told = NearMachine(known, measured, ideal=1).left_out()
    others = np.arange(30) != 3
    assert NearMachine(known[others], measured[others], ideal=1).predict(known[3:4])[0] == pytest.approx(told[3])


def test_a_machine_that_is_made_of_two_is_found():
    rng = np.random.default_rng(0)
    times = np.exp(rng.normal(size=(220, 3)))
    measured = np.log(0.5 * times[:, 0] + 2.0 * times[:, 2] + 0.3)
    transfer = DeviceTransfer(np.log(times[:20]), measured[:20])
    assert transfer.share > 0.9
    mean, deviation = transfer.predict(np.log(times[20:]))
    assert np.median(np.abs(mean - measured[20:])) < 0.01
    assert (np.abs(mean - measured[20:]) < 1.6449 * deviation).mean() > 0.8
    assert DeviceTransfer(np.log(times[:3]), measured[:3]).share == 0


def test_suggestions_take_most_from_the_variance_of_all():
    known = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 3.0], [3.0, 3.0], [-2.0, -2.0]])
    assert sorted(most_telling(known, 3)) in ([0, 2, 4], [1, 2, 4], [0, 3, 4], [1, 3, 4])
    assert most_telling(known, 1, known[2:3]) != [2]
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.normal(size=(60, 2)), [[9.0, -9.0]]])

    def left(own):
        k = _Kernels(known, known)(BEFORE)
        solved = np.linalg.solve(k[np.ix_(own, own)] + BEFORE.noise**2 * np.eye(len(own)), k[own])
        return np.trace(k - k[:, own] @ solved)

    chosen = most_telling(known, 4)
    assert left(chosen) < np.quantile([left(rng.choice(61, 4, replace=False)) for _ in range(50)], 0.1)
    every = [left([i]) for i in range(61)]
    assert chosen[0] == int(np.argmin(every))
    assert most_telling(known, 2, known[chosen[:2]])[0] == chosen[2]


def likelihoods(known: np.ndarray, measured: np.ndarray, ideal: int) -> np.ndarray:
    """The logarithm of every combination's marginal likelihood, by its definition."""
    found = []
    product_ = known @ known.T / known.shape[1]
    distance = ((known[:, None] - known[None]) ** 2).mean(axis=2)
    for base in range(known.shape[1] - ideal):
        for slope, smooth, length, noise in product(
            (0.02, 0.1, 0.4), (0.05, 0.2), (0.3, 1.0, 3.0), (0.01, 0.03, 0.08, 0.2)
        ):
            k = (
                25.0
                + slope**2 * product_
                + smooth**2 * np.exp(-distance / 2 / length**2)
                + noise**2 * np.eye(len(known))
            )
            found.append(multivariate_normal(cov=k).logpdf(measured - known[:, base]))
    return np.array(found)


def test_combinations_are_weighed_by_their_marginal_likelihood() -> None:
    rng = np.random.default_rng(3)
    known = rng.normal(size=(9, 3))
    measured = known[:, 0] + 0.1 * rng.normal(size=9) + 1.0
    near = NearMachine(known, measured, ideal=1)
    likelihood = likelihoods(known, measured, 1)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    kept = weights[weights >= min(0.005, weights.max())]
    np.testing.assert_allclose(np.sort(near.weights), np.sort(kept / kept.sum()), rtol=1e-5)
    assert {c.base for c in near.combinations} <= {0, 1}


def test_of_many_measurements_a_part_weighs_the_combinations_and_all_are_learned_from() -> None:
    rng = np.random.default_rng(4)
    known = rng.normal(size=(320, 2))
    measured = known[:, 0] + np.sin(2 * known[:, 1]) * 0.2 + 0.01 * rng.normal(size=320)
    near = NearMachine(known, measured)
    part = NearMachine(known[::3], measured[::3])
    assert near.combinations == part.combinations
    np.testing.assert_allclose(near.weights, part.weights)
    error = [np.abs(m.predict(known)[0] - measured).mean() for m in (near, part)]
    assert error[0] < error[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_fewer_than_four_measurements_only_one_view_is_taken(count: int) -> None:
    known = np.random.default_rng(0).normal(size=(10, 3))
    transfer = DeviceTransfer(known[:count], known[:count, 0] + 1.0)
    assert transfer.share == 0.0
    for ours, near in zip(transfer.predict(known), transfer.near.predict(known), strict=True):
        np.testing.assert_array_equal(ours, near)


def test_the_two_views_are_mixed_by_their_share() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=(30, 3))
    measured = np.log(np.exp(known) @ [0.5, 0.2, 0.0] + 0.3) + 0.02 * rng.normal(size=30)
    transfer = DeviceTransfer(known[:20], measured[:20])
    assert 0.0 < transfer.share < 1.0
    machines = np.column_stack([np.exp(known), np.ones(30)])
    made = np.log(machines[20:] @ fit_coefficients(machines[:20], np.exp(measured[:20])))
    near, deviation = transfer.near.predict(known[20:])
    mean, std = transfer.predict(known[20:])
    np.testing.assert_allclose(mean, transfer.share * made + (1 - transfer.share) * near)
    draws = rng.random((4000, 10)) < transfer.share
    values = np.where(
        draws,
        made + transfer._deviation * rng.normal(size=draws.shape),
        near + deviation * rng.normal(size=draws.shape),
    )
    np.testing.assert_allclose(values.std(axis=0), std, rtol=0.1)


def test_suggestions_are_distinct_and_take_account_of_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.normal(size=(20, 2)), 6 + rng.normal(size=(20, 2))])
    assert len(set(most_telling(known, 15))) == 15
    measured = most_telling(known, 2, known[:20])
    assert all(i >= 20 for i in measured)  # of the others nothing is known yet
    assert most_telling(known[:1], 1) == [0]
