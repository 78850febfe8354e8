"""Which function writes which file, and what is said where none does."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from cg_ir import Graph, GraphBuilder, SourceError
from cg_ir.output_formats import FORMATS, endings, write


@pytest.fixture
def graph() -> Graph:
    b = GraphBuilder("net")
    b.output(b.add("Relu", b.input((1, 4)), region="a"))
    return b.build()


def test_every_target_exists_and_takes_its_options() -> None:
    for one in FORMATS:
        module, _, name = one.target.partition(":")
        parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
        free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        assert free or set(one.options) <= set(parameters), one.suffix
        assert set(one.commands) <= {"convert", "draw"}


def test_the_longest_ending_decides(graph: Graph, tmp_path: Path) -> None:
    write(graph, tmp_path / "g.cg.json.gz", "convert")
    write(graph, tmp_path / "g.cg.json", "convert")
    assert (tmp_path / "g.cg.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert (tmp_path / "g.cg.json").read_text().strip() == graph.to_json().strip()


@pytest.mark.parametrize(
    ("name", "command", "options", "message"),
    [
        ("g.txt", "convert", {}, "g.txt: the name should end in .cg.json, .cg.json.gz, .py or .onnx"),
        ("g.txt", "draw", {}, "g.txt: the name should end in .svg, .png, .html, .onnx or .dot"),
        ("g.py", "draw", {}, "g.py: the name should end in .svg, .png, .html, .onnx or .dot ('cg convert' writes .py)"),
        ("g.svg", "convert", {}, "g.svg: the name should end in .cg.json, .cg.json.gz, .py or .onnx ('cg draw' writes .svg)"),
        ("g.json", "convert", {}, "g.json: the name should end in .cg.json, .cg.json.gz, .py or .onnx"),
        ("g.dot", "draw", {"theme": "dark"}, "--theme does not apply to .dot"),
        ("g.dot", "draw", {"depth": 0}, "--depth does not apply to .dot"),
        ("g.py", "convert", {"simplify": True}, "--simplify does not apply to .py"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    graph: Graph, name: str, command: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(SourceError) as error:
        write(graph, name, command, **options)
    assert str(error.value) == message


def test_options_that_were_not_given_apply_everywhere(graph: Graph, tmp_path: Path) -> None:
    write(graph, tmp_path / "g.dot", "draw", depth=None, theme=None, simplify=False)
    assert (tmp_path / "g.dot").read_text().startswith('digraph "net"')


def test_options_reach_the_writer(graph: Graph, tmp_path: Path) -> None:
    write(graph, tmp_path / "light.svg", "draw", theme="light")
    write(graph, tmp_path / "dark.svg", "draw", theme="dark")
    assert "cg-theme-light" in (tmp_path / "light.svg").read_text()
    assert "cg-theme-dark" in (tmp_path / "dark.svg").read_text()


def test_help_says_what_each_command_writes() -> None:
    assert endings("convert") == (
        ".cg.json (graph file), .cg.json.gz (compressed graph file), .py (PyTorch source), .onnx (ONNX model with random weights)"
    )
    assert endings("draw").split(", ")[0] == ".svg (drawing)"
    assert endings("none") == ""
