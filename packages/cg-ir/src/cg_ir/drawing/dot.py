"""A graph in the DOT language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.drawing.labels import costs, kind, label, printable, shape_text
from cg_ir.drawing.style import HUES
from cg_ir.files import write_text
from cg_ir.graph import Graph
from cg_ir.region_tree import region_paths

if TYPE_CHECKING:
    import os


def _quote(text: str) -> str:
    escaped = printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_dot(graph: Graph) -> str:
    """Nodes with operator, parameters and MACs, edges with shapes, regions as clusters."""
    lines = [
        f"digraph {_quote(graph.name or 'graph')} {{",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, color="#cfd5df"];',
        '  edge [fontname="Helvetica", fontsize=9, color="#7c8798"];',
    ]
    tree: dict[tuple[str, ...], list[int]] = {(): []}
    inside: dict[tuple[str, ...], list[tuple[str, ...]]] = {(): []}
    for index, path in enumerate(region_paths(graph)):
        for depth in range(1, len(path) + 1):
            if path[:depth] not in tree:
                tree[path[:depth]], inside[path[:depth]] = [], []
                inside[path[: depth - 1]].append(path[:depth])
        tree[path].append(index)
    nodes = graph.nodes

    def emit(path: tuple[str, ...], indent: str) -> None:
        for index in tree[path]:
            node = nodes[index]
            text = "\n".join(part for part in (label(node), costs(node.params, node.macs)) if part)
            lines.append(f'{indent}n{index} [label={_quote(text)}, fillcolor="{HUES[kind(node.op)][0]}22"];')
        for inner in inside[path]:
            lines.append(f"{indent}subgraph {_quote('cluster_' + '.'.join(inner))} {{")
            lines.append(f"{indent}  label={_quote(inner[-1])};")
            emit(inner, indent + "  ")
            lines.append(f"{indent}}}")

    emit((), "  ")
    for index, ins in enumerate(graph.input_lists()):
        for position, source in enumerate(ins):
            place = f", headlabel={_quote(str(position))}" if len(ins) > 1 else ""
            lines.append(f"  n{source} -> n{index} [label={_quote(shape_text(nodes[source].shape))}{place}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def save_dot(graph: Graph, path: str | os.PathLike[str], *, simplify: bool = False) -> None:
    """Write :func:`to_dot`'s text to a file."""
    write_text(path, to_dot(graph.simplify() if simplify else graph))
