"""``cg latency`` as a user runs it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from cg_ir.cli import main


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


def test_a_ranking_by_tiny_milliseconds_tells_them_apart(files, capsys):
    code, out, err = run(capsys, "rank", *files[:2], "--scorer", "latency@rtx5090", "--json")
    assert code == 0, err
    scores = [row["score"] for row in json.loads(out)["ranking"]]
    out = run(capsys, "rank", *files[:2], "--scorer", "latency@rtx5090")[1]
    assert max(map(abs, scores)) < 0.1
    digits = [word for word in out.split() if word.startswith("-0.0")]
    assert any(float(word) == pytest.approx(scores[0], rel=0.01) for word in digits)
