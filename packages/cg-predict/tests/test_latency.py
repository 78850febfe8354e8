"""Latency: the roofline's columns by hand, device models on a made-up machine, transfer, and what ships."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cg_embed.checkpoint import write_checkpoint
from cg_ir import CgError, GraphBuilder, get_scorer
from cg_predict import LatencyPredictor
from cg_predict.device_model import DeviceModel
from cg_predict.device_transfer import BEFORE, DeviceTransfer, NearMachine, _Kernels, most_telling
from cg_predict.latency import known_devices
from cg_predict.latency_tables import DEVICES, _measured_key
from cg_predict.roofline import COLUMNS, roofline
from cg_predict.time_sum import fit_coefficients, left_out


def column(graph, name, batch=1):
    return roofline([graph], batch)[0, COLUMNS.index(name)]


def block():
    """A convolution with batch normalisation and ReLU, from 3 to 40 channels on 8 x 8."""
    b = GraphBuilder("block")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=40, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    b.output(b.add("Relu", b.add("BatchNormalization", x)))
    return b.build()


def test_columns_by_hand():
    graph = block()
    assert column(graph, "macs/convk") == graph.macs == 64 * 3 * 40 * 9
    assert column(graph, "tiled/convk") == 64 * 32 * 64 * 9  # channels in tiles of 32
    assert column(graph, "weights/convk") == 3 * 40 * 9
    assert column(graph, "moved/convk") == 64 * (3 + 40)
    assert column(graph, "moved/batchnorm") == 64 * 80
    assert column(graph, "fused/convk") == 64 * 3  # the result stays where it is until the ReLU writes it
    assert column(graph, "fused/batchnorm") == 0
    assert column(graph, "fused/pointwise") == 64 * 40
    assert column(graph, "launches/pointwise") == 1
    assert column(graph, "fused_launches") == 1
    assert column(graph, "levels") == 3
    traffic = 3 * 40 * 9 + 64 * 43
    assert column(graph, "bound4/convk") == max(graph.macs / 4, traffic)
    assert column(graph, "bound256/convk") == max(graph.macs / 256, traffic)


def test_the_batch_multiplies_activations_and_not_weights():
    graph = block()
    assert column(graph, "macs/convk", 8) == 8 * graph.macs
    assert column(graph, "weights/convk", 8) == column(graph, "weights/convk")
    assert column(graph, "launches/convk", 8) == 1


def test_what_hangs_on_no_input_does_not_grow():
    b = GraphBuilder("standardised")
    weight = b.add("Relu", b.add("Parameter", shape=(4, 3, 1, 1)))
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), weight, kernel_shape=(1, 1), channels=4))
    graph = b.build()
    assert column(graph, "standing", 16) == column(graph, "standing") == 24
    assert column(graph, "standing_launches") == 1


def test_a_recurrent_layer_launches_once_a_step():
    b = GraphBuilder("recurrent")
    b.output(b.add("LSTM", b.input((1, 20, 8)), hidden_size=8, batch_first=True, num_layers=2))
    graph = b.build()
    assert column(graph, "launches/recurrent") == 40
    assert column(graph, "weights/recurrent") == 20 * graph.params  # and reads its weights


def test_rows_do_not_depend_on_their_neighbours(family):
    graphs, _ = family
    together = roofline(graphs[:10])
    alone = np.concatenate([roofline([g]) for g in graphs[:10]])
    np.testing.assert_allclose(together, alone)


def machine(columns, seed=0, noise=0.0):
    """Milliseconds on a made-up machine: work, traffic and launches, each at a price."""
    prices = dict.fromkeys(COLUMNS, 0.0) | {
        "macs/convk": 2e-6,
        "fused/convk": 1e-5,
        "fused/pointwise": 2e-5,
        "launches/conv1": 0.01,
        "once": 0.1,
    }
    ms = columns @ np.array([prices[name] for name in COLUMNS])
    return ms * np.exp(noise * np.random.default_rng(seed).standard_normal(len(ms)))


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


def test_a_kind_that_was_never_measured_costs_what_is_like_it():
    def network(groups, channels):
        b = GraphBuilder("network")
        x = b.add("Conv", b.input((1, 3, 8, 8)), channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = b.add("Conv", x, channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1), group=groups or channels)
        b.output(x)
        return b.build()

    plain = roofline([network(1, width) for width in range(8, 200, 3)])
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


def test_merged_networks_stand_where_they_were_measured():
    networks = {("net", 8, merged): block() for merged in (False, True)}
    b = GraphBuilder("more")
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), channels=9000, kernel_shape=(3, 3), pads=(1, 1, 1, 1)))
    networks["net", 8, False] = b.build()
    row = {"arch": "net", "img_size": "8", "param_count": f"{networks['net', 8, True].params / 1e6:.2f}"}
    machines = {d.name: d for d in DEVICES}
    assert _measured_key(row, machines["rtx4090"], networks) == ("net", 8, True)
    assert _measured_key(row, machines["rtx3090"], networks) == ("net", 8, False)
    whole = row | {"param_count": f"{networks['net', 8, False].params / 1e6:.2f}"}
    assert _measured_key(whole, machines["rtx4090"], networks) == ("net", 8, False)


# --- what ships ----------------------------------------------------------------------------------------------------------


def test_every_device_ships_with_a_model_and_a_scorer(family):
    graphs, _ = family
    predictor = LatencyPredictor()
    assert set(predictor.devices) == {d.name for d in DEVICES} == set(known_devices())
    for name in predictor.devices:
        ms, low, high = LatencyPredictor(name).predict(graphs[:5], return_interval=True)
        assert (low > 0).all()
        assert (low < ms).all()
        assert (ms < high).all()
        np.testing.assert_allclose(get_scorer(f"latency@{name}").predict(graphs[:5]), -ms)


def test_more_work_takes_longer_and_rows_are_independent():
    graphs = [scaled(width) for width in (16, 64, 256)]
    for name in ("i9_10940x", "rtx4090"):
        predictor = LatencyPredictor(name)
        ms = predictor.predict(graphs)
        assert ms[0] < ms[1] < ms[2]
        np.testing.assert_allclose(predictor.predict(graphs[1:2]), ms[1:2])


def scaled(width):
    b = GraphBuilder(f"width {width}")
    x = b.input((1, 3, 112, 112))
    for _ in range(6):
        x = b.add("Conv", x, channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = b.add("Relu", b.add("BatchNormalization", x))
    b.output(x)
    return b.build()


def test_own_measurements_make_a_device_known(family, tmp_path):
    graphs, _ = family
    ms = machine(roofline(graphs), noise=0.02)
    predictor = LatencyPredictor("mine")
    with pytest.raises(CgError, match="nothing is known of the device 'mine'"):
        predictor.predict(graphs)
    chosen = predictor.suggest(graphs, 30)
    assert len(set(chosen)) == 30
    predictor.fit([graphs[i] for i in chosen], ms[chosen])
    rest = np.setdiff1d(np.arange(len(graphs)), chosen)
    others = [graphs[i] for i in rest]
    constant = np.median(np.abs(np.median(ms[chosen]) / ms[rest] - 1))
    assert -predictor.score(others, ms[rest]) < min(0.15, 0.5 * constant)
    predictor.save(tmp_path / "mine")
    np.testing.assert_allclose(LatencyPredictor.load(tmp_path / "mine").predict(others), predictor.predict(others))


def test_tables_and_devices_can_be_left_out(family):
    graphs, _ = family
    assert "pixel3" not in LatencyPredictor(exclude=("nb201",)).devices
    assert "rtx4090" in LatencyPredictor(exclude=("nb201", "rtx3090")).devices
    with pytest.raises(CgError, match="nothing is known of the device 'pixel3'"):
        LatencyPredictor("pixel3", exclude=("nb201",)).predict(graphs)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", 3), ("exclude", None), ("exclude", [1]), ("batch", "x"), ("batch", 0), ("devices", ["rtx4090"]), ("devices", None),
        ("others", np.zeros((2, 11), np.float32)), ("others", np.zeros((3, 11))), ("others", np.zeros(22)), ("log_ms", np.full(2, 1e300)),
        ("log_ms", np.zeros(0)), ("log_ms", None),
    ],
)  # fmt: skip
def test_a_saved_predictor_that_is_none_is_refused(tmp_path, key, value):
    config = {"device": "mine", "exclude": [], "batch": None, "devices": list(LatencyPredictor().devices)}
    arrays = {"others": np.zeros((2, len(config["devices"]))), "log_ms": np.zeros(2)}
    part = config if key in config else arrays
    part[key] = value
    if value is None and part is arrays:
        del part[key]
    write_checkpoint(tmp_path / "m", "latency of a device", config, arrays)
    with pytest.raises(CgError, match=r"is no saved latency predictor|starts from other known devices"):
        LatencyPredictor.load(tmp_path / "m")


def test_bad_requests_are_refused(family):
    graphs, _ = family
    with pytest.raises(CgError, match="batch 32 to 1024, not 1"):
        LatencyPredictor("rtx4090", batch=1).predict(graphs)
    with pytest.raises(CgError, match="positive"):
        LatencyPredictor("mine").fit(graphs[:2], [1.0, -1.0])
    with pytest.raises(CgError, match="between 1 and 3"):
        LatencyPredictor("mine").suggest(graphs[:3], 4)
    with pytest.raises(CgError, match="nothing to save"):
        LatencyPredictor("mine").save("nowhere")


def test_prediction_needs_no_torch():
    code = (
        "import sys; from cg_predict import LatencyPredictor; from cg_ir import GraphBuilder; b = GraphBuilder('x'); "
        "b.output(b.add('Conv', b.input((1, 3, 8, 8)), channels=8, kernel_shape=(1, 1))); "
        "LatencyPredictor('pixel3').predict([b.build()]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
