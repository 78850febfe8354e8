"""Charts of a run as inline SVG, drawn by matplotlib (extra ``report``); their colours follow the page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from cg_ir.errors import MissingExtra

__all__ = ["Series", "chart"]

Series = tuple[str, Sequence[float], Sequence[float], str]
"""Label, x, y and style: ``line``, ``steps``, ``dots`` or ``faint`` dots."""

#: Stand-ins that matplotlib writes and the page's own colours that replace them.
_INK, _GRID = "#010203", "#040506"
_COLOURS = ("#0a0b0c", "#0d0e0f", "#101112", "#131415", "#161718", "#191a1b")
_PAGE = {
    _INK: "currentColor",
    _GRID: "var(--line)",
    _COLOURS[0]: "var(--accent)",
    _COLOURS[1]: "var(--mark)",
    _COLOURS[2]: "var(--good)",
    _COLOURS[3]: "var(--muted)",
    _COLOURS[4]: "var(--bad)",
    _COLOURS[5]: "var(--strong-line)",
}


def chart(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    *,
    bands: Sequence[tuple[Sequence[float], Sequence[float], Sequence[float]]] = (),
    log_y: bool = False,
    log_x: bool = False,
    draw: Callable[[Any], None] | None = None,
) -> str:
    """One chart.

    Args:
        title: what a screen reader says; not drawn.
        x_label, y_label: of the axes.
        series: what to draw, each in its own colour.
        bands: for each series x, lower and upper bound of a shaded band.
        log_y, log_x: logarithmic axes.
        draw: does more to the axes.

    Returns:
        an ``<svg>`` element that scales to the width of its container.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("cg-evolve", "report", "a report") from None
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 10, "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for number, (label, x, y, style) in enumerate(series):
            colour = _COLOURS[number % len(_COLOURS)]
            if style in ("dots", "faint"):
                axes.plot(x, y, "o", color=colour, markersize=3.5, alpha=0.45 if style == "faint" else 0.9, label=label, mew=0)
            else:
                axes.plot(x, y, color=colour, linewidth=1.8, drawstyle="steps-post" if style == "steps" else "default", label=label)
            if number < len(bands):
                bx, low, high = bands[number]
                axes.fill_between(bx, low, high, color=colour, alpha=0.15, linewidth=0)
        if log_y:
            axes.set_yscale("log")
        if log_x:
            axes.set_xscale("log")
        axes.set_xlabel(x_label, color=_INK)
        axes.set_ylabel(y_label, color=_INK)
        axes.tick_params(colors=_INK, which="both")
        axes.grid(color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_color(_GRID)
        if draw is not None:
            draw(axes)
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=_INK)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for stand_in, colour in _PAGE.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 role="img" class="chart"', text, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
