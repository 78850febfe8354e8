"""Time as a sum of columns."""

from __future__ import annotations

import numpy as np
import pytest
from predict_test_networks import machine
from scipy.optimize import linprog

from cg_predict.device_model import DeviceModel
from cg_predict.roofline import roofline
from cg_predict.time_sum import fit_coefficients, left_out


def test_the_roofline_finds_a_machine_of_its_kind(family):
    graphs, _ = family
    columns = roofline(graphs)
    ms = machine(columns)
    coefficients = fit_coefficients(columns[:80], ms[:80])
    assert (coefficients >= 0).all()
    np.testing.assert_allclose(columns[80:] @ coefficients, ms[80:], rtol=0.02)


def test_outliers_hardly_move_the_roofline(family):
    graphs, _ = family
    columns = roofline(graphs)
    ms = machine(columns, noise=0.02)
    ms[:10] *= 5
    errors = np.abs(columns[10:] @ fit_coefficients(columns, ms) / machine(columns)[10:] - 1)
    assert np.median(errors) < 0.05


def test_of_two_speeds_the_commoner_is_met(family):
    graphs, _ = family
    columns = roofline(graphs[:100])
    ms = machine(columns)
    slow = np.random.default_rng(0).random(len(ms)) < 0.35
    seen = ms * np.where(slow, 1.3, 1.0)
    assert np.median(np.abs(columns @ fit_coefficients(columns, seen) / ms - 1)) < 0.01
    model = DeviceModel.fit(columns, seen)  # nothing tells which are slow: trees would only blur
    assert np.median(np.abs(model.predict(columns) / ms - 1)) < 0.02


def test_rows_left_out_are_told_by_the_others(family):
    graphs, _ = family
    columns = roofline(graphs[:70])
    ms = machine(columns, noise=0.02)
    others = np.arange(70) % 30 != 4
    expected = columns[~others] @ fit_coefficients(columns[others], ms[others])
    np.testing.assert_allclose(left_out(columns, ms)[~others], expected)


@pytest.mark.parametrize("seed", range(4))
def test_errors_are_hardly_greater_than_the_least(seed: int) -> None:
    """Against the linear program of least absolute relative errors: c >= 0, -e <= columns c / ms - 1 <= e."""
    rng = np.random.default_rng(seed)
    columns = rng.uniform(0.1, 1.0, (40, 3))
    ms = columns @ [2.0, 0.0, 5.0] * np.exp(0.05 * rng.normal(size=40)) * np.where(rng.random(40) < 0.2, 1.5, 1.0)
    relative, eye = columns / ms[:, None], np.eye(40)
    bounds = np.block([[relative, -eye], [-relative, -eye]]), np.repeat([1.0, -1.0], 40)
    least = linprog(np.repeat([0.0, 1.0], [3, 40]), *bounds).fun
    found = fit_coefficients(columns, ms)
    assert (found >= 0).all()
    assert np.abs(relative @ found - 1).sum() < 1.05 * least


def test_units_of_columns_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    columns = rng.uniform(0.1, 1.0, (30, 3)) * [1.0, 1e9, 1e-6]
    ms = columns @ [3.0, 2e-9, 1e6]
    np.testing.assert_allclose(fit_coefficients(columns, ms), [3.0, 2e-9, 1e6], rtol=1e-4)
    with_none = np.column_stack([columns, np.zeros(30)])
    assert fit_coefficients(with_none, ms)[3] == 0.0


@pytest.mark.parametrize("rows", [4, 30, 65])
def test_left_out_rows_are_told_by_fits_to_the_others(rows: int) -> None:
    rng = np.random.default_rng(1)
    columns = rng.uniform(0.1, 1.0, (rows, 2))
    ms = columns @ [1.0, 2.0] * np.exp(0.2 * rng.normal(size=rows))
    found = left_out(columns, ms)
    for row in (0, rows - 1):
        others = [i for i in range(rows) if i % 30 != row % 30]
        expected = columns[row] @ fit_coefficients(columns[others], ms[others])
        assert found[row] == pytest.approx(expected)
