"""draw and diff: files written whole or not at all, what is shown for people and as JSON."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cg_ir import GraphBuilder, diff
from cg_ir.cli import cg, main


def test_draw_command(tmp_path, networks):
    source = tmp_path / "g.cg.json"
    networks.cells().save(source)
    for name in ("g.svg", "g.dot"):
        result = CliRunner().invoke(cg, ["draw", str(source), "-o", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        assert (tmp_path / name).stat().st_size > 1000
    ElementTree.fromstring((tmp_path / "g.svg").read_text())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "g.jpg"], "should end in"),
        (["-o", "g.cg.json"], "'cg convert' writes .cg.json"),
        (["-o", "g.dot", "--depth", "0"], "--depth does not apply"),
        (["-o", "missing/g.svg"], "cannot write"),
    ],
)
def test_draw_command_says_what_is_wrong(tmp_path, networks, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    networks.cells().save("source.cg.json")
    with pytest.raises(SystemExit) as stop:
        main(["draw", "source.cg.json", *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["source.cg.json"]


def test_draw_says_what_it_drew(networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    graph = networks.cells()
    graph.save("g.cg.json")
    facts = {"output": "g.dot", "hash": graph.hash, "nodes": len(graph), "parameters": graph.params, "macs": graph.macs}
    done = CliRunner().invoke(cg, ["draw", "g.cg.json", "-o", "g.dot", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (0, facts)
    done = CliRunner().invoke(cg, ["draw", "g.cg.json", "-o", "g.dot"])
    assert done.output == f"g.dot: {len(graph)} nodes, {graph.params:,} parameters, {graph.macs:,} MACs\n"


def test_options_of_a_drawing_are_those_of_the_function(
    networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = networks.attention_block()
    graph.save("g.cg.json")
    for options, given in (
        ([], {}),
        (["--depth", "0"], {"depth": 0}),
        (["--theme", "dark", "--simplify"], {"theme": "dark", "simplify": True}),
    ):
        assert CliRunner().invoke(cg, ["draw", "g.cg.json", "-o", "g.svg", *options]).exit_code == 0
        assert Path("g.svg").read_text() == graph.to_svg(**given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["draw", "a.cg.json"], "Missing option"),
        (["draw", "a.cg.json", "-o", "g.svg", "--depth", "-1"], "--depth"),
        (["draw", "a.cg.json", "-o", "g.svg", "--theme", "blue"], "blue"),
        (["draw", "none.cg.json", "-o", "g.svg"], "none.cg.json: cannot read"),
        (["diff", "a.cg.json", "none.cg.json"], "none.cg.json: cannot read"),
        (["diff", "a.cg.json"], "Missing argument"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    b = GraphBuilder("a")
    b.output(b.add("Relu", b.input((1, 4))))
    b.build().save("a.cg.json")
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    shown = capsys.readouterr()
    assert (stop.value.code, shown.out) == (2, "")
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert os.listdir() == ["a.cg.json"]


def test_diff_shows_changes_and_costs(tmp_path, networks):
    for name, kernel in (("a", 3), ("b", 1)):
        networks.cells(kernel).save(tmp_path / f"{name}.cg.json")
    files = [str(tmp_path / "a.cg.json"), str(tmp_path / "b.cg.json")]
    text = CliRunner().invoke(cg, ["diff", *files])
    assert text.exit_code == 0
    assert "~ stage_0.cell_0  Conv: kernel_shape [3, 3] -> [1, 1]" in text.output
    document = json.loads(CliRunner().invoke(cg, ["diff", "--json", *files]).output)
    assert document["equal"] is False
    assert len(document["changed"]) == 6
    assert document["costs"]["parameters"]["difference"] < 0


def test_diff_of_equal_networks_says_so_and_ends_well(networks: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.cg.json")
    networks.cells().save(path)
    done = CliRunner().invoke(cg, ["diff", path, path])
    assert (done.exit_code, done.output) == (0, diff(networks.cells(), networks.cells()).to_text())
    assert done.output.endswith("the graphs are equal\n")


def test_names_in_a_difference_do_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    files = []
    for op in ("Relu", "Tanh"):
        b = GraphBuilder("net")
        b.output(b.add(op, b.input((1, 4)), region="a\x1b[2J"))
        files.append(str(tmp_path / f"{op}.cg.json"))
        b.build().save(files[-1])
    done = CliRunner().invoke(cg, ["diff", *files])
    assert done.exit_code == 0
    assert "a\\x1b[2J" in done.output
    assert "\x1b" not in done.output
