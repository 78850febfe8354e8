from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from cg_evolve import SearchError
from cg_evolve.domain import Domain
from cg_evolve.history import History
from cg_evolve.pool import Pool
from cg_ir import Graph, GraphBuilder, get_space
from cg_ir.graph import Node


def described(node: Node) -> tuple[object, ...]:
    return node.op, tuple(sorted((k, str(v)) for k, v in node.attrs.items())), node.shape


def slow_stars(graph: Graph) -> Counter[object]:
    """Stars by the definition: a node with the multisets of what it reads and of what reads it."""
    nodes = list(graph.nodes)
    readers: dict[int, list[object]] = {}
    for node in nodes:
        for i in node.inputs:
            readers.setdefault(i, []).append(described(node))
    return Counter(
        (
            described(node),
            tuple(sorted(map(repr, (described(nodes[i]) for i in node.inputs)))),
            tuple(sorted(map(repr, readers.get(node.index, [])))),
        )
        for node in nodes
    )


def test_distances_are_those_of_the_definition() -> None:
    space = get_space("toy")
    rng = np.random.default_rng(1)
    archs = [space.sample(rng) for _ in range(40)]
    pool = Pool(archs, space.graph)
    for _ in range(5):
        query = space.graph(space.sample(rng))
        wanted = slow_stars(query)
        expected = [
            sum((a - b).values()) + sum((b - a).values()) for a in [wanted] for b in map(slow_stars, pool.graphs)
        ]
        assert pool.distances(query).tolist() == expected


def test_nearest_takes_the_member_itself_then_its_twin_then_the_closest() -> None:
    space = get_space("toy")
    pool = Pool(["cckkpp", "iccwwk", "pppppp"], space.graph)
    free = np.array([True, True, True])
    rng = np.random.default_rng(0)
    assert pool.nearest("iccwwk", free, rng) == 1
    assert pool.nearest("cciwwk", free, rng) == 1  # the same network in another spelling
    assert pool.nearest("pppppc", free, rng) == 2
    assert pool.nearest("pppppc", np.array([True, True, False]), rng) in (0, 1)
    assert pool.nearest("pppppc", np.zeros(3, dtype=bool), rng) is None


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(SearchError, match="pool is empty"):
        Pool([], get_space("toy").graph)


def test_a_domain_tells_shared_weights_from_own_ones() -> None:
    class Two:
        name, size = "two", 2

        def enumerate(self) -> list[str]:
            return ["own", "shared"]

        def graph(self, arch: str) -> Graph:
            b = GraphBuilder(arch)
            x = b.input((1, 4, 8, 8))
            for place in range(2):
                weights = "one" if arch == "shared" else f"own {place}"
                x = b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), weights=weights)
            b.output(x)
            return b.build()

    space: Any = Two()
    assert space.graph("own").hash != space.graph("shared").hash
    assert Domain(space, None, lambda graph: True).members == ["own", "shared"]


def test_a_domain_counts_a_network_once() -> None:
    space = get_space("toy")
    domain = Domain(space, ["ccciii", "iiiccc", "cckiii"], lambda graph: True)
    assert domain.members == ["ccciii", "cckiii"]
    tight = Domain(space, ["ccciii"], lambda graph: False)
    with pytest.raises(SearchError, match="within the constraints"):
        tight.any(History(), np.random.default_rng(0))
