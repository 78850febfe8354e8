"""``cg bench latency``: what is compared, the page, and the command on a small table."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace

import numpy as np
import pytest

import cg_ir
from cg_bench.latency import LINE, _forest, _judged, _line, latency_rows, noise, run, write_report
from cg_ir.cli import main
from cg_predict.latency_tables import Device, Measured
from cg_predict.roofline import roofline


@pytest.mark.slow
def test_bench_latency_on_a_small_table(capsys, tmp_path, family, monkeypatch):
    monkeypatch.setattr("cg_bench.latency._FOLDS", 3)
    monkeypatch.setattr("cg_bench.latency._DEVICE_FOLDS", 2)
    graphs, _ = family
    graphs = graphs[:60]
    rng = np.random.default_rng(0)
    base = roofline(graphs).sum(axis=1) / 1e5 + 1
    cg_ir.save_set([g.renamed(f"net{i}@16") for i, g in enumerate(graphs)], tmp_path / "graphs.jsonl.gz")
    with gzip.open(tmp_path / "timm_latency.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["arch", "img_size", "device", "batch", "samples_per_s", "step_ms", "param_count", "timm_module"]
        )
        for device, factor in (("i7_12700h", 1.0), ("rtx4090", 0.1)):
            for i, ms in enumerate(base * factor * np.exp(0.03 * rng.standard_normal(len(graphs)))):
                writer.writerow([f"net{i}", 16, device, 1, 1e3 / ms, ms, graphs[i].params / 1e6, f"module{i % 20}"])
    arguments = ["--data", tmp_path, "--graphs", tmp_path / "graphs.jsonl.gz", "--table", "timm", "--draws", 1]
    command = ["bench", "latency", *map(str, arguments), "-o", str(tmp_path / "out")]
    assert main(command) == 0, capsys.readouterr().err
    rows = latency_rows(tmp_path / "out").rows
    ours = [r for r in rows if r["method"] == "ours" and r["part"] == "module families left out"]
    assert len(ours) == 2
    assert all(r["median_error"] < 0.1 for r in ours)
    few = [r for r in rows if r["method"] == "ours" and r["part"] == "known networks" and r["measurements"] == 10]
    assert np.mean([r["median_error"] for r in few]) < 0.1
    text = (tmp_path / "out" / "results.md").read_text()
    assert "| rtx4090 | ours |" in text
    assert main(command) == 0
    assert len(latency_rows(tmp_path / "out").rows) == len(rows)


def measured(count: int = 40, table: str = "timm", name: str = "here", seed: int = 0) -> Measured:
    """Networks whose latency is a power of their multiply-accumulates."""
    rng = np.random.default_rng(seed)
    macs = rng.uniform(1e6, 1e9, count)
    groups = np.array([f"g{i % 8}" for i in range(count)])
    return Measured(
        Device(name, name, table), np.exp(rng.normal(size=(count, 3))), 3e-5 * macs**0.7, np.arange(count), groups, macs
    )


def test_a_line_through_logarithms_is_that_of_least_squares():
    m = measured()
    noisy = m.ms * np.exp(0.1 * np.random.default_rng(1).normal(size=len(m)))
    slope, shift = np.polyfit(np.log(m.macs), np.log(noisy), 1)
    np.testing.assert_allclose(_line(m.macs, noisy, m.macs[:5]), np.exp(shift) * m.macs[:5] ** slope)
    np.testing.assert_allclose(_line(m.macs, m.ms, np.array([1e10])), 3e-5 * 1e10**0.7)
    same = np.full(4, 7.0)  # networks of one size: their geometric mean, whatever is asked for
    np.testing.assert_allclose(_line(same, np.array([1.0, 2.0, 4.0, 8.0]), np.array([7.0, 70.0])), 8**0.5)


def test_what_predictions_are_judged_by():
    found = _judged(np.array([1.05, 2.0, 2.5, 8.0]), np.array([1.0, 2.0, 3.0, 4.0]), 0.75)
    assert found == pytest.approx(
        {"median_error": (0.05 + 0.5 / 3) / 2, "within_10": 0.5, "spearman": 1.0, "coverage_90": 0.75}, abs=1e-9
    )


def test_noise_is_what_other_cells_of_the_same_network_tell():
    m = replace(measured(6), ms=np.array([1.0, 1.1, 1.4, 5.0, 2.0, 2.2]), network=np.array([0, 0, 0, 1, 2, 2]))
    errors = [1.25 / 1.0 - 1, 1.2 / 1.1 - 1, 1 - 1.05 / 1.4, 2.2 / 2.0 - 1, 1 - 2.0 / 2.2]
    assert noise(m) == pytest.approx(np.median(errors))
    assert np.isnan(noise(measured(6)))  # no network stands there twice


def test_a_forest_is_seeded_and_learns():
    m = measured(80)
    columns = np.stack([m.macs, m.macs**0.5], axis=1)
    found = _forest(columns[:60], m.ms[:60], columns[60:], 3)
    np.testing.assert_array_equal(found, _forest(columns[:60], m.ms[:60], columns[60:], 3))
    assert np.median(np.abs(found / m.ms[60:] - 1)) < 0.15


def latency_row(part, device, method, measurements, draw, error):
    return {
        "part": part, "device": device, "method": method, "measurements": measurements, "draw": draw, "median_error": error,
        "within_10": 0.5, "spearman": 0.98, "coverage_90": 0.9 if method == "ours" else float("nan"),
    }  # fmt: skip


def test_the_page_says_means_over_draws_and_whether_they_are_small_enough(tmp_path):
    left_out, new, known = "module families left out", "new networks", "known networks"
    rows = [latency_row(left_out, "rtx4090", "ours", 0, 0, 0.07), latency_row(left_out, "i9_10940x", "ours", 0, 0, 0.5)]
    rows += [latency_row(left_out, "rtx4090", "forest alone", 0, 0, 0.2)]
    rows += [latency_row(new, "rtx4090", "ours", 10, d, e) for d, e in enumerate((0.1, 0.12))]
    rows += [latency_row(known, "raspi4", "ours", 20, d, e) for d, e in enumerate((0.05, 0.1))]
    rows += [latency_row(known, "raspi4", "mean of other devices", 0, 0, 0.33)]
    cells = replace(measured(4, "nb201", "raspi4"), ms=np.array([1.0, 1.1, 2.0, 2.2]), network=np.array([0, 0, 1, 1]))
    write_report(tmp_path, [measured(40, "timm", "rtx4090"), cells], rows)
    text = (tmp_path / "results.md").read_text()
    asked = dict(
        line.strip("| ").rsplit(" | ", 1) for line in text.splitlines() if "most" in line and "| " in line[-8:]
    )
    assert asked == {
        "module families left out, rtx4090: median error at most 8% | 7.0%": "yes",
        "module families left out, i9_10940x: median error at most 11% | 50.0%": "no",
        "new networks, rtx4090, 10 measurements: median error at most 15% | 11.0%": "yes",
        "known networks, raspi4, 20 measurements: median error at most 6% | 7.5%": "no",
    }
    assert "rtx4090: Spearman at least 0.985 | 0.980 | no |" in text
    assert "i9_10940x: Spearman at least 0.975 | 0.980 | yes |" in text
    assert "| rtx4090 | forest alone | 20.0% | 50% | 0.980 |  |" in text
    assert "| rtx4090 | ours | 7.0% | 50% | 0.980 | 90% |" in text
    assert f"| raspi4 | {noise(cells):.1%} | 33.0% |" in text
    assert "a seeded sample of 4)." in text


def test_every_part_is_measured_once_and_goes_on(tmp_path, family, monkeypatch):
    """Two devices, of which one is three times as fast, and no noise: everything is told well, and by the right rows."""
    monkeypatch.setattr("cg_bench.latency._FOLDS", 2)
    monkeypatch.setattr("cg_bench.latency._DEVICE_FOLDS", 2)
    columns = roofline(family[0][:32])
    macs = np.array([g.macs for g in family[0][:32]], dtype=float)
    base = columns.sum(axis=1) / 1e5 + 1
    groups = np.array([f"g{i % 8}" for i in range(32)])
    tables = [
        Measured(Device(name, name, "timm"), columns, base * factor, np.arange(32), groups, macs)
        for name, factor in (("slow", 1.0), ("fast", 1 / 3))
    ]
    rows, said = latency_rows(tmp_path), []
    run(tables, rows, said.append, 1)
    assert said == [f"{device}: {part} left out" for part in ("networks", "device") for device in ("slow", "fast")]
    keys = {(r["part"], r["device"], r["method"], r["measurements"]) for r in rows.rows}
    methods = {"ours": (10,), "ours, suggested": (10,), "line through MACs": (10,), "forest alone": (10,)}
    methods["mean of other devices"] = (0,)
    for device in ("slow", "fast"):
        left_out = {
            ("module families left out", device, m, 0) for m in ("ours", "roofline alone", LINE, "forest alone")
        }
        parts = {(p, device, m, n) for p in ("new networks", "known networks") for m, ns in methods.items() for n in ns}
        assert {key for key in keys if key[1] == device} == left_out | parts  # 20 of 16 there are not
    errors = {(r["part"], r["device"], r["method"], r["measurements"]): r["median_error"] for r in rows.rows}
    for device, factor in (("slow", 1 / 3), ("fast", 3.0)):
        assert errors["known networks", device, "ours", 10] < 0.05
        assert errors["known networks", device, "mean of other devices", 0] == pytest.approx(abs(factor - 1), abs=0.2)
    run(tables, latency_rows(tmp_path), said.append, 1)
    assert len(latency_rows(tmp_path).rows) == len(rows.rows)
