"""The graph page as a document: complete, closed to the network, and safe whatever the names are."""

from __future__ import annotations

import html.parser
import json
import re
import subprocess
import sys

import pytest

from cg_ir import CgError, Graph, GraphBuilder
from cg_ir.page import graph_data, graph_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 \" ' {title} ${x}"


def small(name: str = "small", region: str = "stage_1.cell_1", key: str | None = None) -> Graph:
    builder = GraphBuilder(name)
    x = builder.input((1, 3, 32, 32))
    x = builder.add("Conv", x, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2), region="stem")
    y = builder.add("Conv", x, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region=region, weights=key)
    z = builder.add("Conv", y, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region=region, weights=key)
    y = builder.add("Relu", z, region=region)
    builder.output(builder.add("Add", x, y, region="stage_1"))
    return builder.build()


class Parsed(html.parser.HTMLParser):
    """Elements by tag, the text of scripts, and every reference to elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.title = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        if self.tags and self.tags[-1] == "title":
            self.title += data


def data_of(parsed: Parsed, key: str) -> dict:
    return next(json.loads(text) for attrs, text in parsed.scripts if attrs.get("id") == key)


def test_data_holds_every_number_of_the_graph():
    graph = small(key="twice")
    data = graph_data(graph)
    signatures = [data["signatures"][code] for code in data["codes"]]
    assert [s["op"] for s in signatures] == [node.op for node in graph.nodes]
    assert [tuple(s["shape"]) for s in signatures] == [node.shape for node in graph.nodes]
    assert [s["macs"] for s in signatures] == [node.macs for node in graph.nodes]
    assert [tuple(i) for i in data["inputs"]] == [node.inputs for node in graph.nodes]
    assert [data["regions"][code] for code in data["region"]] == [node.region for node in graph.nodes]
    assert {int(i) for i in data["weights"]} == {node.index for node in graph.nodes if node.weights}
    assert len(data["signatures"]) < len(data["codes"])
    assert (data["params"], data["macs"], data["hash"]) == (graph.params, graph.macs, graph.hash)


def test_the_page_refers_to_nothing_outside_and_allows_only_its_own_scripts():
    text = graph_page(small())
    parsed = Parsed(text)
    assert set(parsed.links) == {"data:,"}
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]  # type: ignore[index]
    assert policy.startswith("default-src 'none'")
    code = [attrs for attrs, _ in parsed.scripts if attrs.get("type") != "application/json"]
    assert policy.count("sha256-") == len(code)
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_hostile_names_stay_data():
    graph = small(HOSTILE, HOSTILE, HOSTILE)
    parsed, plain = Parsed(graph_page(graph)), Parsed(graph_page(small()))
    assert parsed.tags == plain.tags
    assert parsed.title.rstrip("\n") == HOSTILE
    data = data_of(parsed, "graph-data")
    assert data["name"] == HOSTILE
    assert HOSTILE in data["regions"]


def test_cg_draw_writes_the_page(tmp_path):
    source, target = tmp_path / "g.cg.json", tmp_path / "g.html"
    small().save(source)
    command = [sys.executable, "-m", "cg_ir.cli", "draw", str(source), "-o", str(target)]
    done = subprocess.run([*command, "--theme", "dark", "--depth", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = target.read_text(encoding="utf-8")
    assert 'data-theme="dark"' in text
    assert data_of(Parsed(text), "graph-data")["open"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.cg.json", "g.html"]


@pytest.mark.parametrize("options", [{"theme": "blue"}, {"depth": -1}])
def test_bad_options_are_refused(options):
    with pytest.raises(CgError, match=f"{next(iter(options))} should be"):
        graph_page(small(), **options)


def test_simplify_leaves_out_layout_operators():
    builder = GraphBuilder()
    x = builder.add("Transpose", builder.input((1, 3, 4)), perm=(0, 2, 1))
    builder.output(builder.add("Relu", x))
    data = data_of(Parsed(graph_page(builder.build(), simplify=True)), "graph-data")
    assert [s["op"] for s in data["signatures"]] == ["Input", "Relu", "Output"]


def test_halves_of_surrogate_pairs_can_be_written():
    """UTF-8 cannot hold them: the title shows the escape, the data keeps the name."""
    b = GraphBuilder("half \ud800")
    b.output(b.add("Relu", b.input((1, 3, 8, 8)), region="r\udfff"))
    text = graph_page(b.build()).encode("utf-8").decode("utf-8")
    assert r"<title>half \ud800</title>" in text
    assert r'"r\udfff"' in text


def test_regions_are_a_tree_in_which_every_node_has_its_home() -> None:
    data = graph_data(small())
    assert data["tree"] == [("", 0), ("stage_1", 0), ("stage_1.cell_1", 1)]
    assert [data["tree"][i][0] for i in data["home"]] == ["", "", *["stage_1.cell_1"] * 3, "stage_1", ""]


def test_attributes_are_texts_that_tell_defaults_apart() -> None:
    b = GraphBuilder("attributes")
    x = b.input((1, 4, 6, 6))
    y = b.add("Conv", x, channels=4, kernel_shape=(3, 3), bias=True)
    z = b.add("Clip", b.add("LeakyRelu", y, alpha=0.25), max=6.0)
    b.output(b.add("Mul", z, b.constant((4, 4), [float(i) for i in range(16)])))
    b.output(b.add("Mul", z, b.constant((1, 4, 4, 4), [float(i) for i in range(64)])))
    shown = {}
    for signature in graph_data(b.build())["signatures"]:
        shown.setdefault(signature["op"], {name: (text, default) for name, text, default in signature["attrs"]})
        if signature["op"] == "Constant" and signature["shape"] == [1, 4, 4, 4]:
            shown["long"] = {name: text for name, text, _ in signature["attrs"]}
    assert shown["Conv"]["kernel_shape"] == ("3, 3", False)
    assert shown["Conv"]["strides"] == ("1, 1", True)
    assert shown["Conv"]["bias"] == ("yes", False)
    assert shown["Conv"]["group"] == ("1", True)
    assert shown["LeakyRelu"]["alpha"] == ("0.25", False)
    assert shown["Clip"] == {"min": ("none", True), "max": ("6", False)}
    assert shown["Constant"]["value"][0] == ", ".join(map(str, range(16)))
    assert shown["long"]["value"] == ", ".join(map(str, range(16))) + ", ... (64 in all)"


@pytest.mark.parametrize(
    ("producer", "text"),
    [
        ({}, ""),
        ({"name": "mine"}, "mine"),
        ({"name": "mine", "version": "2"}, "mine 2"),
        ({"version": "2", "by": "me"}, "2"),
    ],
)
def test_the_producer_is_named(producer: dict[str, str], text: str) -> None:
    b = GraphBuilder(producer=producer)
    b.output(b.input((1, 2)))
    assert graph_data(b.build())["producer"] == text


@pytest.mark.parametrize(("title", "name", "shown"), [("", "", "Graph"), ("", "net", "net"), ("mine", "net", "mine")])
def test_a_page_has_a_heading(title: str, name: str, shown: str) -> None:
    assert f"<h1>{shown}</h1>" in graph_page(small(name), title)
