"""What differs between two graphs: which operators were added, removed or changed, and what that costs.

Nodes are matched in steps, each among those that the one before left over: equal everything upstream; the same place in the same region
(common subsequences); equal everything downstream; the same place anywhere. A matched pair whose attributes, shape or inputs differ
is a change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from cg_ir.equality import equal
from cg_ir.graph import COMMUTES, Graph, Node
from cg_ir.notebook import html_table

#: Operators that a notebook shows.
_SHOWN = 100


@dataclass(frozen=True)
class Change:
    """A node of the first graph that is another in the second.

    Attributes:
        before, after: the two nodes.
        fields: what differs, by name: old and new value.
    """

    before: Node
    after: Node
    fields: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Difference:
    """The result of :func:`diff`.

    Attributes:
        a, b: the graphs.
        equal: whether they are isomorphic.
        unchanged: pairs of node numbers that are the same.
        changed: pairs that differ.
        removed: nodes that only the first graph has.
        added: nodes that only the second graph has.
    """

    a: Graph
    b: Graph
    equal: bool
    unchanged: tuple[tuple[int, int], ...] = ()
    changed: tuple[Change, ...] = ()
    removed: tuple[Node, ...] = ()
    added: tuple[Node, ...] = ()
    costs: dict[str, tuple[int, int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "equal": self.equal,
            "a": {"name": self.a.name, "hash": self.a.hash},
            "b": {"name": self.b.name, "hash": self.b.hash},
            "costs": {key: {"a": x, "b": y, "difference": y - x} for key, (x, y) in self.costs.items()},
            "unchanged": len(self.unchanged),
            "changed": [
                {
                    "a": _summary(c.before),
                    "b": _summary(c.after),
                    "fields": {key: {"a": _plain(x), "b": _plain(y)} for key, (x, y) in c.fields.items()},
                }
                for c in self.changed
            ],
            "removed": [_summary(n) for n in self.removed],
            "added": [_summary(n) for n in self.added],
        }

    def to_text(self) -> str:
        """Lines for people: costs first, then ``-`` removed, ``+`` added and ``~`` changed operators by region."""
        lines = []
        for key, (x, y) in self.costs.items():
            change = "unchanged" if x == y else f"{y - x:+,}" + (f", {100 * (y - x) / x:+.1f} %" if x else "")
            lines.append(f"{key:<11}{x:>16,} -> {y:>16,}  ({change})")
        if self.equal:
            return "\n".join([*lines, "the graphs are equal"]) + "\n"
        lines += [f"{sign} {text}" for sign, text in self._entries()]
        same, changed, removed, added = map(len, (self.unchanged, self.changed, self.removed, self.added))
        lines.append(f"{same} operators unchanged, {changed} changed, {removed} removed, {added} added")
        return "\n".join(lines) + "\n"

    def _entries(self) -> list[tuple[str, str]]:
        """Sign and text of every operator that differs, in the order of the first graph."""
        entries = [(n.index, 0, "-", _line(n)) for n in self.removed]
        moved = [(c.after.index, c.before.index) for c in self.changed]
        anchors = sorted([*((y, x) for x, y in self.unchanged), *moved])
        entries += [(_before(anchors, n.index), 1, "+", _line(n)) for n in self.added]
        for c in self.changed:
            what = "; ".join(f"{key} {_show(x)} -> {_show(y)}" for key, (x, y) in c.fields.items())
            entries.append((c.before.index, 0, "~", f"{_place(c.before)}{c.before.op}: {what}"))
        return [(sign, text) for _, _, sign, text in sorted(entries, key=lambda e: e[:2])]

    def _repr_html_(self) -> str:
        """Costs and operators that differ, as tables."""
        names = (self.a.name or "first", self.b.name or "second")
        costs = html_table(("", *names, "difference"), [(key, x, y, y - x) for key, (x, y) in self.costs.items()])
        if self.equal:
            return f"{costs}<p>The graphs are equal.</p>"
        entries = self._entries()
        more = [("", f"and {len(entries) - _SHOWN} more")] if len(entries) > _SHOWN else []
        return costs + html_table(("", "operator"), [*entries[:_SHOWN], *more])


def diff(a: Graph, b: Graph) -> Difference:
    """What turns ``a`` into ``b``.

    Matching is a good guess and not a smallest edit script (finding that is NP-hard); the costs and the verdict ``equal`` are exact.
    """
    pairs = _match(a, b)
    matched = dict(pairs)
    nodes_a, nodes_b = a.nodes, b.nodes
    commutes = COMMUTES[a.op_codes].tolist()
    unchanged, changed = [], []
    for x, y in sorted(pairs):
        fields = _fields(nodes_a[x], nodes_b[y], matched, commutes[x])
        if fields:
            changed.append(Change(nodes_a[x], nodes_b[y], fields))
        else:
            unchanged.append((x, y))
    hit = set(matched.values())
    removed = tuple(node for node in nodes_a if node.index not in matched)
    added = tuple(node for node in nodes_b if node.index not in hit)
    sizes = [{"parameters": g.params, "MACs": g.macs, "nodes": len(g), "depth": g.depth} for g in (a, b)]
    costs = {name: (size, sizes[1][name]) for name, size in sizes[0].items()}
    return Difference(a, b, equal(a, b), tuple(unchanged), tuple(changed), removed, added, costs)


# --- matching ---------------------------------------------------------------------------------------------------------


def _match(a: Graph, b: Graph) -> list[tuple[int, int]]:
    tokens: dict[Any, int] = {}
    labels = [[tokens.setdefault(_label(node), len(tokens)) for node in graph.nodes] for graph in (a, b)]
    free = [set(range(len(a))), set(range(len(b)))]
    pairs: list[tuple[int, int]] = []

    def take(found: Sequence[tuple[int, int]]) -> None:
        for x, y in found:
            free[0].discard(x)
            free[1].discard(y)
        pairs.extend(found)

    def take_equal(colour: Callable[[Graph, list[int], dict[Any, int]], list[int]]) -> None:
        known: dict[Any, int] = {}
        groups: list[dict[int, list[int]]] = []
        for graph, own, left in zip((a, b), labels, free, strict=True):
            by: dict[int, list[int]] = {}
            for i, c in enumerate(colour(graph, own, known)):
                if i in left:
                    by.setdefault(c, []).append(i)
            groups.append(by)
        for c, members in groups[0].items():
            take(list(zip(members, groups[1].get(c, []), strict=False)))

    take_equal(_upstream)
    regions = [[node.region for node in graph.nodes] for graph in (a, b)]
    for region in dict.fromkeys(regions[0]):
        here, there = ([i for i in sorted(free[k]) if regions[k][i] == region] for k in (0, 1))
        take(_aligned(a, b, here, there, labels))
    take_equal(_downstream)
    take(_aligned(a, b, sorted(free[0]), sorted(free[1]), labels))
    return pairs


def _label(node: Node) -> Any:
    signature = node.signature
    return signature.op, signature.items, signature.shape


def _upstream(graph: Graph, labels: list[int], known: dict[Any, int]) -> list[int]:
    """Equal numbers for nodes with equal everything upstream."""
    commutes = COMMUTES[graph.op_codes].tolist()
    result: list[int] = []
    for i, ins in enumerate(graph.input_lists()):
        sources = [result[j] for j in ins]
        key = (labels[i], tuple(sorted(sources) if commutes[i] else sources))
        result.append(known.setdefault(key, len(known)))
    return result


def _downstream(graph: Graph, labels: list[int], known: dict[Any, int]) -> list[int]:
    """Equal numbers for nodes with equal everything downstream."""
    commutes = COMMUTES[graph.op_codes].tolist()
    readers: list[list[tuple[int, int]]] = [[] for _ in range(len(graph))]
    result = [0] * len(graph)
    inputs = graph.input_lists()
    for i in range(len(graph) - 1, -1, -1):
        result[i] = known.setdefault((labels[i], tuple(sorted(readers[i]))), len(known))
        for position, j in enumerate(inputs[i]):
            readers[j].append((result[i], 0 if commutes[i] else position))
    return result


def _aligned(a: Graph, b: Graph, left: list[int], right: list[int], labels: list[list[int]]) -> list[tuple[int, int]]:
    """Nodes that stand at the same place of two sequences: first equal ones, then between them those of one operator."""
    if not left or not right:
        return []
    pairs: list[tuple[int, int]] = []
    matcher = SequenceMatcher(None, [labels[0][i] for i in left], [labels[1][i] for i in right], autojunk=False)
    for kind, i0, i1, j0, j1 in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(left[i0:i1], right[j0:j1], strict=True)
        elif kind == "replace":
            ops_a = [a.nodes[i].op for i in left[i0:i1]]
            ops_b = [b.nodes[i].op for i in right[j0:j1]]
            inner = SequenceMatcher(None, ops_a, ops_b, autojunk=False)
            for x, y, size in inner.get_matching_blocks():
                pairs += zip(left[i0 + x : i0 + x + size], right[j0 + y : j0 + y + size], strict=True)
    return pairs


def _fields(before: Node, after: Node, matched: dict[int, int], commutes: bool) -> dict[str, tuple[Any, Any]]:
    old, new = before.attrs, after.attrs
    result: dict[str, tuple[Any, Any]] = {key: (old[key], new.get(key)) for key in old if old[key] != new.get(key)}
    if before.shape != after.shape:
        result["shape"] = (before.shape, after.shape)
    if (before.weights is None) != (after.weights is None):
        result["weights"] = (before.weights, after.weights)
    wired = [matched.get(i, -1) for i in before.inputs]
    there = list(after.inputs)
    if (sorted(wired) != sorted(there)) if commutes else (wired != there):
        reads = [[f"{node.graph.nodes[i].op} {i}" for i in node.inputs] for node in (before, after)]
        result["inputs"] = (reads[0], reads[1])
    return result


# --- words ------------------------------------------------------------------------------------------------------------


def _summary(node: Node) -> dict[str, Any]:
    return {
        "node": node.index,
        "op": node.op,
        "attrs": {key: _plain(value) for key, value in node.signature.items},
        "shape": list(node.shape),
        "region": node.region,
        "params": node.params,
        "macs": node.macs,
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _show(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(str, value)) + "]"
    return "none" if value is None else str(value)


def _place(node: Node) -> str:
    return f"{node.region}  " if node.region else ""


def _line(node: Node) -> str:
    from cg_ir.drawing.labels import costs, label, shape_text

    cost = costs(node.params, node.macs)
    return f"{_place(node)}{label(node)} -> {shape_text(node.shape)}" + (f"  ({cost})" if cost else "")


def _before(anchors: list[tuple[int, int]], index: int) -> int:
    """Where an added node belongs among the nodes of the first graph."""
    place = bisect_left(anchors, (index, -1))
    return anchors[place - 1][1] if place else -1
