"""Layered layout of one frame's contents, after Sugiyama, Tagawa and Toda (1981).

Ranks by longest path; edges that skip ranks run through invisible points; order within a rank by barycentres of neighbours; positions
by least squares under the order (pool adjacent violators, as in isotonic regression). A tall result is broken into columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import sqrt

_SWEEPS = 12
_ALIGN = 16
#: Width from which items are lined up by their middles.
_WIDE = 420.0
#: Width over height, about, beyond which a drawing has fewer columns.
_WIDEST = 1.3
#: Distance of edges that run side by side from column to column.
_LANE = 9.0


@dataclass(eq=False)
class Item:
    """Something with a place: a box, a frame, a point of the frame's border, or a point that an edge passes.

    Attributes:
        width, height: its size.
        ports: offsets from the left edge where named edges leave; the middle where absent.
        entries: the same for edges that arrive.
        pin: 'first' or 'last' for points of the border.
        rank, x, y: where it lies; top and bottom are those of its rank.
        passes: a point that an edge passes.
    """

    width: float
    height: float
    ports: dict[Hashable, float] = field(default_factory=dict)
    entries: dict[Hashable, float] = field(default_factory=dict)
    pin: str = ""
    rank: int = 0
    x: float = 0.0
    y: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    passes: bool = False


@dataclass(frozen=True)
class Edge:
    """From an item to another; ``key`` names what flows, so that edges of one source run together."""

    source: Item
    target: Item
    key: Hashable


@dataclass
class Layout:
    """Where everything is.

    Attributes:
        width, height: of the whole.
        lines: for each edge, its path: drawing commands ('M', x, y), ('V', y), ('S', x, y) with vertical tangents, ('L', x, y).
    """

    width: float
    height: float
    lines: list[list[tuple[object, ...]]]


def _ranks(items: Sequence[Item], edges: Sequence[Edge]) -> int:
    """Longest paths, then sources as low as they can; returns the number of ranks."""
    place = {item: i for i, item in enumerate(items)}
    into: list[list[int]] = [[] for _ in items]
    out: list[list[int]] = [[] for _ in items]
    for edge in edges:
        into[place[edge.target]].append(place[edge.source])
        out[place[edge.source]].append(place[edge.target])
    waiting = [len(sources) for sources in into]
    queue = [i for i, count in enumerate(waiting) if not count]
    order = []
    while queue:
        i = queue.pop()
        order.append(i)
        for j in out[i]:
            waiting[j] -= 1
            if not waiting[j]:
                queue.append(j)
    has_first = any(item.pin == "first" for item in items)
    for i in order:
        lowest = 1 if has_first and items[i].pin != "first" else 0
        items[i].rank = max([items[j].rank + 1 for j in into[i]], default=lowest)
        items[i].rank = max(items[i].rank, lowest)
    for i in reversed(order):
        if not into[i] and items[i].pin != "first" and out[i]:
            items[i].rank = max(items[i].rank, min(items[j].rank for j in out[i]) - 1)
    last = max((item.rank for item in items if item.pin != "last"), default=-1) + 1
    for item in items:
        if item.pin == "last":
            item.rank = last
    return max((item.rank for item in items), default=0) + 1


@dataclass(frozen=True)
class _Link:
    """Between neighbouring ranks."""

    source: Item
    target: Item
    key: Hashable

    def start(self) -> float:
        return self.source.ports.get(self.key, self.source.width / 2)

    def end(self) -> float:
        return self.target.entries.get(self.key, self.target.width / 2)


def _links(edges: Sequence[Edge], rows: list[list[Item]]) -> tuple[list[_Link], list[list[_Link]]]:
    """Edges cut into links by points on the ranks that they skip; edges of one source share the points."""
    chains: dict[tuple[Item, Hashable], list[Item]] = {}
    links: dict[tuple[Item, Item, Hashable], _Link] = {}
    routes: list[list[_Link]] = []

    def link(a: Item, b: Item, key: Hashable) -> _Link:
        return links.setdefault((a, b, key), _Link(a, b, key))

    for edge in edges:
        chain = chains.setdefault((edge.source, edge.key), [])
        route = []
        here = edge.source
        for step, rank in enumerate(range(edge.source.rank + 1, edge.target.rank)):
            if step == len(chain):
                point = Item(8.0, 0.0, rank=rank, passes=True)
                chain.append(point)
                rows[rank].append(point)
            route.append(link(here, chain[step], edge.key))
            here = chain[step]
        route.append(link(here, edge.target, edge.key))
        routes.append(route)
    return list(links.values()), routes


def _crossings(rows: list[list[Item]], downs: dict[Item, list[_Link]]) -> int:
    total = 0
    for row in rows[:-1]:
        ends: list[float] = []
        for item in row:
            mine = [link.target.x + link.end() / (link.target.width + 1.0) for link in downs.get(item, [])]
            for x in mine:
                total += sum(1 for other in ends if other > x)
            ends += mine
    return total


def _by_end(links: Sequence[_Link]) -> tuple[dict[Item, list[_Link]], dict[Item, list[_Link]]]:
    """The links that come into each item from above, and those that leave it downwards."""
    ups: dict[Item, list[_Link]] = {}
    downs: dict[Item, list[_Link]] = {}
    for one in links:
        ups.setdefault(one.target, []).append(one)
        downs.setdefault(one.source, []).append(one)
    return ups, downs


def _arrange(rows: list[list[Item]], links: Sequence[_Link]) -> None:
    """Order the items of each rank to cross few edges; ``x`` holds the place meanwhile."""
    ups, downs = _by_end(links)
    for row in rows:
        for i, item in enumerate(row):
            item.x = float(i)
    if all(len(row) <= 1 for row in rows):
        return
    best = _crossings(rows, downs)
    kept = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        if best == 0 and sweep:
            break
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = {}
            for i, item in enumerate(row):
                if down:
                    mine = [k.source.x + k.start() / (k.source.width + 1.0) for k in ups.get(item, [])]
                else:
                    mine = [k.target.x + k.end() / (k.target.width + 1.0) for k in downs.get(item, [])]
                wanted[item] = (sum(mine) / len(mine) if mine else item.x + 0.5, i)
            row.sort(key=wanted.__getitem__)
            for i, item in enumerate(row):
                item.x = float(i)
        found = _crossings(rows, downs)
        if found < best:
            best, kept = found, [list(row) for row in rows]
    for row, order in zip(rows, kept, strict=True):
        row[:] = order


def _spread(row: list[Item], wanted: list[float], weights: list[float], gap: float) -> None:
    """Left edges that are nearest to ``wanted``, weighted, with gaps kept (pool adjacent violators)."""
    offset, offsets = 0.0, []
    for i, item in enumerate(row):
        offsets.append(offset)
        spacing = gap * 0.5 if item.passes and i + 1 < len(row) and row[i + 1].passes else gap
        offset += item.width + spacing
    blocks: list[list[float]] = []  # mean, weight, members
    for want, weight, off in zip(wanted, weights, offsets, strict=True):
        blocks.append([want - off, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, w, members = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * w) / (before[1] + w)
            before[1] += w
            before[2] += members
    i = 0
    for mean, _, members in blocks:
        for _ in range(int(members)):
            row[i].x = mean + offsets[i]
            i += 1


def _align(rows: list[list[Item]], links: Sequence[_Link], gap: float) -> None:
    ups, downs = _by_end(links)
    for row in rows:
        total = sum(item.width for item in row) + gap * (len(row) - 1)
        x = -total / 2
        for item in row:
            item.x = x
            x += item.width + gap
    for turn in range(_ALIGN):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            wanted, weights = [], []
            for item in row:
                above = [
                    (k.source.x + _offset(k, True) - _offset(k, False), _pull(item, k.source))
                    for k in ups.get(item, [])
                ]
                below = [
                    (k.target.x + _offset(k, False) - _offset(k, True), _pull(item, k.target))
                    for k in downs.get(item, [])
                ]
                main, other = (above, below) if down else (below, above)
                pulls = main or other
                total = sum(w for _, w in pulls)
                wanted.append(sum(x * w for x, w in pulls) / total if pulls else item.x)
                # edges make way for boxes
                weights.append((0.1 if item.passes else 1.0) if pulls else 0.02)
            _spread(row, wanted, weights, gap)
    _straighten(rows, downs, gap)


def _straighten(rows: list[list[Item]], downs: dict[Item, list[_Link]], gap: float) -> None:
    """Points that one edge passes take one position where the boxes beside them leave room."""
    room: dict[Item, tuple[float, float]] = {}
    for row in rows:
        for i, item in enumerate(row):
            if item.passes:
                low = row[i - 1].x + row[i - 1].width + gap * 0.6 if i else float("-inf")
                high = row[i + 1].x - item.width - gap * 0.6 if i + 1 < len(row) else float("inf")
                room[item] = (low, high)
    inner: set[Item] = set()
    for row in rows:
        for item in row:
            if not item.passes or item in inner:
                continue
            chain, low, high = [item], *room[item]
            while True:
                onward = [link.target for link in downs.get(chain[-1], []) if link.target.passes]
                if not onward:
                    break
                nlow, nhigh = max(low, room[onward[0]][0]), min(high, room[onward[0]][1])
                if nlow > nhigh:
                    break
                low, high = nlow, nhigh
                chain.append(onward[0])
                inner.add(onward[0])
            xs = sorted(point.x for point in chain)
            x = min(max(xs[len(xs) // 2], low), high) if low <= high else None
            for point in chain:
                point.x = point.x if x is None else x


def _offset(link: _Link, source: bool) -> float:
    """Where a link should meet an item: at its door; at its middle where the item is so wide that doors would let a chain drift aside."""
    item = link.source if source else link.target
    if item.width > _WIDE:
        return item.width / 2
    return link.start() if source else link.end()


def _pull(item: Item, neighbour: Item) -> float:
    """Boxes line up with boxes; an edge that passes by hardly moves them."""
    return 0.002 if neighbour.passes and not item.passes else 1.0


def layered(
    items: Sequence[Item], edges: Sequence[Edge], *, gap: float = 22.0, between: float = 34.0, tallest: float
) -> Layout:
    """Place ``items`` (their ``x`` and ``y`` are set) and route ``edges``.

    Args:
        items: in an order that suits reading; it decides among equals.
        edges: without cycles.
        gap: least distance side by side.
        between: distance of ranks, where edges bend.
        tallest: height beyond which ranks go on in a further column.
    """
    if not items:
        return Layout(0.0, 0.0, [])
    rows: list[list[Item]] = [[] for _ in range(_ranks(items, edges))]
    for item in items:
        rows[item.rank].append(item)
    links, routes = _links(edges, rows)
    _arrange(rows, links)
    _align(rows, links, gap)
    heights = [max((item.height for item in row), default=0.0) for row in rows]
    gaps = [between if rows[r][0].height or rows[r + 1][0].height else between / 2 for r in range(len(rows) - 1)]
    for r in range(len(gaps)):
        if all(item.pin for item in rows[r]) or all(item.pin for item in rows[r + 1]):
            gaps[r] = between * 0.45
    ends = [(item.x, item.x + item.width) for row in rows for item in row]
    columns = _columns(heights, gaps, tallest, max(b for _, b in ends) - min(a for a, _ in ends))
    width, height, breaks = _place(rows, heights, gaps, columns, links, gap)
    return Layout(width, height, [_trace(route, breaks) for route in routes])


def _columns(heights: list[float], gaps: list[float], tallest: float, width: float) -> list[tuple[int, int]]:
    """Ranges of ranks, one a column, as equally tall as can be; not so many that the whole is much wider than tall."""
    total = sum(heights) + sum(gaps)
    count = round(total / tallest + 0.2) if total > 1.2 * tallest else 1
    count = min(count, max(1, round(sqrt(_WIDEST * total / max(width, 1.0)))))
    low, high = max(heights), total
    best = [(0, len(heights))]
    for _ in range(24 if count > 1 else 0):
        middle = (low + high) / 2
        found = _fill(heights, gaps, middle)
        if len(found) <= count:
            best, high = found, middle
        else:
            low = middle
    return best


def _fill(heights: list[float], gaps: list[float], limit: float) -> list[tuple[int, int]]:
    """Columns filled up to a limit; the points of a border stay with their neighbours."""
    columns, start, filled = [], 0, 0.0
    for r, height in enumerate(heights):
        if height and filled + height > limit and any(heights[start:r]):
            columns.append((start, r))
            start, filled = r, 0.0
        filled += height + (gaps[r] if r < len(gaps) else 0.0)
    columns.append((start, len(heights)))
    return columns


@dataclass
class _Break:
    """Where edges go from the foot of a column to the head of the next."""

    foot: float
    head: float
    gutter: float
    lanes: dict[tuple[Item, Hashable], int] = field(default_factory=dict)


def _place(
    rows: list[list[Item]],
    heights: list[float],
    gaps: list[float],
    columns: list[tuple[int, int]],
    links: Sequence[_Link],
    gap: float,
) -> tuple[float, float, dict[int, _Break]]:
    left, tall = 0.0, 0.0
    breaks: dict[int, _Break] = {}
    crossing: dict[int, list[_Link]] = {}
    ends = {end - 1 for _, end in columns[:-1]}
    for one in links:
        if one.source.rank in ends:
            crossing.setdefault(one.source.rank, []).append(one)
    head_room = 0.0
    if len(columns) > 1:
        head_room = 16.0 + _LANE * max((len({(k.source, k.key) for k in ks}) for ks in crossing.values()), default=1)
    for number, (start, end) in enumerate(columns):
        members = [item for row in rows[start:end] for item in row]
        low = min(item.x for item in members)
        high = max(item.x + item.width for item in members)
        y = head_room if number else 0.0
        for r in range(start, end):
            for item in rows[r]:
                item.x += left - low
                item.y = y + (heights[r] - item.height) / 2
                item.top, item.bottom = y, y + heights[r]
            y += heights[r]
            if r < end - 1:
                y += gaps[r]
        tall = max(tall, y)
        if number < len(columns) - 1:
            tall = max(tall, y + 12.0 + _LANE * len(crossing.get(end - 1, ())))
        left += high - low
        if number < len(columns) - 1:
            mine = crossing.get(end - 1, [])
            keys = sorted({(k.source, k.key): k for k in mine}.values(), key=lambda k: -(k.source.x + k.start()))
            breaks[end - 1] = _Break(y + 12.0, head_room, left + gap)
            for i, k in enumerate(keys):
                breaks[end - 1].lanes[k.source, k.key] = i
            left += 2 * gap + _LANE * max(len(keys) - 1, 0)
    return left, tall, breaks


def _trace(route: Sequence[_Link], breaks: dict[int, _Break]) -> list[tuple[object, ...]]:
    first = route[0]
    line: list[tuple[object, ...]] = [("M", first.source.x + first.start(), first.source.y + first.source.height)]
    for one in route:
        x = one.source.x + one.start()
        end = one.target.x + one.end()
        where = breaks.get(one.source.rank)
        line.append(("L", x, one.source.bottom))
        if where is None:
            line.append(("S", end, one.target.top))
        else:
            lane = _LANE * where.lanes[one.source, one.key]
            line += [
                ("C", x, where.foot + lane),
                ("C", where.gutter + lane, where.foot + lane),
                ("C", where.gutter + lane, where.head - 16.0 - lane),
                ("C", end, where.head - 16.0 - lane),
                ("L", end, one.target.top),
            ]
        line.append(("L", end, one.target.y))
    return line
