"""What is drawn: stacks of operators in nested regions, regions beyond a depth folded into one box."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cg_ir.drawing.labels import costs, describe, kind, label, shape_text
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS

__all__ = [
    "Box",
    "Frame",
    "Row",
    "region_depth",
    "region_order",
    "region_path",
    "region_paths",
    "region_runs",
    "stacks",
]

Path = tuple[str, ...]
#: Longest column of operators in one box.
_MAX_ROWS = 18
#: Levels of regions that are told apart.
_MAX_LEVELS = 64


@dataclass
class Row:
    """One line of a box: an operator, or a count of operators in a folded region."""

    text: str
    cost: str
    kind: str
    tip: str
    shape: str = ""


@dataclass(eq=False)
class Box:
    """A chain of operators drawn as one, or a folded region.

    Attributes:
        nodes: the graph's nodes inside.
        rows: its lines.
        title: the region, where the box is all of one.
        cost: the region's parameters and multiply-accumulates, as text.
        folded: whether the lines only count what the region holds.
        shape: text of the shape that leaves it.
    """

    nodes: list[int]
    rows: list[Row]
    title: str = ""
    cost: str = ""
    folded: bool = False
    shape: str = ""
    width: float = 0.0
    height: float = 0.0


@dataclass(eq=False)
class Frame:
    """A region with what is inside: boxes and frames.

    Attributes:
        title: the region's name inside the region around it.
        children: what it holds, in the order of the data flow.
        cost: its parameters and multiply-accumulates, as text.
    """

    title: str
    children: list[Box | Frame] = field(default_factory=list)
    cost: str = ""
    tip: str = ""


def region_path(name: str) -> Path:
    """The parts of a region's name; those below 64 levels stay one part."""
    parts = [part for part in name.split(".", 2 * _MAX_LEVELS) if part]
    return (*parts[: _MAX_LEVELS - 1], *[".".join(parts[_MAX_LEVELS - 1 :])][: len(parts) >= _MAX_LEVELS])


def region_paths(graph: Graph) -> list[Path]:
    """The region of each node."""
    known = [region_path(name) for name in graph.region_names]
    return [known[code] for code in graph.region_codes.tolist()]


def region_depth(graph: Graph) -> int:
    """Levels of the deepest region."""
    return max((len(path) for path in region_paths(graph)), default=0)


def region_order(inputs: list[list[int]], paths: list[Path]) -> list[int]:
    """A topological order that leaves a region only when nothing in it is ready."""
    n = len(inputs)
    waiting = [len(set(ins)) for ins in inputs]
    consumers: list[list[int]] = [[] for _ in range(n)]
    for i, ins in enumerate(inputs):
        for j in set(ins):
            consumers[j].append(i)
    ready: dict[Path, list[int]] = {}

    def push(i: int) -> None:
        # a node is looked for under its region and every region above
        for depth in range(len(paths[i]) + 1):
            heapq.heappush(ready.setdefault(paths[i][:depth], []), i)

    for i in range(n):
        if waiting[i] == 0:
            push(i)
    done = [False] * n
    result: list[int] = []
    here: Path = ()
    while len(result) < n:
        found = None
        for depth in range(len(here), -1, -1):
            heap = ready.get(here[:depth], [])
            while heap and done[heap[0]]:
                heapq.heappop(heap)
            if heap:
                found = heapq.heappop(heap)
                break
        assert found is not None
        done[found] = True
        here = paths[found]
        result.append(found)
        for c in consumers[found]:
            waiting[c] -= 1
            if waiting[c] == 0:
                push(c)
    return result


def region_runs(members: list[int], level: int, paths: list[Path]) -> Iterator[tuple[Path, list[int]]]:
    """Nodes of a region cut into runs that share a region of the next level, with that; one that lies in none is a run of its own."""
    start = 0
    while start < len(members):
        own = paths[members[start]][: level + 1]
        end = start + 1
        while len(own) > level and end < len(members) and paths[members[end]][: level + 1] == own:
            end += 1
        yield own, members[start:end]
        start = end


def stacks(graph: Graph, depth: int) -> tuple[Frame, dict[int, Box]]:
    """The drawing's boxes in their frames, and the box of each node that is drawn.

    Args:
        graph: what is drawn.
        depth: levels of regions that are shown as frames; deeper ones are folded.
    """
    return _Stacker(graph, depth).run()


