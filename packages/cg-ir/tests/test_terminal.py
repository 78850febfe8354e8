"""Manners of the command line, run as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cg_ir import GraphBuilder
from cg_ir.terminal import plain_table, table_console

NOISY = """
import logging, warnings
import click
from cg_ir import CgError
from cg_ir.plugins import LazyCommand, hookimpl

@click.command()
@click.option("--fail", is_flag=True)
def noisy(fail):
    click.echo("note", err=True)
    warnings.warn("odd\\nthing", stacklevel=1)
    logging.getLogger("noisy").info("logged")
    if fail:
        raise CgError("it failed")
    click.echo("result")

@hookimpl
def cg_commands():
    return [LazyCommand("noisy", "noisy_plugin:noisy", "Says a lot.")]
"""


def plugin(folder: Path, name: str, code: str) -> Path:
    """A distribution with one plugin module, as pip would lay it out."""
    (folder / f"{name}_plugin.py").write_text(code)
    info = folder / f"{name}_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[cg]\n{name} = {name}_plugin\n")
    return folder


def cg(*arguments: str, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "CG_DATA")}
    folders = [str(path)] if path else []
    inherited["PYTHONPATH"] = os.pathsep.join([*folders, *filter(None, [inherited.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "cg_ir.cli", *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--quiet", "noisy"), ("noisy", "--quiet")])
def test_quiet_leaves_results_and_errors(tmp_path, arguments):
    plugin(tmp_path, "noisy", NOISY)
    done = cg(*arguments, path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "result\n", "")
    failed = cg(*arguments, "--fail", path=tmp_path)
    assert (failed.returncode, failed.stdout, failed.stderr) == (2, "", "cg: error: it failed\n")


def test_warnings_are_one_line_and_logs_are_silent(tmp_path):
    done = cg("noisy", path=plugin(tmp_path, "noisy", NOISY))
    assert done.stderr == "note\ncg: warning: odd thing\n"


def test_verbose_says_where_and_why(tmp_path):
    done = cg("noisy", "--fail", "--verbose", path=plugin(tmp_path, "noisy", NOISY))
    assert done.returncode == 2
    assert "noisy: logged" in done.stderr
    assert "odd thing [UserWarning" in done.stderr
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "cg: error: it failed"


def test_piped_tables_are_plain_and_not_folded(tmp_path):
    builder = GraphBuilder("n" * 100)
    builder.output(builder.add("Relu", builder.input((1, 3, 8, 8))))
    builder.build().save(tmp_path / "g.cg.json")
    done = cg("info", str(tmp_path / "g.cg.json"))
    assert "\x1b" not in done.stdout
    assert builder.build().hash in done.stdout


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("drw",), "did you mean 'draw'?"),
        (("info", "--jsn", "x"), "Did you mean --json?"),
        (("rnk",), "there are:"),
    ],
)
def test_mistyped_names_get_a_suggestion(arguments, suggestion):
    done = cg(*arguments)
    assert done.returncode == 2
    said = re.sub("'(--?[a-z]+)'", r"\1", done.stderr)  # older releases of click do not quote options
    assert suggestion in said or "did you mean 'rank'?" in said
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [("cg dr", "plain,draw"), ("cg draw --th", "plain,--theme"), ("cg draw g.", "file,g.")],
)
def test_shells_complete_commands_options_and_files(words, expected):
    done = cg(_CG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert expected in done.stdout.splitlines()


def test_completion_scripts_exist_for_the_common_shells():
    for shell in ("zsh", "fish"):
        assert "_CG_COMPLETE" in cg(_CG_COMPLETE=f"{shell}_source").stdout


def test_doctor_names_a_broken_plugin_and_exits_with_1(tmp_path):
    plugin(tmp_path, "broken", "raise RuntimeError('no luck')\n")
    done = cg("doctor", path=tmp_path)
    assert done.returncode == 1
    assert "broken-plugin" in done.stdout
    assert "RuntimeError: no luck" in done.stdout


# --- hostile names ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "[/x]",
    "[bold]b",
    "[red",
    "\x1b[2Jgone",
    "\x1b]0;title\x07",
    "a\rb",
    "\u202egnp.exe",
    "\x9b31m",
    "\ud800",
    ":smile:",
    "[link=http://x]y",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_do_not_reach_the_terminal_as_commands(tmp_path, capsys, name):
    from cg_ir.cli import main

    document = {
        "cg_ir": "1.0",
        "opset": 1,
        "name": name,
        "nodes": [
            {"op": "Input", "shape": [1, 3]},
            {"op": "Custom", "inputs": [0], "attrs": {"name": name}, "shape": [1, 3], "region": name},
            {"op": "Output", "inputs": [1], "shape": [1, 3]},
        ],
    }
    path = tmp_path / "net.cg.json"
    path.write_text(json.dumps(document))
    calls = [("info", str(path)), ("info", str(path), str(path)), ("validate", str(path))]
    if name != "\ud800":  # no argument can hold it
        calls += [("validate", name), ("info", f"{name}.cg.json"), ("info", f"{name}\0.cg.json")]
    for arguments in calls:
        with contextlib.suppress(SystemExit):
            main(list(arguments))
        text = "".join(capsys.readouterr())
        assert "Traceback" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
        if name.startswith("["):
            assert name in text or arguments[0] == "validate" or len(arguments) > 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [("plugins",), ("plugins", "--json"), ("--help",)])
def test_a_full_disk_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        child = subprocess.run(
            [sys.executable, "-m", "cg_ir.cli", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert child.returncode == 2
    assert child.stderr == "cg: error: No space left on device\n"


def test_a_plain_table_shows_text_as_it_is(capsys):
    rows = [("[bold]a[/bold] \x1b[31m", "1"), ("word " * 30, "1,000")]
    table_console().print(plain_table(("name", "count"), rows, left=("name",), title="[red]title"))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["[red]title", "name" + " " * (len(lines[1]) - 9) + "count"]
    assert lines[2].startswith("[bold]a[/bold] \\x1b[31m ")
    assert lines[2].endswith(" 1")
    assert {len(line) for line in lines[1:4]} == {len(lines[1])}
