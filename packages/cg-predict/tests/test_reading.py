"""Networks of the command line, of lists and of labels are read alike: at the same input, with the same arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cg_ir import get_space, load, sources
from cg_ir.cli import main

pytest.importorskip("torch")
pytest.importorskip("cg_frontends")

NETWORKS = """
from torch import nn


def network(width, depth, kernel=3):
    layers = [nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, kernel, padding=kernel // 2), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def small(): return network(8, 1)
def deep(): return network(8, 4)
def wide(): return network(32, 1)
def large(): return network(24, 3, 5)
"""
NAMES = ("small", "deep", "wide", "large")
INPUT = "3x32x32"


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``cg``."""
    try:
        code = main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Sources in Python, the same as graph files at the input that the tests name, and labels of two of either kind."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORKS)
    for name in NAMES:
        assert run(capsys, "convert", f"net.py:{name}", "--input", INPUT, "-o", f"{name}.cg.json")[0] == 0
    Path("python.csv").write_text("arch,acc\nnet.py:small,60\nnet.py:deep,80\nnet.py:wide,70\n")
    Path("graphs.csv").write_text("arch,acc\nsmall.cg.json,60\ndeep.cg.json,80\nwide.cg.json,70\n")
    return [f"net.py:{name}" for name in NAMES]


def scores(text: str) -> list[tuple[str, float, str]]:
    return [(row["source"], row["score"], row["hash"]) for row in json.loads(text)["ranking"]]


def test_labelled_networks_are_read_as_the_ranked_ones(networks, capsys):
    code, out, err = run(capsys, "rank", *networks, "--input", INPUT, "--labels", "python.csv", "--json")
    assert code == 0, err
    other = run(capsys, "rank", *networks, "--input", INPUT, "--labels", "graphs.csv", "--json")[1]
    assert scores(out) == scores(other)


def test_a_saved_model_remembers_how_its_networks_were_read(networks, capsys):
    expected = run(capsys, "rank", *networks, "--input", INPUT, "--labels", "graphs.csv", "--json")[1]
    assert run(capsys, "fit", "--allow-python", "--labels", "python.csv", "--input", INPUT, "-o", "model")[0] == 0
    code, out, err = run(capsys, "rank", *networks, "--model", "model", "--json")
    assert code == 0, err
    assert scores(out) == scores(expected)
    assert "warning: the model was fitted" not in err


def test_another_input_than_the_models_is_warned_of(networks, capsys):
    assert run(capsys, "fit", "--allow-python", "--labels", "python.csv", "--input", INPUT, "-o", "model")[0] == 0
    code, _, err = run(capsys, "rank", *networks, "--model", "model", "--input", "3x64x64", "--json")
    assert code == 0
    assert f"fitted to networks read with --input {INPUT}" in err
    Path("model/reading.json").write_text("[]")
    code, _, err = run(capsys, "rank", *networks, "--model", "model")
    assert code == 2
    assert "reading.json: does not say" in err


def test_arguments_reach_labelled_networks_too(networks, capsys):
    Path("made.csv").write_text("arch,acc\nnet.py:network,60\nsmall.cg.json,50\n")
    given = ("--input", INPUT, "--args", '{"width": 16, "depth": 2}')
    code, out, err = run(capsys, "rank", "net.py:network", "small.cg.json", *given, "--labels", "made.csv", "--json")
    assert code == 0, err
    assert json.loads(out)["labels"] == 2


def test_vectors_are_those_of_the_network_at_its_input(networks, capsys):
    import numpy as np

    for kind, lines in (("python", networks), ("graphs", [f"{name}.cg.json" for name in NAMES])):
        Path(f"{kind}.txt").write_text("\n".join(lines) + "\n")
        code, _, err = run(
            capsys, "embed", "--allow-python", "--from", f"{kind}.txt", "--input", INPUT, "-o", f"{kind}.npz"
        )
        assert code == 0, err
    found = [np.load(f"{kind}.npz") for kind in ("python", "graphs")]
    vectors = [next(value for name, value in file.items() if value.ndim == 2) for file in found]
    assert np.array_equal(*vectors)


def test_a_grid_a_folder_and_a_table_of_arguments_name_networks(networks, capsys):
    grid = "net.py:network?width=8,16&depth=1,2"
    code, out, err = run(capsys, "rank", grid, "--input", INPUT, "--json")
    assert code == 0, err
    made = {row["source"]: row["hash"] for row in json.loads(out)["ranking"]}
    assert set(made) == {f"net.py:network?width={w}&depth={d}" for w in (8, 16) for d in (1, 2)}
    assert made["net.py:network?width=8&depth=1"] == load("small.cg.json").hash
    Path("runs.csv").write_text("width,depth,kernel,note,acc\n8,1,,x,60\n16,2,5,y,70\n8,4,3,z,80\n")
    code, out, err = run(capsys, "rank", grid, "--input", INPUT, "--labels", "runs.csv", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["fit"]["metric"] == "acc"
    labelled = {row["source"]: row["label"] for row in document["ranking"] if "label" in row}
    assert labelled == {"net.py:network?width=8&depth=1": 60.0}
    code, out, err = run(capsys, "rank", "net.py:network", "--from", "runs.csv", "--input", INPUT, "--json")
    assert code == 0, err
    assert len(json.loads(out)["ranking"]) == 3
    assert run(capsys, "fit", "net.py:network", "--labels", "runs.csv", "--input", INPUT, "-o", "model")[0] == 0
    code, out, err = run(capsys, "rank", ".", "--model", "model", "--json")
    assert code == 0, err
    assert {row["source"] for row in json.loads(out)["ranking"]} == {f"./{name}.cg.json" for name in NAMES} or {
        row["source"] for row in json.loads(out)["ranking"]
    } == {f"{name}.cg.json" for name in NAMES}


def test_mistakes_in_calls_are_named(networks, capsys):
    Path("runs.csv").write_text("breadth,acc\n8,60\n")
    Path("empty").mkdir()
    for given, message in (
        (["net.py:network?width"], r"should look like net.py:network?depth=3&width=32, not 'width'"),
        (["net.py:network?width=8&width=9"], "given twice"),
        (["net.py:network?width=8"], "missing 1 required positional argument: 'depth'"),
        (["net.py:small", "--input", "1x3x32x32"], "Leave it out: --input 3x32x32"),
        (["net.py:network?width=8&depth=1", "--labels", "runs.csv"], "or columns for the arguments of net.py:network"),
        (["empty"], "empty: holds no network"),
    ):
        code, _, err = run(capsys, "rank", *given, *([] if "--input" in given else ["--input", INPUT]))
        assert code == 2, given
        assert message in err, err


def test_rows_of_a_space_share_one_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space keeps what its networks share; one a row takes twenty times as long."""
    made: list[str] = []
    monkeypatch.setattr(sources, "get_space", lambda name: made.append(name) or get_space(name))
    reading = sources.Reading(space="natssize")
    assert [reading.graph(arch).name for arch in ("8:8:8:8:8", "64:8:16:24:32")] == [
        "natssize/8:8:8:8:8",
        "natssize/64:8:16:24:32",
    ]
    assert made == ["natssize"]