class _Stacker:
    def __init__(self, graph: Graph, depth: int) -> None:
        self.nodes = list(graph.nodes)
        self.inputs = graph.input_lists()
        self.paths = region_paths(graph)
        self.depth = depth
        self.home: dict[int, Box] = {}
        #: scalars are written into the operators that read them
        self.numbers: dict[int, float] = {}
        for n in self.nodes:
            if n.op == "Constant" and n.shape == () and len(n.attrs["value"]) == 1:
                self.numbers[n.index] = n.attrs["value"][0]
        self.uses = Counter(j for ins in self.inputs for j in ins)

    def run(self) -> tuple[Frame, dict[int, Box]]:
        order = [i for i in region_order(self.inputs, self.paths) if i not in self.numbers]
        return Frame("", self.fill(order, (), ())), self.home

    def fill(self, members: list[int], path: Path, shown: Path) -> list[Box | Frame]:
        """What a region holds; runs of one inner region become a frame, or a box where it is folded.

        ``shown`` is the region whose frame is around, which names inside it leave out.
        """
        children: list[Box | Frame] = []
        for own, run in region_runs(members, len(path), self.paths):
            if len(run) == 1:
                self.extend(children, run[0])
            elif len(path) >= self.depth:
                children.append(self.folded(run, ".".join(own[len(shown) :])))
            else:
                children.append(self.region(run, own, shown))
        return children

    def region(self, run: list[int], path: Path, shown: Path) -> Box | Frame:
        """A region in a frame; without one where it only holds another region or a single chain."""
        if all(self.paths[i][: len(path) + 1] == self.paths[run[0]][: len(path) + 1] != path for i in run):
            return self.fill(run, path, shown)[0]
        inner = self.fill(run, path, path)
        title = ".".join(path[len(shown) :])
        if len(inner) == 1 and isinstance(inner[0], Box) and not inner[0].title:
            inner[0].title = title
            inner[0].cost = self.total(run)
            return inner[0]
        total = self.total(run)
        tip = "\n".join([".".join(path), f"{len(run)} operators", total]).strip()
        return Frame(title, inner, total, tip)

    def extend(self, children: list[Box | Frame], i: int) -> None:
        """Add a node to the chain that it alone continues, or as a box of its own."""
        sources = {j for j in self.inputs[i] if j not in self.numbers}
        if len(sources) == 1:
            (above,) = sources
            last = self.home.get(above)
            plain = not {OPERATORS[self.nodes[j].op].kind for j in (above, i)} & {"source", "sink"}
            only = self.uses[above] == self.inputs[i].count(above)
            if (
                last is not None
                and plain
                and only
                and last in children
                and len(last.rows) < _MAX_ROWS
                and not last.title
            ):
                last.nodes.append(i)
                last.rows.append(self.row(i))
                last.shape = last.rows[-1].shape
                self.home[i] = last
                return
        children.append(self.box(i))

    def box(self, i: int) -> Box:
        box = Box([i], [self.row(i)], shape=shape_text(self.nodes[i].shape))
        self.home[i] = box
        return box

    def row(self, i: int) -> Row:
        node = self.nodes[i]
        own = [self.numbers[j] for j in self.inputs[i] if j in self.numbers]
        shape = shape_text(node.shape)
        return Row(label(node, own), costs(node.params, node.macs), kind(node.op), describe(node), shape)

    def folded(self, members: list[int], title: str) -> Box:
        """A region as one box that counts its operators."""
        ops = Counter(self.nodes[i].op for i in members)
        ranked = sorted(ops.items(), key=lambda item: (-item[1], item[0]))
        rows = [Row(f"{number} × {op}" if number > 1 else op, "", kind(op), "") for op, number in ranked[:4]]
        if len(ranked) > 4:
            rows.append(Row(f"{sum(number for _, number in ranked[4:])} more", "", "layout", ""))
        box = Box(members, rows, title, self.total(members), True, shape_text(self.nodes[members[-1]].shape))
        self.home.update(dict.fromkeys(members, box))
        return box

    def total(self, members: list[int]) -> str:
        return costs(sum(self.nodes[i].params for i in members), sum(self.nodes[i].macs for i in members))
