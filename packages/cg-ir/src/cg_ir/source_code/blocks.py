"""The regions of a graph as nested blocks, and what each block takes, makes and returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from cg_ir.graph import Graph
from cg_ir.region_tree import Region, region_order, region_paths, region_tree


@dataclass(eq=False)
class Block:
    """A run of operators that becomes a class.

    Attributes:
        path: the region.
        items: node numbers and inner blocks, in order of running.
        inputs: nodes whose values it takes, in order of first use.
        outputs: nodes whose values others take.
    """

    path: tuple[str, ...]
    items: list[int | Block] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def nodes(self) -> list[int]:
        """All nodes inside."""
        return [i for item in self.items for i in (item.nodes() if isinstance(item, Block) else [item])]


def block_tree(graph: Graph, leave_out: set[int]) -> Block:
    """The whole graph as a block of blocks; ``leave_out`` are nodes that nothing is written for."""
    inputs = graph.input_lists()
    paths = region_paths(graph)
    for node in graph.nodes:
        if node.op == "Select":  # stays with the operator that it reads
            paths[node.index] = paths[node.inputs[0]]
        elif node.op in ("Input", "Output"):
            paths[node.index] = ()
    order = [i for i in region_order(inputs, paths) if i not in leave_out]
    root = _block(region_tree(order, paths))
    readers: list[list[int]] = [[] for _ in inputs]
    for i, ins in enumerate(inputs):
        for j in ins:
            readers[j].append(i)
    _boundaries(root, inputs, readers, leave_out)
    return root


def _block(region: Region) -> Block:
    return Block(region.path, [_block(item) if isinstance(item, Region) else item for item in region.items])


def _boundaries(block: Block, inputs: list[list[int]], readers: list[list[int]], leave_out: set[int]) -> None:
    nodes = block.nodes()
    own = set(nodes)
    taken: dict[int, None] = {}
    for i in nodes:
        taken.update(dict.fromkeys(j for j in inputs[i] if j not in own and j not in leave_out))
        if any(r not in own for r in readers[i]):
            block.outputs.append(i)
    block.inputs.extend(taken)
    for item in block.items:
        if isinstance(item, Block):
            _boundaries(item, inputs, readers, leave_out)
