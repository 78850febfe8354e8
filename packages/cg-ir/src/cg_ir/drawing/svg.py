"""A graph as an SVG drawing: boxes of operators in framed regions, laid out without any other program."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

from cg_ir.drawing.labels import count, kind, printable, text_width
from cg_ir.drawing.layered import Edge, Item, Layout, layered
from cg_ir.drawing.stacks import Box, Frame, stacks
from cg_ir.drawing.style import KINDS, stylesheet
from cg_ir.errors import CgError
from cg_ir.files import write_text
from cg_ir.graph import Graph
from cg_ir.region_tree import region_depth

if TYPE_CHECKING:
    import os

_ROW = 21.0
_TITLE = 20.0
_PAD = 12.0
_HEADER = 22.0
_FONT = 12.0
_SMALL = 10.5
#: Boxes up to which regions are shown open.
_MANY = 400
#: Boxes that a drawing has at least where every region is folded.
_FEW = 4


def to_svg(
    graph: Graph,
    *,
    depth: int | None = None,
    title: str | None = None,
    theme: str = "auto",
    simplify: bool = False,
) -> str:
    """Draw a graph.

    Chains of operators share a box, one line each; regions are frames. A line shows the operator, its parameters (p) and
    multiply-accumulates; a small label under a box is the shape of what leaves it, without the batch of 1. Hovering shows everything
    about an operator. Equal graphs give equal text.

    Args:
        graph: what to draw.
        depth: levels of regions that are shown open; deeper regions are folded into one box. Chosen by size if None.
        title: heading; the graph's name if None.
        theme: ``light``, ``dark``, or ``auto`` for what the viewer prefers.
        simplify: leave out layout operators.

    Returns:
        A complete SVG document, readable to screen readers by its title and description.

    Raises:
        CgError: an unknown theme, a negative depth.
    """
    if theme not in ("auto", "light", "dark"):
        raise CgError(f"theme should be auto, light or dark, not {theme!r}")
    if depth is not None and depth < 0:
        raise CgError(f"depth should be 0 or more, not {depth}")
    shown = graph.simplify() if simplify else graph
    root, home = _choose(shown, depth)
    heading = graph.name if title is None else title
    return _Picture(graph, shown, root, home, heading, theme).text()


def save_svg(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    depth: int | None = None,
    theme: str = "auto",
    simplify: bool = False,
) -> None:
    """Write :func:`to_svg`'s drawing to a file."""
    write_text(path, to_svg(graph, depth=depth, theme=theme, simplify=simplify))


def _choose(graph: Graph, depth: int | None) -> tuple[Frame, dict[int, Box]]:
    deepest = region_depth(graph)
    if depth is not None:
        return stacks(graph, min(depth, deepest))
    for levels in range(deepest, -1, -1):
        found = stacks(graph, levels)
        if (0 if levels else _FEW) <= len(set(map(id, found[1].values()))) <= _MANY:
            return found
    return stacks(graph, min(1, deepest))


@dataclass
class _Placed:
    """A frame whose inside is laid out."""

    layout: Layout
    items: dict[int, Item]
    doors: list[Item] = field(default_factory=list)


