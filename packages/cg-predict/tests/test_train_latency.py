"""Training the device models: folds of whole groups, what is measured, and what is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from predict_test_networks import machine

from cg_predict.device_model import DeviceModel
from cg_predict.latency_tables import DEVICES, Measured
from cg_predict.roofline import roofline
from cg_predict.train_latency import folds, left_out, model_card, train


@pytest.fixture(autouse=True)
def few_trees_and_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_predict.device_model._TREES", 4)
    monkeypatch.setattr("cg_predict.train_latency._FOLDS", {"timm": 3, "nb201": 2})


@pytest.fixture(scope="module")
def measured(family) -> Measured:
    """Sixty networks in twenty groups on a phone."""
    columns = roofline(family[0][:60])
    number = np.arange(60)
    device = next(d for d in DEVICES if d.name == "pixel3")
    return Measured(device, columns, machine(columns, noise=0.05), number, (number // 3).astype(str), columns[:, 0])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_folds_keep_groups_together_and_are_of_like_size(count: int) -> None:
    groups = np.random.default_rng(0).integers(0, 21, 200).astype(str)
    fold = folds(groups, count)
    assert set(fold.tolist()) == set(range(count))
    for group in set(groups.tolist()):
        assert len(set(fold[groups == group].tolist())) == 1
    sizes = [len(set(groups[fold == k].tolist())) for k in range(count)]
    assert max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(folds(groups, count), fold)
    assert not np.array_equal(folds(groups, count, seed=1), fold)


def test_every_row_is_told_by_a_model_that_has_not_seen_its_group(measured: Measured) -> None:
    told = left_out(measured, 3)
    fold = folds(measured.group, 3)
    for k in range(3):
        model = DeviceModel.fit(measured.columns[fold != k], measured.ms[fold != k])
        np.testing.assert_allclose(told[fold == k], model.predict(measured.columns[fold == k]))


def test_a_checkpoint_says_how_far_networks_left_out_were_off(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cg_predict.train_latency._SAMPLE", 45)
    other = replace(measured, device=DEVICES[0], group=np.array([f"module {g}" for g in measured.group]))
    config, arrays = train([measured, other], seed=3)
    assert config["devices"] == ["pixel3", "i7_12700h"]
    facts = config["card"]["devices"]
    assert [facts[name]["rows"] for name in config["devices"]] == [45, 60]  # of the cells a sample is learned from
    errors = np.abs(np.log(left_out(other, 3, 3) / other.ms))
    assert facts["i7_12700h"]["spread"] == pytest.approx(np.quantile(errors, 0.9), abs=1e-4)
    assert facts["i7_12700h"]["median_error"] == pytest.approx(np.expm1(np.median(errors)), abs=1e-4)
    assert facts["i7_12700h"]["within_10"] == pytest.approx(np.mean(np.exp(errors) < 1.1), abs=1e-4)
    own = {key.removeprefix("i7_12700h/"): value for key, value in arrays.items() if key.startswith("i7_12700h/")}
    np.testing.assert_allclose(
        DeviceModel.from_arrays(own).predict(other.columns),
        DeviceModel.fit(other.columns, other.ms, seed=3).predict(other.columns),
        rtol=0.02,
    )
    lines = model_card(config, [measured, other]).splitlines()
    row = next(
        line for line in lines if line.startswith("| i7_12700h | Intel Core i7-12700H, float32, compiled | 60 |")
    )
    assert row.endswith(f"| {np.expm1(facts['i7_12700h']['spread']):.0%} |")
