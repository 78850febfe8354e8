"""Latency on known machines and on one's own: what ships, is fitted, saved and refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from predict_test_networks import machine

from cg_embed.checkpoint import write_checkpoint
from cg_ir import CgError, GraphBuilder, get_scorer
from cg_predict import LatencyPredictor
from cg_predict.latency import known_devices
from cg_predict.latency_tables import DEVICES
from cg_predict.roofline import roofline

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