class _Picture:
    def __init__(self, graph: Graph, shown: Graph, root: Frame, home: dict[int, Box], heading: str, theme: str) -> None:
        self.graph = graph
        self.shown = shown
        self.root = root
        self.heading = heading if len(heading) <= 90 else heading[:89] + "…"
        self.theme = theme
        self.flows = _flows(shown, home)
        self.placed: dict[int, _Placed] = {}
        self.inside: dict[int, set[int]] = {}
        self.parts: dict[str, list[str]] = {"frames": [], "edges": [], "boxes": []}
        self.arrows: set[int] = {id(target) for _, target in self.flows}
        #: 1 where the label of a box's shape stands right of its edge, -1 left
        self.sides: dict[int, int] = {}
        self.sources: set[int] = {id(source) for source, _ in self.flows}
        boxes = {id(box): box for box in home.values()}
        for box in boxes.values():
            _measure(box)
        area = sum((box.width + 30) * (box.height + 44) for box in boxes.values())
        self.tallest = max(1300.0, 1.5 * sqrt(area))

    # --- layout ---------------------------------------------------------------------------------------------------

    def boxes_of(self, part: Box | Frame) -> set[int]:
        if isinstance(part, Box):
            return {id(part)}
        known = self.inside.get(id(part))
        if known is None:
            known = set().union(*(self.boxes_of(child) for child in part.children)) if part.children else set()
            self.inside[id(part)] = known
        return known

    def place(self, frame: Frame, flows: list[tuple[Box, Box]]) -> Item:
        """Lay out a frame's inside; returns the frame as an item with its doors."""
        items: dict[int, Item] = {}
        owner: dict[int, int] = {}
        for child in frame.children:
            for key in self.boxes_of(child):
                owner[key] = id(child)
        for child in frame.children:
            if isinstance(child, Box):
                items[id(child)] = Item(child.width, child.height)
            else:
                own = self.boxes_of(child)
                items[id(child)] = self.place(child, [f for f in flows if id(f[0]) in own or id(f[1]) in own])
        ways_in: dict[int, Item] = {}
        ways_out: dict[int, Item] = {}
        edges: dict[tuple[int, int, int], Edge] = {}
        bends: dict[int, list[float]] = {}
        for source, target in flows:
            a, b = owner.get(id(source)), owner.get(id(target))
            if a is not None and a == b:
                continue
            if a is None:
                start = ways_in.setdefault(id(source), Item(6.0, 0.0, pin="first"))
            else:
                start = items[a]
            if b is None:
                end = ways_out.setdefault(id(source), Item(6.0, 0.0, pin="last"))
            else:
                end = items[b]
            if a is None and b is None:
                continue
            edges.setdefault((id(start), id(end), id(source)), Edge(start, end, id(source)))
        every = [*ways_in.values(), *items.values(), *ways_out.values()]
        layout = layered(every, list(edges.values()), tallest=self.tallest)
        for (_, _, key), line in zip(edges, layout.lines, strict=True):
            turn = next((float(x) - float(line[0][1]) for _, x, _ in line if x != line[0][1]), 0.0)  # type: ignore[arg-type]
            bends.setdefault(key, []).append(turn)
        for child in frame.children:
            turns = bends.get(id(child), [])
            if turns and max(turns) > 0.5 and max(turns) > -min(turns):
                self.sides[id(child)] = -1
        self.placed[id(frame)] = _Placed(layout, items, [*ways_in.values(), *ways_out.values()])
        if frame is self.root:
            return Item(layout.width, layout.height)
        name = 1.1 * text_width(frame.title, _SMALL) + text_width(frame.cost, _SMALL) + 40
        width = max(layout.width + 2 * _PAD, name)
        shift = (width - layout.width) / 2
        whole = Item(width, layout.height + _HEADER + _PAD)
        for key, door in ways_in.items():
            whole.entries[key] = door.x + shift + 3.0
        for key, door in ways_out.items():
            whole.ports[key] = door.x + shift + 3.0
        return whole

    # --- drawing --------------------------------------------------------------------------------------------------

    def draw(self, frame: Frame, left: float, top: float, level: int) -> None:
        placed = self.placed[id(frame)]
        for line in placed.layout.lines:
            self.parts["edges"].append(_path(line, left, top))
        for door in placed.doors:
            x = left + door.x + 3.0
            y = top + door.y
            reach = (y - _HEADER, y) if door.pin == "first" else (y, top + placed.layout.height + _PAD)
            self.parts["edges"].append(f'<path d="M{_n(x)} {_n(reach[0])}V{_n(reach[1])}"/>')
        for child in frame.children:
            item = placed.items[id(child)]
            x, y = left + item.x, top + item.y
            if isinstance(child, Box):
                self.box(child, x, y)
                continue
            tint = level % 2
            name = escape(child.title)
            self.parts["frames"].append(
                f'<g><title>{escape(child.tip)}</title><rect class="cg-frame cg-tint{tint}" x="{_n(x)}" y="{_n(y)}" '
                f'width="{_n(item.width)}" height="{_n(item.height)}" rx="9"/></g>'
            )
            self.parts["boxes"].append(
                f'<text class="cg-region cg-halo{tint}" x="{_n(x + 10)}" y="{_n(y + 15)}">{name}</text>'
                f'<text class="cg-small cg-end cg-halo{tint}" x="{_n(x + item.width - 10)}" y="{_n(y + 15)}">{escape(child.cost)}</text>'
            )
            inner = self.placed[id(child)].layout
            self.draw(child, x + (item.width - inner.width) / 2, y + _HEADER, level + 1)

    def box(self, box: Box, x: float, y: float) -> None:
        out = self.parts["boxes"]
        middle = x + box.width / 2
        folded = " cg-folded" if box.folded else ""
        out.append("<g>")
        if box.folded:
            out.append(
                f'<rect class="cg-box" x="{_n(x + 4)}" y="{_n(y + 4)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="6"/>'
            )
        out.append(
            f'<rect class="cg-box{folded}" x="{_n(x)}" y="{_n(y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="6"/>'
        )
        line = y + 3.0
        if box.title:
            out.append(f'<text class="cg-region" x="{_n(x + 10)}" y="{_n(line + 14)}">{escape(box.title)}</text>')
            if box.cost:
                out.append(
                    f'<text class="cg-small cg-end" x="{_n(x + box.width - 9)}" y="{_n(line + 14)}">{escape(box.cost)}</text>'
                )
            line += _TITLE
        for row in box.rows:
            tip = f"<title>{escape(row.tip)}</title>" if row.tip else ""
            out.append(
                f'<g>{tip}<rect class="cg-row cg-{row.kind}" x="{_n(x + 3)}" y="{_n(line)}" width="{_n(box.width - 6)}" '
                f'height="{_n(_ROW - 2)}" rx="4"/><rect class="cg-bar cg-{row.kind}" x="{_n(x + 3)}" y="{_n(line)}" width="4" '
                f'height="{_n(_ROW - 2)}" rx="2"/><text class="cg-op" x="{_n(x + 13)}" y="{_n(line + 14)}">{escape(row.text)}</text>'
            )
            if row.cost:
                out.append(
                    f'<text class="cg-small cg-end" x="{_n(x + box.width - 9)}" y="{_n(line + 13.5)}">{escape(row.cost)}</text>'
                )
            out.append("</g>")
            line += _ROW
        if id(box) in self.arrows:
            out.append(f'<path class="cg-head" d="M{_n(middle - 4)} {_n(y - 6)}h8l-4 6z"/>')
        if id(box) in self.sources:
            side = self.sides.get(id(box), 1)
            anchor = "" if side > 0 else " cg-end"
            out.append(
                f'<text class="cg-shape{anchor}" x="{_n(middle + 5 * side)}" y="{_n(y + box.height + 12)}">{escape(box.shape)}</text>'
            )
        out.append("</g>")

    def text(self) -> str:
        whole = self.place(self.root, self.flows)
        graph = self.graph
        operators = sum(1 for node in self.shown.nodes if kind(node.op) != "source")
        facts = " · ".join(
            [
                f"{count(graph.params)} parameters (p)",
                f"{count(graph.macs)} MACs",
                f"{operators} operators",
            ]
        )
        used = [name for name in KINDS if any(kind(node.op) == name for node in self.shown.nodes)]
        legend_width = sum(text_width(KINDS[name], _SMALL) + 30 for name in used)
        margin, head = 24.0, 78.0 if self.heading else 56.0
        bold = 1.2 * text_width(self.heading, 17.0)
        width = max(whole.width, legend_width, bold, text_width(facts, _FONT)) + 2 * margin
        height = whole.height + head + margin
        self.draw(self.root, (width - whole.width) / 2, head, 0)
        described = (
            f"{self.heading or 'A neural network'}: {graph.params:,} parameters, {graph.macs:,} multiply-accumulates, "
            f"{operators} operators in {len(self.boxes_of(self.root))} boxes; data flows from top to bottom."
        )
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="cg-svg cg-theme-{self.theme}" viewBox="0 0 {_n(width)} {_n(height)}" '
            f'width="{_n(width)}" height="{_n(height)}" role="img" aria-labelledby="cg-title cg-desc">',
            f'<title id="cg-title">{escape(self.heading or "Computation graph")}</title>',
            f'<desc id="cg-desc">{escape(described)}</desc>',
            f"<style>{stylesheet()}</style>",
            f'<rect class="cg-page" width="{_n(width)}" height="{_n(height)}"/>',
        ]
        y = 30.0
        if self.heading:
            lines.append(f'<text class="cg-heading" x="{_n(margin)}" y="{_n(y)}">{escape(self.heading)}</text>')
            y += 20.0
        lines.append(f'<text class="cg-facts" x="{_n(margin)}" y="{_n(y)}">{escape(facts)}</text>')
        x = margin
        for name in used:
            lines.append(
                f'<rect class="cg-bar cg-{name}" x="{_n(x)}" y="{_n(y + 9)}" width="10" height="10" rx="3"/>'
                f'<text class="cg-small" x="{_n(x + 14)}" y="{_n(y + 18)}">{escape(KINDS[name])}</text>'
            )
            x += text_width(KINDS[name], _SMALL) + 30
        lines += ["<g>", *self.parts["frames"], "</g>"]
        lines += ['<g class="cg-edges">', *self.parts["edges"], "</g>"]
        lines += ["<g>", *self.parts["boxes"], "</g>", "</svg>"]
        return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """The text as XML."""
    return html.escape(printable(text))


