"""How the command ends: with what a user can do something about, in one line and by its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

import cg_ir
from cg_ir import CgError, GraphBuilder
from cg_ir.cli import _BUILT_IN, _ELSEWHERE, _load, cg, main
from cg_ir.errors import PluginError
from cg_ir.plugins import LazyCommand


def ends(*arguments: str) -> int:
    """The exit status of a call."""
    try:
        return int(main(list(arguments)) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def file(tmp_path: Path) -> str:
    b = GraphBuilder("small")
    x = b.input((1, 3, 8, 8))
    b.output(b.add("Relu", b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1))))
    path = tmp_path / "small.cg.json"
    b.build().save(path)
    return str(path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Add a command ``break`` that raises what it is given, or does it."""

    def add(problem: BaseException) -> None:
        @click.command("break")
        def broken() -> None:
            raise problem

        module = ModuleType("breaking_plugin")
        module.__dict__["broken"] = broken
        monkeypatch.setitem(sys.modules, "breaking_plugin", module)
        table = {"break": LazyCommand("break", "breaking_plugin:broken", "Break.")}
        monkeypatch.setattr(type(cg), "_table", lambda self: table)

    return add


def test_results_go_to_standard_output(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("info", file, "--json") == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["name"], found["parameters"], found["macs"]) == ("small", 108, 6912)
    assert shown.err == ""


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("info", "--help")])
def test_help_is_no_error(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(*arguments) == 0
    assert "Usage: cg" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("--version") == 0
    assert cg_ir.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inffo",), "cg: error: no command is called 'inffo'; did you mean 'info'? (see 'cg --help')"),
        (("info", "--jsn"), "No such option"),
        (("info",), "Missing argument"),
        (("validate", "none.cg.json"), "none.cg.json"),
        (("info", "two\nlines"), "two"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("cg: error: ")


@pytest.mark.parametrize("name", sorted(_ELSEWHERE))
def test_a_command_of_a_package_that_is_not_installed_names_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(cg), "_table", lambda self: {command.name: command for command in _BUILT_IN})
    assert ends(name) == 2
    assert f"pip install {_ELSEWHERE[name]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problem", "status", "message"),
    [
        (CgError("first\nsecond"), 2, "cg: error: first second"),
        (MemoryError(), 2, "cg: error: there is not enough memory"),
        (IsADirectoryError(21, "Is a directory", "out"), 2, "cg: error: out: Is a directory"),
        (OSError(28, "No space left on device"), 2, "cg: error: No space left on device"),
        (click.ClickException("no"), 2, "cg: error: no"),
        (click.exceptions.Exit(3), 3, ""),
        (click.Abort(), 130, "cg: stopped"),
        (KeyboardInterrupt(), 130, "cg: stopped"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_however_a_command_ends(
    problem: BaseException, status: int, message: str, command: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    command(problem)
    with open(os.devnull, "w") as sink, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", sink)  # an error of the system closes it
        assert ends("break") == status
    assert capfd.readouterr().err.strip() == message


def test_a_defect_is_not_hidden(command: Any) -> None:
    command(ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        ends("break")


@pytest.mark.parametrize("arguments", [("info",), ("info", "--json"), ("info", "--help"), ("--help",), ("plugins",)])
def test_a_reader_that_has_gone_is_told_nothing(file: str, arguments: tuple[str, ...]) -> None:
    code = "import sys; from cg_ir.cli import main; main(sys.argv[1:])"
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", code, *arguments, *([file] if arguments[0] == "info" else [])]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.stderr, done.returncode) == (b"", 141)  # as of a tool that the signal ended


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:command", "cannot be loaded: ModuleNotFoundError"),
        ("cg_ir.cli:no_such", "cannot be loaded: AttributeError"),
        ("cg_ir.cli:main", "is no click command"),
    ],
)
def test_a_command_that_cannot_be_loaded_is_named(target: str, message: str) -> None:
    with pytest.raises(PluginError, match=f"the command 'mine'.*{message}"):
        _load(LazyCommand("mine", target, ""))


def test_help_lists_every_command_and_imports_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cg_ir.cli._load", lambda made: pytest.fail(f"{made.name} was loaded"))
    assert ends("--help") == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown and command.help.split()[0] in shown for command in _BUILT_IN)
