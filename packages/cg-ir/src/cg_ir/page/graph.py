"""The interactive page of a graph: folding of regions, zoom, search, and every node's numbers."""

from __future__ import annotations

import os
from typing import Any

from cg_ir.drawing.labels import kind, label
from cg_ir.drawing.style import HUES
from cg_ir.errors import CgError
from cg_ir.files import write_text
from cg_ir.graph import Graph, Node
from cg_ir.operators import OPERATORS
from cg_ir.page.shell import asset, page
from cg_ir.region_tree import Region, region_order, region_paths, region_tree

#: Assets of the graph view, in the order in which a page needs them.
GRAPH_SCRIPTS = (
    "vendor/dagre.min.js",
    "base.js",
    "graph-model.js",
    "graph-columns.js",
    "graph-layout.js",
    "graph-zoom.js",
    "graph-draw.js",
    "graph-panel.js",
    "graph-view.js",
)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(map(_text, value[:16])) + (f", ... ({len(value)} in all)" if len(value) > 16 else "")
        return shown or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def graph_styles() -> list[str]:
    """Style sheets of the graph view; hues are those of the SVG drawings."""
    hues = "".join(f".kind-{name}{{--hue:light-dark({light},{dark})}}" for name, (light, dark) in HUES.items())
    return [asset("base.css"), asset("graph.css"), hues]


def _signature_data(node: Node) -> dict[str, Any]:
    signature = node.signature
    operator = OPERATORS[signature.op]
    given = dict(signature.items)
    return {
        "op": signature.op,
        "kind": kind(signature.op),
        "caption": label(node),
        "doc": operator.doc,
        "attrs": [[name, _text(value), name not in given] for name, value in signature.attrs.items()],
        "shape": list(signature.shape),
        "inputs": [list(shape) for shape in signature.input_shapes],
        "params": signature.params,
        "macs": signature.macs,
    }


def _regions(graph: Graph) -> tuple[list[tuple[str, int]], list[int]]:
    """Name and place of the surrounding region of each region that can be folded, the whole first, and the region of each node."""
    paths = region_paths(graph)
    found: list[tuple[str, int]] = []
    home = [0] * len(paths)

    def add(region: Region, around: int) -> None:
        here = len(found)
        found.append((".".join(region.path), around))
        for item in region.items:
            if isinstance(item, Region):
                add(item, here)
            else:
                home[item] = here

    add(region_tree(region_order(graph.input_lists(), paths), paths), 0)
    return found, home


def graph_data(graph: Graph, depth: int | None = None) -> dict[str, Any]:
    """What the graph view reads: JSON values; nodes refer to distinct signatures, so repetitive networks stay small.

    Args:
        graph: the graph.
        depth: levels of regions that are open at first; chosen by size if None.
    """
    codes = graph.codes.tolist()
    first: dict[int, int] = {}
    for index, code in enumerate(codes):
        first.setdefault(code, index)
    local = {code: number for number, code in enumerate(first)}
    tree, home = _regions(graph)
    producer = " ".join(str(graph.producer[key]) for key in ("name", "version") if key in graph.producer)
    return {
        "name": graph.name,
        "hash": graph.hash,
        "params": graph.params,
        "macs": graph.macs,
        "depth": graph.depth,
        "open": depth,
        "producer": producer,
        "signatures": [_signature_data(graph.nodes[index]) for index in first.values()],
        "codes": [local[code] for code in codes],
        "inputs": graph.input_lists(),
        "regions": list(graph.region_names),
        "region": graph.region_codes.tolist(),
        "tree": tree,
        "home": home,
        "weights": {str(index): key for index, key in graph.weight_keys.items()},
    }


def graph_page(
    graph: Graph, title: str = "", *, depth: int | None = None, theme: str = "auto", simplify: bool = False
) -> str:
    """One self-contained HTML document that shows a graph.

    Args:
        graph: the graph; its names may hold anything.
        title: heading of the page; the graph's name where empty.
        depth: levels of regions that are open at first; chosen by size if None.
        theme: ``light``, ``dark``, or ``auto`` for what the viewer prefers.
        simplify: leave out layout operators.

    Raises:
        CgError: an unknown theme, a negative depth.
    """
    if depth is not None and depth < 0:
        raise CgError(f"depth should be 0 or more, not {depth}")
    shown = graph.simplify() if simplify else graph
    return page(
        title or graph.name or "Graph",
        '<div id="graph" style="height:100%"></div>',
        data={"graph-data": graph_data(shown, depth)},
        scripts=[asset(name) for name in (*GRAPH_SCRIPTS, "graph-page.js")],
        styles=graph_styles(),
        body_class="graph-page",
        theme=theme,
    )


def save_html(graph: Graph, path: str | os.PathLike[str], **options: Any) -> None:
    """Write the page of :func:`graph_page`; the file appears whole or not at all."""
    write_text(path, graph_page(graph, **options))
