"""Module paths of a graph's operators, from its regions."""

from __future__ import annotations

from collections.abc import Collection

from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS

__all__ = ["module_paths"]


def _names(region: str, reserved: Collection[str]) -> tuple[str, ...]:
    return tuple(name + "_" if name in reserved else name for name in region.split(".") if name)


def module_paths(graph: Graph, reserved: Collection[str]) -> dict[int, str]:
    """For each node that may own tensors the path where they lie.

    A region that holds exactly one operator with weights, and no region below it, is that operator's path: a graph that came from a
    PyTorch model keeps the model's own names. In any other region the path ends in the operator's name and the node's number. Names in
    ``reserved`` get an underscore.
    """
    regions = [_names(name, reserved) for name in graph.region_names]
    inner = {region[:depth] for region in regions for depth in range(len(region))}
    owners: dict[tuple[str, ...], list[int]] = {}
    bare: list[int] = []
    for node in graph.nodes:
        region = regions[graph.region_codes[node.index]]
        if node.op in ("Parameter", "Constant"):
            bare.append(node.index)
        elif OPERATORS[node.op].owns is not None:
            owners.setdefault(region, []).append(node.index)
    with_bare = {regions[graph.region_codes[i]] for i in bare}
    paths: dict[int, str] = {}
    for region, members in owners.items():
        if len(members) == 1 and region and region not in inner and region not in with_bare:
            paths[members[0]] = ".".join(region)
            continue
        for index in members:
            paths[index] = ".".join((*region, f"{graph.nodes[index].op}_{index}"))
    for index in bare:
        region = regions[graph.region_codes[index]]
        paths[index] = ".".join((*region, f"{graph.nodes[index].op}_{index}"))
    return paths
