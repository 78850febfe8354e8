"""Classes of nodes that a graph network cannot tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed.merging import merge
from cg_ir import batch


def unfold(node: int, depth: int, kind: np.ndarray, inputs: list[list[int]], consumers: list[list[int]] | None):
    """The tree that messages bring to a node, as nested tuples."""
    if depth == 0:
        return (int(kind[node]),)
    below = [tuple(sorted(unfold(i, depth - 1, kind, inputs, consumers) for i in inputs[node]))]
    if consumers is not None:
        below.append(tuple(sorted(unfold(i, depth - 1, kind, inputs, consumers) for i in consumers[node])))
    return (unfold(node, depth - 1, kind, inputs, consumers), *below)


@pytest.mark.parametrize("both_ways", [False, True])
def test_classes_are_the_distinct_trees(networks, both_ways):
    union = batch(networks[:12])
    _, kind = np.unique(np.asarray(union.codes), return_inverse=True)
    n = len(kind)
    inputs = [union.indices[union.indptr[i] : union.indptr[i + 1]].tolist() for i in range(n)]
    consumers: list[list[int]] = [[] for _ in range(n)]
    for i, own in enumerate(inputs):
        for j in own:
            consumers[j].append(i)
    rounds = merge(kind, union.indptr, union.indices, 3, both_ways)
    for depth, found in enumerate(rounds, 1):
        trees = [unfold(i, depth, kind, inputs, consumers if both_ways else None) for i in range(n)]
        number = {tree: k for k, tree in enumerate(dict.fromkeys(trees))}
        expected = np.array([number[tree] for tree in trees])
        assert len(set(zip(expected.tolist(), found.node.tolist(), strict=True))) == len(number) == len(found.before)
    twice = batch([*networks[:12], *networks[:12]])  # a second copy brings no class
    _, kind = np.unique(np.asarray(twice.codes), return_inverse=True)
    again = merge(kind, twice.indptr, twice.indices, 3, both_ways)
    assert [len(r.before) for r in again] == [len(r.before) for r in rounds]
    assert len(again[-1].before) < len(again[-1].node) / 2


def test_a_sum_over_classes_is_the_sum_over_nodes(networks):
    union = batch(networks)
    _, kind = np.unique(np.asarray(union.codes), return_inverse=True)
    x = np.random.default_rng(0).normal(size=kind.max() + 1)
    target = np.repeat(np.arange(len(kind)), np.diff(union.indptr))
    nodes, classes = x[kind], x
    for found in merge(kind, union.indptr, union.indices, 4):
        sums = np.bincount(target, weights=nodes[union.indices], minlength=len(nodes))
        nodes = np.tanh(nodes + sums)
        received = np.bincount(found.inputs[1], weights=classes[found.inputs[0]], minlength=len(found.before))
        classes = np.tanh(classes[found.before] + received)
        np.testing.assert_allclose(classes[found.node], nodes, atol=1e-12)
        assert (np.diff(found.inputs[1]) >= 0).all()
