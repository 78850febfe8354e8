"""The blocks of a network: what can be left out or repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx

from cg_ir import Node
from cg_ir.operators import OPERATORS

__all__ = ["Block", "blocks"]

_WEIGHTED = {"conv", "matmul", "attention", "recurrent"}


@dataclass(frozen=True)
class Block:
    """A part of a network between two nodes of the same shape that every path passes.

    Attributes:
        before: the node whose value it reads.
        members: its nodes in order, the last one its result.
    """

    before: int
    members: tuple[int, ...]


def blocks(nodes: list[Node]) -> dict[int, Block]:
    """The shortest blocks with weights along the network, by last node."""
    spine = [i for i in _spine(nodes) if nodes[i].op != "Output"]
    found: dict[int, Block] = {}
    place = 0
    while place < len(spine):
        before = spine[place]
        for later in range(place + 1, len(spine)):
            last = spine[later]
            if nodes[before].shape != nodes[last].shape:
                continue
            members, inner = _between(nodes, before, last)
            if any(OPERATORS[nodes[i].op].kind in _WEIGHTED for i in inner):
                if all(nodes[i].weights is None for i in members):
                    found[last] = Block(before, members)
                    place = later - 1
                break
        place += 1
    return found


def _spine(nodes: list[Node]) -> list[int]:
    """The nodes that every path from the inputs to the outputs passes."""
    flow: nx.DiGraph = nx.DiGraph()
    flow.add_node("in")
    for node in nodes:
        if node.op == "Input":
            flow.add_edge("in", node.index)
        elif node.op == "Output":
            flow.add_edge(node.index, "out")
        for j in node.inputs:
            flow.add_edge(j, node.index)
    flow = flow.subgraph(nx.descendants(flow, "in") | {"in"})
    dominators = nx.immediate_dominators(flow, "in")
    result = []
    at: Any = "out"
    while at != "in":
        at = dominators[at]
        if at != "in":
            result.append(at)
    return result[::-1]


def _between(nodes: list[Node], before: int, last: int) -> tuple[tuple[int, ...], set[int]]:
    """The nodes of a block: those on a way from ``before`` to ``last`` (also alone), and bare parameters, constants and what
    is made of them, as long as nothing outside reads it."""
    wanted, stack = set(), [last]
    while stack:
        i = stack.pop()
        if i not in wanted and i != before:
            wanted.add(i)
            stack += nodes[i].inputs
    inner = {before}
    for node in nodes[before + 1 : last + 1]:
        if any(j in inner for j in node.inputs):
            inner.add(node.index)
    inner = (inner - {before}) & wanted
    outside = set(range(len(nodes))) - wanted
    readers: dict[int, list[int]] = {}
    for node in nodes:
        for j in node.inputs:
            readers.setdefault(j, []).append(node.index)
    for i in sorted(wanted - inner, reverse=True):
        if any(reader in outside for reader in readers[i]):
            outside.add(i)
    return tuple(sorted(wanted - outside)), inner
