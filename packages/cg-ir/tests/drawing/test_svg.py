"""Drawings: well-formed, complete, without overlaps, the same every time."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from cg_ir import CgError, Graph, GraphBuilder, from_json
from cg_ir.drawing import to_dot, to_svg
from cg_ir.output_formats import write
from cg_ir.source_code import to_source

SVG = "{http://www.w3.org/2000/svg}"


def parse(text):
    return ElementTree.fromstring(text)


def rectangles(root, css):
    found = []
    for rect in root.iter(f"{SVG}rect"):
        if css in rect.get("class", "").split():
            x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h))
    return found


def overlap(a, b):
    return a[0] < b[2] - 0.2 and b[0] < a[2] - 0.2 and a[1] < b[3] - 0.2 and b[1] < a[3] - 0.2


@pytest.fixture(params=["cells", "unet", "attention_block"])
def graph(request, networks):
    return getattr(networks, request.param)()


def test_every_operator_is_shown(graph):
    root = parse(to_svg(graph))
    tips = {title.text.split(":")[0] for title in root.iter(f"{SVG}title") if ":" in (title.text or "")}
    scalars = {n.index for n in graph.nodes if n.op == "Constant" and n.shape == ()}
    assert {str(n.index) for n in graph.nodes if n.index not in scalars} <= tips


def test_boxes_do_not_overlap_and_lie_on_the_page(graph):
    root = parse(to_svg(graph))
    boxes = rectangles(root, "cg-box")
    assert len(boxes) > 3
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    frames = rectangles(root, "cg-frame")
    for a, b in combinations(frames, 2):
        inside = (a[0] <= b[0] and b[2] <= a[2] and a[1] <= b[1] and b[3] <= a[3]) or (
            b[0] <= a[0] and a[2] <= b[2] and b[1] <= a[1] and a[3] <= b[3]
        )
        assert inside or not overlap(a, b)
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height for x0, y0, x1, y1 in boxes + frames)
    numbers = [
        tuple(map(float, pair))
        for path in root.iter(f"{SVG}path")
        if not path.get("class")
        for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d"))
    ]
    assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in numbers)


def test_edges_do_not_run_through_boxes(networks):
    """Straight pieces of edges stay outside of boxes (their ends touch them)."""
    root = parse(to_svg(networks.unet()))
    boxes = rectangles(root, "cg-box")
    checked = 0
    for path in root.iter(f"{SVG}path"):
        if path.get("class"):
            continue
        points = [
            (c, *map(float, p.split()[-2:])) for c, p in re.findall(r"([MLCQV])([^MLCQV]*)", path.get("d")) if c != "V"
        ]
        for (_, x0, y0), (command, x1, y1) in pairwise(points):
            if command == "L":
                line = (min(x0, x1), min(y0, y1), max(x0, x1) + 0.3, max(y0, y1) + 0.3)
                assert not any(overlap(line, (b[0] + 1, b[1] + 1, b[2] - 1, b[3] - 1)) for b in boxes)
                checked += 1
    assert checked > 10


def test_drawing_is_deterministic_and_accessible(graph):
    text = to_svg(graph)
    assert text == to_svg(graph)
    root = parse(text)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == graph.name
    assert f"{graph.params:,} parameters" in root.find(f"{SVG}desc").text
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text


def test_depth_folds_regions(networks):
    graph = networks.cells()
    pictures = [parse(to_svg(graph, depth=d)) for d in (0, 1, 2)]
    assert [len(rectangles(p, "cg-folded")) for p in pictures] == [5, 8, 0]
    assert [len(rectangles(p, "cg-frame")) for p in pictures] == [0, 3, 9]
    folded = to_svg(graph, depth=1)
    assert "cell_0" in folded
    assert "cg-folded" in folded
    assert "cell_0" not in to_svg(graph, depth=0)


def test_names_are_escaped():
    b = GraphBuilder("<script>&\"'</script>")
    x = b.input((1, 3))
    y = b.add("Custom", x, name="<b>&amp;", shape=(1, 3), region='a"><x')
    b.output(b.add("Add", b.add("Relu", y, region='a"><x'), x))
    graph = b.build()
    root = parse(to_svg(graph))
    assert root.find(f"{SVG}title").text == graph.name
    assert "<script>" not in to_svg(graph)
    assert '\\"' in to_dot(graph)


def test_options_are_checked(networks):
    with pytest.raises(CgError, match="theme should be"):
        to_svg(networks.cells(), theme="blue")
    with pytest.raises(CgError, match="depth should be"):
        to_svg(networks.cells(), depth=-1)


def test_a_network_of_five_thousand_nodes_is_quick():
    b = GraphBuilder("long", canonical=False)
    x = b.input((1, 4, 8, 8))
    for i in range(1250):
        y = b.add("Conv", x, channels=4, kernel_shape=(1, 1), region=f"block_{i // 10}")
        y = b.add("Relu", y, region=f"block_{i // 10}")
        y = b.add("Conv", y, channels=4, kernel_shape=(1, 1), region=f"block_{i // 10}")
        x = b.add("Add", x, y, region=f"block_{i // 10}")
    b.output(x)
    graph = b.build()
    start = time.process_time()
    text = to_svg(graph)
    assert time.process_time() - start < 20
    assert len(text) < 2_000_000  # folded by itself


def test_regions_that_interleave_are_drawn():
    b = GraphBuilder("interleaved")
    x = b.input((1, 4))
    for i in range(6):
        x = b.add("Relu" if i % 2 else "Tanh", b.add("Sigmoid", x, region="ab"[i % 2]), region="ab"[i % 2])
    b.output(b.add("Add", x, x))
    assert len(rectangles(parse(to_svg(b.build())), "cg-row")) == 14 + 1


def _chain(length: int, region: str = "") -> Graph:
    nodes: list[dict[str, Any]] = [{"op": "Input", "shape": [1, 8]}]
    for i in range(length):
        nodes.append({"op": "Gemm" if i % 2 else "Relu", "inputs": [i], "shape": [1, 8], "region": region if i else ""})
    nodes.append({"op": "Output", "inputs": [length], "shape": [1, 8]})
    return from_json({"cg_ir": "1.0", "opset": 1, "nodes": nodes})


def test_regions_may_be_thousands_of_levels_deep(tmp_path: Path) -> None:
    graph = _chain(40, ".".join(["r"] * 5000))
    for name in ("g.svg", "g.dot", "g.html", "g.py", "g.cg.json"):
        write(graph, tmp_path / name, "convert" if name.endswith((".py", ".json")) else "draw")
        assert (tmp_path / name).stat().st_size > 500
    compile((tmp_path / "g.py").read_text(), "g.py", "exec")


def test_programs_take_time_as_nodes() -> None:
    def seconds(length: int) -> float:
        graph = _chain(length)
        begin = time.process_time()
        to_source(graph)
        return time.process_time() - begin

    short = min(seconds(2000) for _ in range(3))
    assert seconds(20_000) < 40 * short
