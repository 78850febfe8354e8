"""What notebooks show: complete, and nothing of the data is markup."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from cg_ir import GraphBuilder
from cg_ir.difference import diff
from cg_ir.notebook import html_table


def parse(text):
    return ElementTree.fromstring(f"<div>{text}</div>")


def network(channels, name="<b>&net"):
    b = GraphBuilder(name)
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="<i>")
    if channels > 8:
        x = b.add("Relu", x)
    b.output(x)
    return b.build()


def test_tables_are_escaped_and_numbers_grouped():
    root = parse(html_table(("a", "<b>"), [(12345, "<i>&"), (0.25, None)], title="<t>"))
    assert [cell.text for cell in root.iter("td")] == ["12,345", "<i>&", "0.25", None]
    assert [cell.text for cell in root.iter("th")] == ["a", "<b>"]
    assert root.find("div").text == "<t>"


def test_a_difference_shows_costs_and_operators():
    found = diff(network(8), network(16))
    cells = [cell.text or "" for cell in parse(found._repr_html_()).iter("td")]
    assert cells[:4] == ["parameters", f"{3 * 8 * 9:,}", f"{3 * 16 * 9:,}", f"{3 * 8 * 9:,}"]
    signs = {line[0] for line in found.to_text().splitlines() if line[0] in "+-~"}
    assert signs <= set(cells)
    assert any("Relu" in cell for cell in cells)
    assert "equal" in diff(network(8), network(8))._repr_html_()
