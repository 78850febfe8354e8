"""What is drawn: stacks of operators in nested regions, regions beyond a depth folded into one box."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cg_ir.drawing.labels import costs, describe, kind, label, shape_text
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS
from cg_ir.region_tree import Path, Region, region_order, region_paths, region_tree

#: Longest column of operators in one box.
_MAX_ROWS = 18


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
        return Frame("", self.fill(region_tree(order, self.paths), ())), self.home

    def fill(self, region: Region, shown: Path) -> list[Box | Frame]:
        """What a region holds; a region inside becomes a frame, or a box where it is folded or holds a single chain.

        ``shown`` is the region whose frame is around, which names inside it leave out.
        """
        children: list[Box | Frame] = []
        for item in region.items:
            if not isinstance(item, Region):
                self.extend(children, item)
            elif len(item.path) > self.depth:
                children.append(self.folded(list(item.nodes()), ".".join(item.path[len(shown) : self.depth + 1])))
            else:
                children.append(self.framed(item, ".".join(item.path[len(shown) :])))
        return children

    def framed(self, region: Region, title: str) -> Box | Frame:
        """A region in a frame; without one where it holds a single chain."""
        inner = self.fill(region, region.path)
        members = list(region.nodes())
        total = self.total(members)
        if len(inner) == 1 and isinstance(inner[0], Box) and not inner[0].title:
            inner[0].title = title
            inner[0].cost = total
            return inner[0]
        tip = "\n".join([".".join(region.path), f"{len(members)} operators", total]).strip()
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
