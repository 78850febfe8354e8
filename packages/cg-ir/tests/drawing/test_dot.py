"""Graphviz text: read back by a small parser, so that names cannot break it."""

from __future__ import annotations

import re

import pytest

from cg_ir import GraphBuilder
from cg_ir.drawing.dot import save_dot, to_dot

_STATEMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[\w#]+|->|[{}\[\];=,]')


def tokens(text: str) -> list[str]:
    """The tokens of the language; anything else in the text is an error."""
    assert not re.sub(r"\s+", "", _STATEMENT.sub("", text))
    return _STATEMENT.findall(text)


def labels(text: str) -> dict[str, str]:
    """The label of each node, of each edge ("n0 n1") and of each cluster, as Graphviz shows them."""
    found = {}
    words = tokens(text)
    for i, word in enumerate(words):
        if word == "label" and words[i + 1] == "=":
            before = words[:i]
            if before[-1] == "[":
                key = " ".join(before[-4:-1:2]) if before[-3] == "->" else before[-2]
            else:
                key = before[-2]
            text = re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), words[i + 2][1:-1])
            found[key] = text.replace("&amp;", "&")
    return found


def test_nodes_edges_and_clusters_say_what_they_are() -> None:
    b = GraphBuilder("net")
    x = b.input((1, 3, 8, 8))
    y = b.add("Conv", x, channels=4, kernel_shape=(3, 3), region="stage.cell")
    z = b.add("Relu", y, region="stage.cell")
    b.output(b.add("Sub", z, b.add("Tanh", z, region="stage"), region="stage"))
    text = to_dot(b.build())
    found = labels(text)
    assert found["n1"] == "Conv 3×3\n108 p · 3.89k MACs"
    assert found["n2"] == "Relu"
    assert found["n1 n2"] == "4×6×6"
    assert found['"cluster_stage"'] == "stage"
    assert found['"cluster_stage.cell"'] == "cell"
    inner = text[text.index("cluster_stage.cell") :]
    assert inner.index("n1 [") < inner.index("n2 [") < inner.index("}")
    assert inner.index("n3 [") > inner.index("}")
    assert re.findall(r"n\d+ -> n4 \[.*\]", text) == [
        'n2 -> n4 [label="4×6×6", headlabel="0"]',
        'n3 -> n4 [label="4×6×6", headlabel="1"]',
    ]


@pytest.mark.parametrize(
    "name", ['"', "\\", '\\"', "a\nb", "&amp;", "<b>", "{x}", "a\\nb", "größe", "\x00", "]; n0 -> n0"]
)
def test_names_stay_names(name: str) -> None:
    b = GraphBuilder(name)
    x = b.input((1, 3))
    y = b.add("Custom", x, name=f"T{name}", shape=(1, 3), region=f"r{name}")
    b.output(b.add("Relu", y, region=f"r{name}"))
    text = to_dot(b.build())
    shown = name.replace("\x00", "\ufffd")
    assert labels(text)["n1"] == f"T{shown}"
    assert f"r{shown}" in labels(text).values()
    assert tokens(text)[0] == "digraph"


def test_a_graph_without_a_name_has_one(tmp_path) -> None:
    b = GraphBuilder()
    x = b.input((1, 4, 2))
    b.output(b.add("Relu", b.add("Flatten", x, shape=(1, 8))))
    graph = b.build()
    assert to_dot(graph).startswith('digraph "graph" {\n')
    save_dot(graph, tmp_path / "whole.dot")
    save_dot(graph, tmp_path / "simple.dot", simplify=True)
    assert "Flatten" in (tmp_path / "whole.dot").read_text(encoding="utf-8")
    assert "Flatten" not in (tmp_path / "simple.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cells", "unet", "attention_block"])
def test_every_node_and_edge_is_there(name, networks) -> None:
    graph = getattr(networks, name)()
    text = to_dot(graph)
    assert len(re.findall(r"^\s+n\d+ \[", text, re.M)) == len(graph)
    assert len(re.findall(r"^  n\d+ -> n\d+ \[", text, re.M)) == len(graph.indices)
    assert text.count("{") == text.count("}")
