"""``cg latency`` and ``cg bench latency`` as a user runs them."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np
import pytest

import cg_ir
from cg_ir.cli import main
from cg_predict.bench.latency import latency_rows
from cg_predict.roofline import roofline


@pytest.fixture(scope="module")
def files(tmp_path_factory, family):
    """Graph files of forty networks."""
    folder = tmp_path_factory.mktemp("networks")
    names = []
    for i, graph in enumerate(family[0][:40]):
        names.append(str(folder / f"{i}.cg.json"))
        graph.save(names[-1])
    return names


def run(capsys, *args: object):
    """Exit status, standard output and standard error of ``cg``."""
    try:
        code = main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


def test_predictions_of_known_devices(files, capsys):
    code, out, err = run(capsys, "latency", *files[:2], "--device", "pixel3", "--device", "rtx4090", "--json")
    assert code == 0, err
    rows = json.loads(out)["latency"]
    assert [(row["source"], row["device"]) for row in rows] == [
        (s, d) for d in ("pixel3", "rtx4090") for s in files[:2]
    ]
    assert all(row["interval"][0] < row["ms"] < row["interval"][1] for row in rows)
    assert "batch 1024" in rows[-1]["conditions"]
    code, out, err = run(capsys, "latency", files[0])
    assert code == 0
    assert all(name in out for name in ("i9_10940x", "raspi4", "fpga"))


def test_own_machine_from_measuring_to_predicting(files, capsys, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    code, out, err = run(capsys, "latency", *files, "--suggest", 6)
    assert code == 0, err
    chosen = out.split()
    assert len(set(chosen)) == 6
    assert set(chosen) <= set(files)
    code, _, err = run(capsys, "latency", *chosen, "--measure", "-o", tmp_path / "mine.csv")
    assert code == 0, err
    with open(tmp_path / "mine.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["arch"] for row in rows] == chosen
    assert all(float(row["ms"]) > 0 for row in rows)
    code, out, err = run(capsys, "latency", files[0], "--fit", tmp_path / "mine.csv", "--json")
    assert code == 0, err
    (row,) = json.loads(out)["latency"]
    assert row["conditions"] == "this machine, from 6 measurements"
    # the machine that runs this test is neither a thousand times faster nor slower than what was measured on it
    assert 1e-3 < row["ms"] / np.median([float(r["ms"]) for r in rows]) < 1e3


def test_onnxruntime_measures_too(files, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    code, out, err = run(capsys, "latency", files[0], "--measure", "--runtime", "onnxruntime", "--json")
    assert code == 0, err
    (row,) = json.loads(out)["measured"]
    assert 0 < row["interval"][0] <= row["ms"] <= row["interval"][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "abacus"], "nothing is known of the device 'abacus'"),
        (["--measure", "--device", "pixel3"], "leave --device"),
        (["-o", "x.csv"], "give --measure"),
        (["--device", "pixel3", "--batch", "4"], "batch 1, not 4"),
    ],
)
def test_bad_requests_are_one_line(files, capsys, options, message):
    code, out, err = run(capsys, "latency", files[0], *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_bench_latency_on_a_small_table(capsys, tmp_path, family, monkeypatch):
    monkeypatch.setattr("cg_predict.bench.latency._FOLDS", 3)
    monkeypatch.setattr("cg_predict.bench.latency._DEVICE_FOLDS", 2)
    graphs, _ = family
    graphs = graphs[:100]
    rng = np.random.default_rng(0)
    base = roofline(graphs).sum(axis=1) / 1e5 + 1
    cg_ir.save_set([g.renamed(f"net{i}@16") for i, g in enumerate(graphs)], tmp_path / "graphs.jsonl.gz")
    with gzip.open(tmp_path / "timm_latency.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "img_size", "device", "batch", "samples_per_s", "step_ms", "timm_module"])
        for device, factor in (("i7_12700h", 1.0), ("rtx4090", 0.1)):
            for i, ms in enumerate(base * factor * np.exp(0.03 * rng.standard_normal(len(graphs)))):
                writer.writerow([f"net{i}", 16, device, 1, 1e3 / ms, ms, f"module{i % 20}"])
    arguments = ["--data", tmp_path, "--graphs", tmp_path / "graphs.jsonl.gz", "--table", "timm", "--draws", 1]
    code, _, err = run(capsys, "bench", "latency", *arguments, "-o", tmp_path / "out")
    assert code == 0, err
    rows = latency_rows(tmp_path / "out").rows
    ours = [r for r in rows if r["method"] == "ours" and r["part"] == "module families left out"]
    assert len(ours) == 2
    assert all(r["median_error"] < 0.1 for r in ours)
    few = [r for r in rows if r["method"] == "ours" and r["part"] == "known networks" and r["measurements"] == 10]
    assert np.mean([r["median_error"] for r in few]) < 0.1
    text = (tmp_path / "out" / "results.md").read_text()
    assert "| rtx4090 | ours |" in text
    again = run(capsys, "bench", "latency", *arguments, "-o", tmp_path / "out")
    assert again[0] == 0
    assert len(latency_rows(tmp_path / "out").rows) == len(rows)
