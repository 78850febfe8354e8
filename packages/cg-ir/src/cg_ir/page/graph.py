"""The interactive page of a graph: folding of regions, zoom, search, and every node's numbers."""

from __future__ import annotations

from typing import Any

from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS
from cg_ir.page.shell import asset, page
from cg_ir.signature import Signature

__all__ = ["GRAPH_SCRIPTS", "GRAPH_STYLES", "caption", "graph_data", "graph_page"]

#: Assets of the graph view, in the order in which a page needs them.
GRAPH_SCRIPTS = (
    "vendor/dagre.min.js",
    "base.js",
    "graph-model.js",
    "graph-layout.js",
    "graph-zoom.js",
    "graph-draw.js",
    "graph-panel.js",
    "graph-view.js",
)
GRAPH_STYLES = ("base.css", "graph.css")


def caption(signature: Signature) -> str:
    """A few words for a box: operator, window, stride, groups (``Conv 3×3 /2``)."""
    attrs = signature.attrs
    words = [str(attrs["name"]) if signature.op == "Custom" else signature.op]
    if kernel := attrs.get("kernel_shape"):
        words.append("×".join(map(str, kernel)))
    if (strides := attrs.get("strides")) and any(step != 1 for step in strides):
        words.append("/" + "×".join(map(str, strides if len(set(strides)) > 1 else strides[:1])))
    if (dilations := attrs.get("dilations")) and any(step != 1 for step in dilations):
        words.append("dilated " + "×".join(map(str, dilations if len(set(dilations)) > 1 else dilations[:1])))
    if (group := attrs.get("group", 1)) != 1:
        channels = signature.input_shapes[0][1] if len(signature.input_shapes[0]) > 1 else 0
        words.append("depthwise" if group == channels else f"{group} groups")
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(map(_text, value[:16])) + (f", ... ({len(value)} in all)" if len(value) > 16 else "")
        return shown or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _signature_data(signature: Signature) -> dict[str, Any]:
    operator = OPERATORS[signature.op]
    given = dict(signature.items)
    return {
        "op": signature.op,
        "kind": operator.kind,
        "caption": caption(signature),
        "doc": operator.doc,
        "attrs": [[name, _text(value), name not in given] for name, value in signature.attrs.items()],
        "shape": list(signature.shape),
        "inputs": [list(shape) for shape in signature.input_shapes],
        "params": signature.params,
        "macs": signature.macs,
    }


def graph_data(graph: Graph) -> dict[str, Any]:
    """What the graph view reads: JSON values; nodes refer to distinct signatures, so repetitive networks stay small."""
    codes = graph.codes.tolist()
    local = {code: index for index, code in enumerate(dict.fromkeys(codes))}
    producer = " ".join(str(graph.producer[key]) for key in ("name", "version") if key in graph.producer)
    return {
        "name": graph.name,
        "hash": graph.hash,
        "params": graph.params,
        "macs": graph.macs,
        "depth": graph.depth,
        "producer": producer,
        "signatures": [_signature_data(graph.signatures[code]) for code in local],
        "codes": [local[code] for code in codes],
        "inputs": graph.input_lists(),
        "regions": list(graph.region_names),
        "region": graph.region_codes.tolist(),
        "weights": {str(index): key for index, key in graph.weight_keys.items()},
    }


def graph_page(graph: Graph, title: str = "") -> str:
    """One self-contained HTML document that shows a graph.

    Args:
        graph: the graph; its names may hold anything.
        title: heading of the page; the graph's name where empty.
    """
    return page(
        title or graph.name or "Graph",
        '<div id="graph" style="height:100%"></div>',
        data={"graph-data": graph_data(graph)},
        scripts=[asset(name) for name in (*GRAPH_SCRIPTS, "graph-page.js")],
        styles=[asset(name) for name in GRAPH_STYLES],
        body_class="graph-page",
    )
