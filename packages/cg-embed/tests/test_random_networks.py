"""Networks from the grammar."""

from __future__ import annotations

import numpy as np

from cg_embed import Descriptors
from cg_embed.random_networks import random_network
from cg_ir import from_json, hash_all


def drawn(seed: int, count: int):
    rng = np.random.default_rng(seed)
    return [random_network(rng) for _ in range(count)]


def test_networks_differ_and_are_the_seeds_own():
    networks = drawn(0, 60)
    hashes = hash_all(networks)
    assert len(set(hashes)) == 60
    assert hash_all(drawn(0, 60)) == hashes
    assert not set(hash_all(drawn(1, 60))) & set(hashes)


def test_networks_are_whole():
    networks = drawn(2, 60)
    for graph in networks:
        (last,) = [node for node in graph.nodes if node.op == "Output"]
        assert len(last.shape) == 2  # classes of one image
        assert graph.macs > 0
        assert from_json(graph.to_json()).hash == graph.hash
    assert np.isfinite(Descriptors().encode(networks)).all()


def test_the_grammar_is_broad():
    used = {node.op for graph in drawn(3, 120) for node in graph.nodes}
    assert {
        "Conv",
        "MaxPool",
        "AveragePool",
        "Add",
        "Concat",
        "Mul",
        "Attention",
        "BatchNormalization",
        "LayerNormalization",
    } <= used
    depthwise = [n for graph in drawn(4, 30) for n in graph.nodes if n.op == "Conv" and n.attrs.get("group", 1) > 4]
    assert depthwise
