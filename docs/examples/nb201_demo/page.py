"""The demo's report: one self-contained HTML page, light or dark as the reader prefers."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable, Sequence

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>NAS-Bench-201, ranked and searched</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; }}
html {{ background: Canvas; color: CanvasText; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }}
tr.ours td {{ font-weight: 600; background: var(--soft); }}
figure {{ margin: 1rem 0; }} figure > svg, .drawing img {{ max-width: 100%; height: auto; }} figure text {{ fill: currentColor; }}
figcaption, .note {{ opacity: .75; font-size: .9rem; }}
code {{ overflow-wrap: anywhere; }}
</style></head><body><main>
<h1>NAS-Bench-201, ranked and searched</h1>
<p>All {cells:,} cells as computation graphs, CIFAR-10 accuracies as labels. The predictor learned from other families only ({sources}); NAS-Bench-201 is left out.
Every method is given the same labels.</p>
<h2>Ranking all cells</h2>
<p class="note">Means of {draws} draws of labels with standard deviation; the last column is the true rank of the cell that the method puts first (median and range).</p>
<div class="scroll" tabindex="0" role="region" aria-label="Ranking">{ranking_table}</div>
<figure>{ranking_figure}<figcaption>Spearman correlation with the true accuracies; bars are one standard deviation over draws.</figcaption></figure>
<h2>Searching with {budget} evaluations</h2>
<p class="note">Medians of {seeds} seeds with range. The top 0.1 % are {top} cells.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Search">{search_table}</div>
<figure>{search_figure}<figcaption>Distance of the best cell found so far from the best of all; median and quartiles.</figcaption></figure>
<h2>The best cell found</h2>
<p><code>{arch}</code></p>
<p>{best:.2f} % accuracy, true rank {best_rank}; {params:,} parameters, {macs:,} MACs.</p>
<h3>The cell</h3><div class="drawing">{cell}</div>
<h3>The network</h3><div class="drawing">{network}</div>
<p class="note">Made in {seconds:.0f} s: {build:.1f} s for building the graphs of all cells, {score:.1f} s for embedding and scoring them without labels. Python {python}.</p>
</main></body></html>
"""


def table_html(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in headings)
    body = "".join(
        f"<tr{' class=ours' if row[0] == 'cg' else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(svg: str, title: str) -> str:
    """A drawing as an image of its own, so that its identifiers meet no others."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/svg+xml;base64,{data}">'


def figure(draw: Callable[[plt.Axes], None], title: str) -> str:
    """A matplotlib figure as inline SVG, with a title for screen readers; its text takes the page's colour."""
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "cg",
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        canvas, axes = plt.subplots(figsize=(6.4, 3.6))
        draw(axes)
        text = io.StringIO()
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None}, bbox_inches="tight")
        plt.close(canvas)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)
    prefix = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("#000000", "currentColor")
