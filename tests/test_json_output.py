"""Every command answers with one JSON document under ``--json``, and every plugin's command is in the list here."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import cg_ir
from cg_ir.cli import cg, main

CELL = "nb201:|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_1x1~2|"
RICH = "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
PRETRAIN = """
encoder: path
options: {channels: 2}
spaces: [nb201]
graphs: 24
steps: 2
batch: 8
"""

#: Command lines, and the keys that their documents have.
LINES = {
    "convert": (["convert", CELL], ["cg_ir", "nodes"]),
    "convert to a file": (["convert", CELL, "-o", "g.cg.json"], ["output", "hash", "nodes", "parameters", "macs"]),
    "info": (["info", CELL], ["hash", "parameters", "macs"]),
    "draw": (["draw", CELL, "-o", "g.svg"], ["output", "hash"]),
    "diff": (["diff", CELL, OTHER], []),
    "validate": (["validate", "network.cg.json"], ["valid", "hash"]),
    "plugins": (["plugins"], ["plugins", "errors"]),
    "doctor": (["doctor"], ["ok", "findings"]),
    "rank": (["rank", CELL, OTHER], ["ranking", "sources"]),
    "rank with a scorer": (["rank", CELL, OTHER, "--scorer", "macs"], ["ranking"]),
    "rank within a space": (["rank", "--from", "labels.csv", "--space", "nb201"], ["ranking"]),
    "explain": (["explain", RICH, "--against", RICH], ["networks", "comparison"]),
    "improve": (["improve", "network.cg.json", "--show", "3"], ["changes", "score"]),
    "latency": (["latency", CELL, OTHER, "--device", "pixel3"], ["latency"]),
    "fit": (["fit", "--space", "nb201", "--labels", "labels.csv", "-o", "model"], ["output", "networks", "sources"]),
    "embed": (["embed", "--space", "nb201", "--from", "labels.csv", "-o", "v.csv"], ["output", "vectors", "columns"]),
    "corpus": (
        ["corpus", "--graphs", "4", "--source", "random", "-o", "corpus.jsonl"],
        ["output", "networks", "drawn", "seconds", "sources"],
    ),
    "pretrain": (["pretrain", "pretrain.yaml", "-o", "encoder"], ["output", "kind"]),
    "search": (
        ["search", "nb201", "--budget", "4", "--evaluator", "scorer:macs", "--algorithm", "random", "-o", "run"],
        ["best", "evaluations", "files"],
    ),
    "report": (["report", "searched", "-o", "report.html"], ["output", "bytes"]),
}
#: Commands that need more than a folder of small files: their own tests run them.
ELSEWHERE = {"bench", "collect", "fit-prior"}


def run(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small files that the command lines name."""
    found = tmp_path_factory.mktemp("work")
    space = cg_ir.get_space("nb201")
    cg_ir.graph_of(CELL).save(found / "network.cg.json")
    with open(found / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["arch", "accuracy"])
        cells = [CELL.removeprefix("nb201:"), OTHER.removeprefix("nb201:")]
        writer.writerows([cell, space.graph(cell).macs] for cell in cells)
    (found / "pretrain.yaml").write_text(PRETRAIN)
    return found


@pytest.mark.parametrize("line", LINES)
def test_the_document_parses(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if line == "pretrain":
        pytest.importorskip("torch_geometric")
    monkeypatch.chdir(folder)
    arguments, keys = LINES[line]
    if line == "report":
        search = [*LINES["search"][0][:-1], "searched"]
        assert run(capsys, search)[0] == 0
    code, out, err = run(capsys, [*arguments, "--json"])
    assert code == 0, err
    document = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert set(keys) <= set(document)
    if "output" in keys:
        assert Path(document["output"]).exists()


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_has_the_option_and_a_line_here() -> None:
    found = dict(commands(cg))
    without = [" ".join(path) for path, command in found.items() if not any("--json" in p.opts for p in command.params)]
    assert without == []
    assert {path[0] for path in found} - ELSEWHERE == {arguments[0] for arguments, _ in LINES.values()}


def test_mistakes_under_json_are_still_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, ["info", "nb201:|nonsense|", "--json"])
    assert (code, out) == (2, "")
    assert err.startswith("cg: error: ")
    assert err.count("\n") == 1