def _measure(box: Box) -> None:
    width = 92.0
    for row in box.rows:
        cost = text_width(row.cost, _SMALL) + 14 if row.cost else 0.0
        width = max(width, text_width(row.text, _FONT) + cost + 26)
    if box.title or box.cost:
        width = max(width, 1.1 * text_width(box.title, _SMALL) + text_width(box.cost, _SMALL) + 34)
    box.width = round(width)
    box.height = _ROW * len(box.rows) + 4.0 + (_TITLE if box.title else 0.0)


def _flows(graph: Graph, home: dict[int, Box]) -> list[tuple[Box, Box]]:
    """Which box reads which, once a pair."""
    found: dict[tuple[int, int], tuple[Box, Box]] = {}
    for index, ins in enumerate(graph.input_lists()):
        target = home.get(index)
        for i in ins:
            source = home.get(i)
            if source is not None and target is not None and source is not target:
                found.setdefault((id(source), id(target)), (source, target))
    return list(found.values())


def _n(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _path(line: list[tuple[object, ...]], left: float, top: float) -> str:
    """Drawing commands of a layout as an SVG path."""
    points = [(str(c), left + float(x), top + float(y)) for c, x, y in line]  # type: ignore[arg-type]
    _, x, y = points[0]
    text = [f"M{_n(x)} {_n(y)}"]
    for i, (command, ex, ey) in enumerate(points[1:], 1):
        if abs(ex - x) < 0.05 and abs(ey - y) < 0.05:
            continue
        if command == "S" and abs(ex - x) >= 0.05:
            middle = (y + ey) / 2
            text.append(f"C{_n(x)} {_n(middle)} {_n(ex)} {_n(middle)} {_n(ex)} {_n(ey)}")
        elif command == "C" and i + 1 < len(points):
            # a rounded corner at (ex, ey) towards the next point
            _, nx, ny = points[i + 1]
            radius = min(7.0, (abs(ex - x) + abs(ey - y)) / 2, (abs(nx - ex) + abs(ny - ey)) / 2)
            bx, by = _toward(ex, ey, x, y, radius)
            ax, ay = _toward(ex, ey, nx, ny, radius)
            text.append(f"L{_n(bx)} {_n(by)}Q{_n(ex)} {_n(ey)} {_n(ax)} {_n(ay)}")
            x, y = ax, ay
            continue
        else:
            text.append(f"L{_n(ex)} {_n(ey)}")
        x, y = ex, ey
    return f'<path d="{"".join(text)}"/>'


def _toward(x: float, y: float, tx: float, ty: float, distance: float) -> tuple[float, float]:
    length = abs(tx - x) + abs(ty - y)
    if length == 0:
        return x, y
    return x + (tx - x) / length * distance, y + (ty - y) / length * distance
