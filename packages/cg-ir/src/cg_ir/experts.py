"""What mixtures of experts cost: by the experts that are active, and by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from cg_ir.graph import Graph, Node

_MOVES = frozenset({"Cast", "Expand", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})


@dataclass(frozen=True)
class ExpertCosts:
    """Parameters and multiply-accumulates of a network with experts.

    Attributes:
        experts: how many experts the mixtures have, one number each where they differ.
        active: how many of them a token meets.
        params: of all experts and everything else.
        active_params: those that one token meets.
        macs: of the experts that the tokens are routed to, and everything else: ``graph.macs``.
        all_macs: as if every token met all experts.
    """

    experts: tuple[int, ...]
    active: tuple[int, ...]
    params: int
    active_params: int
    macs: int
    all_macs: int


def experts_of(graph: Graph) -> ExpertCosts | None:
    """The costs of the mixtures of experts of a network, None where it has none.

    How many experts a token meets is the k of the ``TopK`` that the numbers of experts come from, 1 of an ``ArgMax``, and otherwise as many
    as there are numbers.
    """
    nodes = graph.nodes
    mixtures = [node for node in nodes if node.op == "ExpertGemm"]
    if not mixtures:
        return None
    active_params, all_macs = Fraction(graph.params), Fraction(graph.macs)
    shared: set[str] = set()
    counts: dict[tuple[int, int], None] = {}
    for node in mixtures:
        experts = node.attrs["num_experts"]
        active = min(experts, _active(nodes, node))
        counts[experts, active] = None
        all_macs += node.macs * (Fraction(experts, active) - 1)
        if node.weights not in shared:  # shared weights are counted once
            active_params -= node.params * (1 - Fraction(active, experts))
        if node.weights is not None:
            shared.add(node.weights)
    numbers, met = zip(*counts, strict=True)
    return ExpertCosts(numbers, met, graph.params, int(active_params), graph.macs, int(all_macs))


def _active(nodes: Sequence[Node], node: Node) -> int:
    """How many experts a token meets."""
    source = nodes[node.inputs[1]]
    while source.op in _MOVES or source.op == "TopK":  # the values of a sort are the numbers themselves, by expert
        source = nodes[source.inputs[0]]
    if source.op == "Select" and nodes[source.inputs[0]].op == "TopK":
        return int(nodes[source.inputs[0]].attrs["k"])
    return 1 if source.op == "ArgMax" else prod(source.shape)
