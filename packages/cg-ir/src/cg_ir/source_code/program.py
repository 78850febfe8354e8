"""The file: classes, and a function that builds the network."""

from __future__ import annotations

from dataclasses import dataclass

from cg_ir.graph import Graph
from cg_ir.module.expressions import ends
from cg_ir.source_code.blocks import block_tree
from cg_ir.source_code.bodies import Body, Child, Writer
from cg_ir.source_code.classes import Classes
from cg_ir.text import printable


@dataclass(frozen=True)
class Source:
    """Python source of a graph.

    Attributes:
        text: the file.
        paths: for each node that owns weights or constants, the path of its module or tensor in what ``build()`` returns.
    """

    text: str
    paths: dict[int, str]


def write_program(graph: Graph) -> Source:
    """See :func:`cg_ir.source_code.to_source`."""
    writer = Writer(graph)
    body = writer.body(block_tree(graph, set(writer.inline)))
    classes = Classes()
    classes.add(body, "Network")
    paths: dict[int, str] = {}
    _collect(body, "", paths)
    return Source(_file(graph, classes, _ties(graph, paths)), paths)


def _collect(body: Body, prefix: str, paths: dict[int, str]) -> None:
    for index, attribute in body.attributes.items():
        paths[index] = prefix + attribute
    for statement in body.statements:
        if isinstance(statement, Child):
            for place, inner in enumerate(statement.bodies):
                middle = f"{statement.attribute}.{place}." if len(statement.bodies) > 1 else f"{statement.attribute}."
                _collect(inner, prefix + middle, paths)


def _ties(graph: Graph, paths: dict[int, str]) -> list[str]:
    lines = []
    for members in graph.weight_groups().values():
        first = paths[members[0]]
        for other in members[1:]:
            lines.append(f'    _share(network, "{first}", "{paths[other]}")')
    return lines


_SHARE = '''def _share(network, owner, other):
    """Let two operators use the same weights."""
    first, _, first_name = owner.rpartition(".")
    second, _, second_name = other.rpartition(".")
    there = getattr(network.get_submodule(first), first_name)
    here = getattr(network.get_submodule(second), second_name)
    if isinstance(there, nn.Parameter):
        setattr(network.get_submodule(second), second_name, there)
        return
    for name, value in [*there.named_parameters(), *there.named_buffers()]:
        if value is not None:
            setattr(here, name, value)
'''


def _file(graph: Graph, classes: Classes, ties: list[str]) -> str:
    classes.parametrise()
    title = " ".join(graph.name.split()) or "A network"
    title = printable(title.replace("\\", "/").replace('"', "'"))
    parts = [
        f'"""{title}: {graph.params:,} parameters, {graph.macs:,} multiply-accumulates.\n\nGraph {graph.hash}.\n"""\n\n'
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    ]
    parts += [classes.text(one) + "\n" for one in classes.found.values()]
    if ties:
        parts.append(_SHARE)
        build = ["    network = Network()", *ties, "    return network"]
    else:
        build = ["    return Network()"]
    parts.append("\n".join(["def build() -> nn.Module:", '    """The network, freshly initialised."""', *build]) + "\n")
    given = []
    for node in ends(graph.nodes, "Input"):
        shape, dtype = ", ".join(map(str, node.shape)) or "()", node.attrs["dtype"]
        whole = dtype.startswith(("int", "uint", "bool"))
        given.append(f"torch.zeros({shape}, dtype=torch.{dtype})" if whole else f"torch.randn({shape})")
    parts.append(
        'if __name__ == "__main__":\n'
        "    network = build().eval()\n"
        f"    output = network({', '.join(given)})\n"
        "    shapes = [tuple(part.shape) for part in (output if isinstance(output, tuple) else (output,))]\n"
        '    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, output {shapes}")\n'
    )
    return "\n\n".join(parts)
