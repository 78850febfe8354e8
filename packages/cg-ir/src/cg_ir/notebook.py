"""Tables for notebooks; whatever comes from data is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """An HTML table of text and numbers; numbers stand right, None is empty, ``title`` is a line above."""
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in headings)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    caption = f'<div style="overflow-wrap:anywhere">{html.escape(title)}</div>' if title else ""
    return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
        return f'<td style="text-align:right;white-space:nowrap">{text}</td>'
    return f'<td style="text-align:left;overflow-wrap:anywhere">{html.escape("" if value is None else str(value))}</td>'
