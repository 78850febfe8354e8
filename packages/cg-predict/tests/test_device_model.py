"""A model of one machine, on a made-up one."""

from __future__ import annotations

import numpy as np
import pytest
from predict_test_networks import machine

from cg_ir import GraphBuilder
from cg_predict.device_model import DeviceModel, _trees_count
from cg_predict.roofline import COLUMNS, roofline


def test_a_kind_that_was_never_measured_costs_what_is_like_it():
    def network(groups, channels, layers=1):
        b = GraphBuilder("network")
        x = b.add("Conv", b.input((1, 3, 8, 8)), channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        for _ in range(layers):
            x = b.add("Conv", x, channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1), group=groups or channels)
        b.output(x)
        return b.build()

    plain = roofline([network(1, width, 1 + width % 4) for width in range(8, 200, 3)])
    depthwise = roofline([network(0, 64)])
    ms = 1e-6 * plain[:, COLUMNS.index("macs/convk")] + 0.05 * plain[:, COLUMNS.index("launches/convk")]
    model = DeviceModel.fit(plain, ms)
    assert model.coefficients[COLUMNS.index("launches/depthwise")] > 0
    assert model.computed(depthwise)[0] < model.computed(roofline([network(1, 64)]))[0]


def test_trees_learn_what_the_roofline_leaves_over(family):
    graphs, _ = family
    columns = roofline(graphs)
    slow = np.array([any(n.op == "Add" for n in g.nodes) for g in graphs])
    ms = machine(columns) * np.where(slow, 1.4, 1.0)
    model = DeviceModel.fit(columns[:120], ms[:120])
    rest = slice(120, None)
    error = np.median(np.abs(model.predict(columns[rest]) / ms[rest] - 1))
    assert error < 0.7 * np.median(np.abs(model.computed(columns[rest]) / ms[rest] - 1))
    back = DeviceModel.from_arrays(model.to_arrays())
    np.testing.assert_allclose(back.predict(columns), model.predict(columns), rtol=0.02)


def test_intervals_grow_beyond_what_was_measured(family):
    graphs, _ = family
    columns = roofline(graphs)
    model = DeviceModel.fit(columns, machine(columns), spread=0.1)
    assert (model.beyond(columns) == 0).all()
    assert (model.half_width(columns) == 0.1).all()
    assert model.half_width(roofline(graphs, 64)).mean() > 1.0


def test_a_model_comes_back_from_its_arrays(family) -> None:
    columns = roofline(family[0])
    model = DeviceModel.fit(columns, machine(columns, noise=0.3), spread=0.2)
    again = DeviceModel.from_arrays(model.to_arrays())
    np.testing.assert_allclose(again.predict(columns), model.predict(columns), rtol=0.02)
    np.testing.assert_allclose(again.half_width(3 * columns), model.half_width(3 * columns), rtol=1e-4)
    np.testing.assert_array_equal(again.coefficients, model.coefficients)
    assert again.spread == model.spread


def test_trees_that_do_not_help_are_not_heard(family) -> None:
    """What the roofline leaves over is noise alone."""
    columns = roofline(family[0])
    rest = np.random.default_rng(0).normal(0, 0.3, len(columns))
    features = np.random.default_rng(1).normal(size=(len(columns), 4)).astype(np.float32)
    assert _trees_count(features, rest, 0) == 0.0
    assert _trees_count(features, 0.2 * np.sign(features[:, 0].astype(float)), 0) == 1.0
    assert _trees_count(features[:5], rest[:5], 0) == 1.0  # too few to leave any out


def test_extrapolation_is_told_in_e_folds_of_work_traffic_weights_and_launches(family) -> None:
    columns = roofline(family[0][:20])
    model = DeviceModel.fit(columns, machine(columns))
    assert not model.beyond(columns).any()
    work = [i for i, name in enumerate(COLUMNS) if name.startswith("macs/")]
    more = columns[[columns[:, work].sum(axis=1).argmax()]].copy()
    more[:, work] *= np.e**2
    assert model.beyond(more)[0] == pytest.approx(2.0, abs=1e-3)
    assert model.half_width(more)[0] == pytest.approx(0.01 + 0.3 * 2.0, abs=1e-3)
    few = columns[[columns[:, work].sum(axis=1).argmin()]].copy()
    few[:, work] /= np.e
    assert model.beyond(few)[0] == pytest.approx(1.0, abs=0.01)


def test_a_machine_takes_some_time_whatever_it_does_not_do(family) -> None:
    columns = roofline(family[0][:20])
    model = DeviceModel.fit(columns, machine(columns))
    assert (model.computed(np.zeros((1, len(COLUMNS)))) > 0).all()
