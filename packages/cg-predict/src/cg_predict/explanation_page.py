"""The page of an explanation: one network, or two side by side, with drawings painted by what their parts contribute; and that of changes to one."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cg_ir.files import write_text
from cg_ir.graph import Graph
from cg_ir.page.graph import GRAPH_SCRIPTS, graph_data, graph_styles, save_html
from cg_ir.page.shell import asset, page


def explanation_page(document: Mapping[str, Any], graphs: Sequence[Graph]) -> str:
    """A self-contained HTML page.

    Args:
        document: what ``cg explain --json`` prints.
        graphs: its networks, in the same order.
    """
    networks = document["networks"]
    comparison = document.get("comparison")
    data = {f"graph-{i}": _painted(graph, row) for i, (graph, row) in enumerate(zip(graphs, networks, strict=True))}
    parts = [_side(_drawing(i, row) for i, row in enumerate(networks))]
    if comparison is not None:
        parts = [_verdict(comparison, networks), *parts, _why(comparison), _costs(comparison, networks)]
    named = len(networks) > 1
    parts.append(_side(_regions(row, named) + _relatives(row, named) for row in networks))
    title = " against ".join(row["source"] for row in networks)
    return page(
        f"Why: {title}",
        "\n".join(parts),
        data=data,
        scripts=[*(asset(name) for name in GRAPH_SCRIPTS), asset("explanation.js", "cg_predict")],
        styles=[*graph_styles(), asset("explanation.css", "cg_predict")],
        body_class="explanation",
    )


def save_explanation(document: Mapping[str, Any], graphs: Sequence[Graph], path: str | os.PathLike[str]) -> None:
    """Write `explanation_page`; the file appears whole or not at all."""
    write_text(path, explanation_page(document, graphs))


def save_changes(document: Mapping[str, Any], graphs: Sequence[Graph], folder: Path) -> None:
    """Write ``index.html``, a list of changes to a network with links, and the drawings that it links to.

    Args:
        document: what ``cg improve --json`` prints.
        graphs: the networks of its changes, in the same order.
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    devices = [name for name in document if name.startswith("latency@")]
    head = ("change", "what", "gain", "", "parameters", "MACs", *(f"ms on {d.partition('@')[2]}" for d in devices), "")
    largest = max(abs(row["gain"]) for row in document["changes"])
    lines = []
    for number, (row, graph) in enumerate(zip(document["changes"], graphs, strict=True), 1):
        title = f"{document['source']}: {row['what']}"
        save_html(graph, folder / f"{number}.html", title=title)
        costs = [f"{row['parameters']:,}", f"{row['macs']:,}", *(f"{row[d]:.3g}" for d in devices)]
        link = f'<a href="{number}.html" aria-label="drawing of {_text(row["change"])}">drawing</a>'
        gain = (f"{row['gain']:+.3f}", _bar(row["gain"], largest))
        lines.append(_row(row["change"], _text(row["what"]), *gain, *costs, link))
    own = [
        f"{document['parameters']:,} parameters, {document['macs']:,} MACs",
        *(f"{document[d]:.3g} ms" for d in devices),
    ]
    told = (
        f"<p>Score {document['score']:.3f}, {', '.join(own)}. Of {document['considered']} single changes the best.</p>"
    )
    body = told + _card("Changes, and what each is predicted to gain", _table(head, lines), 2)
    title = f"Changes to {document['source']}"
    styles = [*graph_styles(), asset("explanation.css", "cg_predict")]
    scripts = [asset("base.js"), 'document.getElementById("head-tools").append(cg.themeButton());']
    html_page = page(title, body, data={}, scripts=scripts, styles=styles, body_class="explanation")
    write_text(folder / "index.html", html_page)


def _painted(graph: Graph, row: Mapping[str, Any]) -> dict[str, Any]:
    """The drawing's data with contributions: of regions by path, of operators by node."""
    regions = {part["region"]: part["contribution"] for part in row["regions"]}
    return {
        **graph_data(graph),
        "paint": {"name": "contribution to the score", "regions": regions, "nodes": row.get("operators", {})},
    }


def _side(sections: Iterable[str]) -> str:
    """Sections side by side, below each other on a phone."""
    return f'<div class="side">{"".join(f"<section>{section}</section>" for section in sections)}</div>'


