"""Python runs only from files that the command line names: not from tables, lists, configurations or the folders of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cg_ir import SourceError
from cg_ir.cli import main
from cg_ir.trust import command_line, may_run, require_python

CELL = "nb201:|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
NET = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
from torch import nn
def make(depth=1):
    return nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(depth)), nn.Flatten())
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and standard error of a command."""
    try:
        status = main(list(arguments))
    except SystemExit as stop:
        status = stop.code
    return int(status or 0), capsys.readouterr().err


def test_what_an_argument_names() -> None:
    with command_line(
        [
            "rank",
            "a/net.py:make?depth=2",
            "--x=b.py:f",
            "graph?file=c d.py:f",
            "models.zoo:net",
            "-o",
            "out.py",
            "nb201:x",
        ]
    ):
        for place in ("a/net.py", "./a/../a/net.py", "b.py", "c d.py", "models.zoo"):
            assert may_run(place), place
        for place in ("net.py", "out.py", "d.py", "os", "models", "models.other", "zoo"):
            assert not may_run(place), place
        with pytest.raises(SourceError, match=r"^os:abort: is Python that a file names .* --allow-python$"):
            require_python("os:abort", "os")
    assert may_run("os")
    with command_line(["rank", "--allow-python"]):
        assert may_run("os")


COMMANDS = {
    "list": ("rank", CELL, "--from", "list.txt"),
    "csv": ("rank", CELL, "--from", "list.csv"),
    "labels": ("rank", CELL, "--labels", "list.csv"),
    "fit": ("fit", "--labels", "list.csv", "-o", "model"),
    "embed": ("embed", "--from", "list.csv", "-o", "v.npz"),
    "embed list": ("embed", "--from", "list.txt", "-o", "v.npz"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("source", ["net.py:make", "os:abort", "net:make", "net.py:make?depth=2"])
def test_data_runs_nothing(capsys: pytest.CaptureFixture[str], net: Path, name: str, source: str) -> None:
    (net.parent / "list.txt").write_text(source + "\n")
    (net.parent / "list.csv").write_text(f"arch,accuracy\n{CELL},1\n{source},2\n")
    status, error = run(capsys, *COMMANDS[name])
    assert status == 2
    assert "--allow-python" in error
    assert error.count("\n") == 1
    assert not (net.parent / "ran").exists()


def test_labels_may_refer_to_what_the_command_line_names(capsys: pytest.CaptureFixture[str], net: Path) -> None:
    (net.parent / "list.txt").write_text("net.py:make?depth=2\n")
    arguments = ("embed", "--from", "list.txt", "-o", "v.npz", "--with", "descriptors")
    assert run(capsys, "convert", "net.py:make", "-o", "net.cg.json")[0] == 0
    assert run(capsys, "rank", "net.py:make", "--from", "list.txt")[0] == 0
    assert run(capsys, *arguments)[0] == 2
    status, error = run(capsys, *arguments, "--allow-python")
    assert status == 0, error


def test_a_received_run_folder_runs_nothing(capsys: pytest.CaptureFixture[str], net: Path) -> None:
    search = ("search", "nb201", "--algorithm", "random", "--evaluator", "scorer:macs", "--budget", "3", "-o", "run")
    status, error = run(capsys, *search)
    assert status == 0, error
    (net.parent / "run" / "winner.cg.json").unlink(missing_ok=True)
    path = net.parent / "run" / "config.json"
    config = json.loads(path.read_text())
    config["space"] = "graph?file=net.py:make"
    path.write_text(json.dumps(config))
    run(capsys, "report", "run", "-o", "report.html")
    assert not (net.parent / "ran").exists()
    status, error = run(capsys, "search", "--resume", "-o", "run")
    assert status == 2
    assert not (net.parent / "ran").exists()


def test_own_functions_of_a_search_are_held_to_it_as_well(net: Path) -> None:
    from cg_evolve.python_code import load_callable

    for text in ("net.py:make", "net:make"):
        with command_line(["search", "--resume"]), pytest.raises(SourceError, match="--allow-python"):
            load_callable(text)
    assert not (net.parent / "ran").exists()
    with command_line(["search", "net.py:make"]):
        assert callable(load_callable("net.py:make"))
    assert (net.parent / "ran").exists()
