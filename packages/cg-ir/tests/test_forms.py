"""The methods that make something else of a graph, against the functions that do the work."""

from __future__ import annotations

from pathlib import Path

import pytest

import cg_ir
from cg_ir import Graph, GraphBuilder, canonicalize
from cg_ir.drawing import to_svg
from cg_ir.serialization import to_dict, to_json
from cg_ir.simplify import simplify


@pytest.fixture
def graph() -> Graph:
    b = GraphBuilder("forms", canonical=False)
    x = b.input((1, 4, 6, 6))
    b.output(b.add("Clip", b.add("Flatten", x, shape=(1, 144)), min=0.0))
    return b.build()


def test_methods_are_the_functions(graph: Graph) -> None:
    assert graph.canonicalize().hash == canonicalize(graph).hash != graph.hash
    assert [node.op for node in graph.simplify().nodes] == [node.op for node in simplify(graph).nodes]
    assert graph.to_dict() == to_dict(graph)
    assert graph.to_json() == to_json(graph)
    assert graph.to_svg(theme="dark") == to_svg(graph, theme="dark") != graph.to_svg()
    assert graph._repr_html_() == graph.to_svg()


@pytest.mark.parametrize("name", ["g.cg.json", "g.cg.json.gz"])
def test_what_is_saved_can_be_loaded(graph: Graph, name: str, tmp_path: Path) -> None:
    graph.save(tmp_path / name)
    assert cg_ir.load(tmp_path / name).to_dict() == graph.to_dict()
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