def _drawing(number: int, row: Mapping[str, Any]) -> str:
    return (
        f"<h2>{_text(row['source'])}</h2><p class='muted'>Score {row['score']:.3f}. Orange raises it, blue lowers it: a region by its contribution, "
        f"an operator by what its absence costs.</p>"
        f'<div class="drawing-of" data-graph="graph-{number}"></div>'
    )


def _regions(row: Mapping[str, Any], named: bool) -> str:
    largest = max((abs(part["contribution"]) for part in row["regions"]), default=0.0)
    widths = row["rest_narrower"] is not None
    lines = []
    for part in row["regions"]:
        half = [_signed(-part["narrower"], part["narrower_error"]) if "narrower" in part else ""] if widths else []
        cells = (_signed(part["contribution"], part["error"]), _bar(part["contribution"], largest))
        lines.append(_row(part["region"], *half, *cells))
    lines.append(_row("everything else", *([""] if widths else []), f"{row['rest']:+.3f}", ""))
    together = f"<p>Together most: {_text(', '.join(row['together']))} ({-row['fall']:+.3f} without them).</p>"
    heading = f"Regions of {row['source']}" if named else "Regions"
    return _card(
        heading, _table(("region", *(["half its width"] if widths else []), "contribution", ""), lines) + together
    )


def _relatives(row: Mapping[str, Any], named: bool) -> str:
    nearest = row.get("nearest", ())
    if not nearest:
        return ""
    lines = []
    for other in nearest:
        differs = "; ".join(
            f"{d['property']}: {d['here']} here, {d['there']} there" if d["here"] else d["property"]
            for d in other["differs"]
        )
        lines.append(_row(other["name"], _text(other["family"]), _text(differs)))
    heading = "Nearest labelled networks" + (f" to {row['source']}" if named else "")
    return _card(heading, _table(("network", "family", "what differs"), lines))


def _verdict(comparison: Mapping[str, Any], networks: Sequence[Mapping[str, Any]]) -> str:
    probability = comparison["probability_first_is_better"]
    if probability is None:
        return ""
    better, chance = (0, probability) if probability >= 0.5 else (1, 1 - probability)
    return f'<p class="verdict"><b>{_text(networks[better]["source"])}</b> is the better one with probability {chance:.2f}.</p>'


def _why(comparison: Mapping[str, Any]) -> str:
    shares = comparison["properties"]
    if not shares:
        return ""
    largest = max(abs(share["contribution"]) for share in shares)
    lines = [
        _row(
            share["property"],
            _text(share["first"]),
            _text(share["second"]),
            _signed(share["contribution"], share["error"]),
            _bar(share["contribution"], largest),
        )
        for share in shares
    ]
    total = sum(share["contribution"] for share in shares)
    head = ("property", "first", "second", "for the first", "")
    return _card(f"Why: properties, and what each makes of the difference of {total:+.3f}", _table(head, lines))


def _costs(comparison: Mapping[str, Any], networks: Sequence[Mapping[str, Any]]) -> str:
    lines = [_row(name, f"{a:,}", f"{b:,}") for name, (a, b) in comparison["costs"].items()]
    lines += [_row(f"ms on {name}", f"{a:.3g}", f"{b:.3g}") for name, (a, b) in comparison["latency_ms"].items()]
    head = ("", *(row["source"] for row in networks))
    return _card("Costs and latency", _table(head, lines))


def _card(heading: str, body: str, level: int = 3) -> str:
    """A table under its heading; where it is wider than a phone, it is scrolled, by keyboard too."""
    return f'<div class="card" role="region" tabindex="0" aria-label="{_text(heading)}"><h{level}>{_text(heading)}</h{level}>{body}</div>'


def _table(head: Sequence[str], lines: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col" class="name">{_text(name)}</th>' if name else "<td></td>" for name in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _row(name: str, *cells: str) -> str:
    """A line: the name is escaped, cells are markup already."""
    rest = "".join(f'<td class="bars">{c}</td>' if c.startswith("<span") else f"<td>{c}</td>" for c in cells)
    return f'<tr><td class="name">{_text(name)}</td>{rest}</tr>'


def _bar(value: float, largest: float) -> str:
    side = " loss" if value < 0 else ""
    return f'<span class="bar{side}" style="width:{100 * abs(value) / (largest or 1.0):.0f}%"></span>'


def _signed(value: float, error: float) -> str:
    return f"{value:+.3f}" + (f" ± {error:.3f}" if error else "")


def _text(text: str) -> str:
    return html.escape(text)
