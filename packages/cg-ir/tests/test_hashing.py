"""The graph hash: one algorithm in two implementations, and what it tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder, equal, hash_all
from cg_ir.hashing import Wiring, splitmix64, wiring


def network(rng: np.random.Generator) -> Graph:
    """A random network with commuting and ordered operators."""
    b = GraphBuilder()
    nodes = [b.input((1, 4, 8, 8))]
    for _ in range(int(rng.integers(5, 40))):
        x, y = (nodes[int(rng.integers(len(nodes)))] for _ in range(2))
        kind = int(rng.integers(5))
        if kind == 0:
            nodes.append(b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1)))
        elif kind == 1:
            nodes.append(b.add("Relu", x))
        elif kind == 2:
            nodes.append(b.add("Add", x, y))
        elif kind == 3:
            nodes.append(b.add("Sub", x, y))
        else:
            joined = b.add("Concat", x, y, axis=1)
            nodes.append(b.add("Conv", joined, channels=4, kernel_shape=(1, 1)))
    b.output(b.add("Add", *nodes[-3:]))
    return b.build()


def test_together_and_one_by_one_agree() -> None:
    rng = np.random.default_rng(0)
    graphs = [network(rng) for _ in range(300)]
    one_by_one = [graph.hash for graph in graphs]
    for graph in graphs:
        del graph.facts["hash"]
    assert hash_all(graphs, batch_size=64) == one_by_one
    assert len(set(one_by_one)) > 250


def test_names_of_a_network_share_what_is_known_of_it() -> None:
    graphs = [network(np.random.default_rng(seed)) for seed in range(20)]
    others = [graph.renamed(f"other {i}") for i, graph in enumerate(graphs)]
    assert [other.name for other in others[:2]] == ["other 0", "other 1"]
    assert graphs[0].name == ""
    hashes = hash_all([*graphs, *others])
    assert hashes[:20] == hashes[20:] == [network(np.random.default_rng(seed)).hash for seed in range(20)]
    assert all(other.facts is graph.facts for graph, other in zip(graphs, others, strict=True))
    assert others[3].to_dict() | {"name": ""} == graphs[3].to_dict() | {"name": ""}


def test_weight_sharing_counts_and_its_key_does_not() -> None:
    def shared(key: str | None) -> Graph:
        b = GraphBuilder()
        x = b.input((1, 8))
        for _ in range(2):
            x = b.add("Gemm", x, channels=8, weights=key)
        b.output(x)
        return b.build()

    graphs = [shared(None), shared("k"), shared("another name")]
    hashes = hash_all(graphs)
    assert hashes == [graph.hash for graph in graphs]
    assert hashes[0] != hashes[1] == hashes[2]
    assert [graph.params for graph in graphs] == [128, 64, 64]


@pytest.mark.parametrize("activation", [True, False])
def test_wirings_that_refinement_confuses_are_told_apart_by_equal(activation: bool) -> None:
    """Six convolutions into six additions, as one cycle or as two."""

    def wired(lengths: list[int]) -> Graph:
        b = GraphBuilder()
        x = b.input((1, 4, 8, 8))
        additions = []
        for length in lengths:
            convs = [b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1)) for _ in range(length)]
            if activation:
                convs = [b.add("Relu", conv) for conv in convs]
            additions += [b.add("Add", convs[i], convs[(i + 1) % length]) for i in range(length)]
        b.output(b.add("Max", *[b.add("Sigmoid", a) for a in additions]))
        return b.build()

    one, two = wired([6]), wired([3, 3])
    assert not equal(one, two)
    assert equal(one, wired([6]))
    assert equal(two, wired([3, 3]))
    # the documented limit of the hash: colour refinement sees the same neighbourhoods everywhere
    assert one.hash == two.hash


def test_splitmix64_is_the_published_sequence() -> None:
    states = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # of a generator with seed 0
    found = splitmix64(states).tolist()
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_nodes_without_inputs_read_nothing() -> None:
    none = np.zeros(0, dtype=np.int32)
    assert wiring(np.zeros(3, dtype=np.int32), none, [0, 0], [False]) == Wiring([-1, -1], [([], False)] * 2)


def test_shared_weights_are_part_of_the_hash_and_their_names_are_not() -> None:
    def chain(keys: str) -> Graph:
        b = GraphBuilder()
        x = b.input((1, 4, 8, 8))
        for key in keys:
            x = b.add("Relu", b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), weights=key))
        b.output(x)
        return b.build()

    assert chain("ababa").hash == chain("xyxyx").hash == "cg1:3693619ed154b75d54ecf6133807da3b"
    assert len({chain(keys).hash for keys in ("ababa", "aabba", "abcde", "aaaaa")}) == 4
