"""``cg bench latency`` on a small table."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

import cg_ir
from cg_bench.latency import latency_rows
from cg_ir.cli import main
from cg_predict.roofline import roofline


@pytest.mark.slow
def test_bench_latency_on_a_small_table(capsys, tmp_path, family, monkeypatch):
    monkeypatch.setattr("cg_bench.latency._FOLDS", 3)
    monkeypatch.setattr("cg_bench.latency._DEVICE_FOLDS", 2)
    graphs, _ = family
    graphs = graphs[:100]
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
