"""The command ``cg corpus``."""

from __future__ import annotations

import json
import sys

import pytest

import cg_ir
from cg_embed.corpus import RANDOM, TORCHVISION
from cg_embed.corpus_commands import _counted
from cg_ir import hash_all
from cg_ir.cli import main


def run(*args: str) -> int:
    try:
        main(list(args))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command(tmp_path, capsys):
    out = tmp_path / "corpus.jsonl.gz"
    assert run("corpus", "--graphs", "12", "--source", RANDOM, "-o", str(out), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sources"] == {RANDOM: 12}
    assert told["drawn"] == told["draws"][RANDOM] >= 12
    assert len(set(hash_all(list(cg_ir.load_set(out))))) == 12
    first = out.read_bytes()
    assert run("corpus", "--graphs", "12", "--source", RANDOM, "-o", str(out)) == 0
    assert out.read_bytes() == first
    assert run("corpus", "--source", RANDOM, "--leave-out", "nb201", "-o", str(out)) != 0
    assert "no source 'nb201'" in capsys.readouterr().err
    assert run("corpus", "--source", RANDOM, "-o", str(tmp_path / "corpus.txt")) != 0
    assert ".jsonl" in capsys.readouterr().err


def test_the_command_builds_models_of_torchvision(tmp_path, monkeypatch, capsys):
    pytest.importorskip("cg_frontends")
    pytest.importorskip("torch")
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(
        "from torch import nn\n"
        "def tiny():\n    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))\n"
        "def list_models(module):\n    return ['tiny']\n"
    )
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    out = tmp_path / "corpus.jsonl"
    assert run("corpus", "--source", TORCHVISION, "-o", str(out), "--json") == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["sources"] == {TORCHVISION: 1}, streams.err
    assert [node.op for node in next(iter(cg_ir.load_set(out))).nodes][1] == "Conv"
    for name in ("torchvision", "torchvision.models"):
        sys.modules.pop(name, None)


def test_progress_is_told_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr("cg_embed.corpus_commands._PAUSE", 2.5)
    ticks = iter(range(100))
    monkeypatch.setattr("cg_embed.corpus_commands.time.monotonic", lambda: next(ticks))
    assert list(_counted(iter("abcdefg"), 7_000)) == list("abcdefg")
    assert capsys.readouterr().err.splitlines() == ["3 of 7,000 networks", "6 of 7,000 networks"]


def test_on_a_terminal_a_bar_counts(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(_counted(iter("abc"), 3)) == list("abc")


def test_a_source_can_be_left_out(tmp_path, capsys):
    out = tmp_path / "corpus.jsonl"
    sources = ("--source", RANDOM, "--source", "nb201", "--leave-out", "nb201")
    assert run("corpus", "--graphs", "3", *sources, "-o", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out)["sources"] == {RANDOM: 3}
    assert run("corpus", "--graphs", "3", *sources, "-o", str(out)) == 0
    assert "3 distinct networks of 3 drawn" in capsys.readouterr().err
