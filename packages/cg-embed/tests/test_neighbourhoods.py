"""Counts of neighbourhoods, against a plain count and by what they must not depend on."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cg_embed import Neighbourhoods
from cg_ir import GraphBuilder


def branching(order: tuple[str, str]) -> GraphBuilder:
    b = GraphBuilder()
    x = b.input((1, 8, 6, 6))
    ends = [b.add(op, x) for op in order]
    b.output(b.add("Add", *ends))
    return b


def test_a_network_has_one_vector_however_it_was_built():
    a, b = (branching(order).build() for order in (("Relu", "Sigmoid"), ("Sigmoid", "Relu")))
    vectors = Neighbourhoods().encode([a, b])
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_counts_are_those_of_the_subtree_kernel(networks):
    """Inner products of the raw counts, from those of (node, multiset of its inputs)."""
    graphs = networks[:12]
    many = Neighbourhoods(2**20)  # no collisions here
    counts = np.sign(v := many.encode(graphs)) * np.expm1(np.abs(v))
    expected = []
    for graph in graphs:
        labels = [graph.signatures.labels[code] for code in graph.codes]
        expected.append(Counter((labels[n.index], tuple(sorted(labels[i] for i in n.inputs))) for n in graph.nodes))
    kernel = [[sum(a[k] * b[k] for k in a) for b in expected] for a in expected]
    np.testing.assert_allclose(counts @ counts.T, kernel, rtol=1e-4)


def test_vectors_do_not_depend_on_company(networks):
    graphs = networks[:5]
    together = Neighbourhoods(64).encode(graphs)
    alone = np.concatenate([Neighbourhoods(64).encode([g]) for g in graphs])
    np.testing.assert_array_equal(together, alone)
    assert together.shape == (5, 64)
    assert together.dtype == np.float32
    assert Neighbourhoods(64).encode([]).shape == (0, 64)
