"""Passes over the contracted batch against plain recursion and enumeration of paths, node by node."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from cg_embed.passes import WEIGHTINGS, run_passes
from cg_embed.plan import compile_plan
from cg_embed.signature_features import JOIN_RULES, PATH_COUNTS, signature_features
from cg_ir import batch

_RULE = dict(enumerate(JOIN_RULES))


class Reference:
    """One graph, node by node, with Python recursion."""

    def __init__(self, graph) -> None:
        f = signature_features(graph.signatures)
        self.codes, self.f = graph.codes, f
        ins = [graph.indices[graph.indptr[i] : graph.indptr[i + 1]].tolist() for i in range(len(graph))]
        reached = []
        for i, inputs in enumerate(ins):
            reached.append(any(reached[j] for j in inputs) or (not inputs and f.is_input[self.codes[i]] > 0))
        if not reached[-1]:
            reached = [True] * len(ins)
        self.ins = [[j for j in inputs if reached[j]] for inputs in ins]
        self.reached = reached
        self.log_v, self.log_u = {}, {}
        for i in range(len(ins)):
            if reached[i]:
                self._variance(i)
        self.energy = {}
        for i in reversed(range(len(ins))):
            if reached[i]:
                self._energy(i)

    def numel(self, j):
        return self.f.numel[self.codes[j]]

    def rule(self, i):
        return _RULE[int(self.f.rule[self.codes[i]])] if len(self.ins[i]) > 1 else "sum"

    def variance_terms(self, i):
        """Share of each input in the signal variance."""
        ins, rule = self.ins[i], self.rule(i)
        v = [math.exp(self.log_v[j]) for j in ins]
        if rule == "concat":
            v = [x * self.numel(j) for x, j in zip(v, ins, strict=False)]
        if rule == "product":
            v = [self.numel(j) for j in ins]
        return [x / sum(v) for x in v]

    def _variance(self, i):
        c, ins, rule = self.codes[i], self.ins[i], self.rule(i)
        v = [math.exp(self.log_v[j]) for j in ins]
        if not ins:
            u = 1.0
        elif rule == "sum":
            u = sum(v)
        elif rule == "mean":
            u = sum(v) / len(v)
        elif rule == "concat":
            u = sum(x * self.numel(j) for x, j in zip(v, ins, strict=False)) / sum(self.numel(j) for j in ins)
        else:
            u = math.prod(v)
        self.log_u[i] = math.log(u)
        if len(ins) > 1:
            self.log_v[i] = math.log(u)
        elif self.f.normalises[c]:
            self.log_v[i] = 0.0
        elif self.f.saturates[c]:
            self.log_v[i] = self.f.moment[c]
        else:
            self.log_v[i] = math.log(u) + self.f.gain[c]

    def _energy(self, i):
        total, used = 0.0, False
        for k in range(i + 1, len(self.ins)):
            for j in self.ins[k]:
                if j == i and self.reached[k]:
                    used = True
                    total += math.exp(self.energy[k] + self._own_gain(k) + self._edge_gain(i, k))
        self.energy[i] = math.log(total) if used else 0.0

    def _own_gain(self, k):
        c = self.codes[k]
        if len(self.ins[k]) > 1:
            return 0.0
        if self.f.normalises[c]:
            return -self.log_u[k]
        return self.f.moment[c] if self.f.saturates[c] else self.f.gain[c]

    def _edge_gain(self, j, k):
        rule = self.rule(k)
        if rule == "sum":
            return 0.0
        if rule == "mean":
            return -math.log(len(self.ins[k]))
        if rule == "concat":
            return math.log(self.numel(j) / sum(self.numel(x) for x in self.ins[k]))
        return sum(self.log_v[x] for x in self.ins[k]) - self.log_v[j]

    def paths(self):
        """Every path to the last node: (nodes, weight) under each weighting, weights adding up to 1."""
        found = []

        def extend(i, tail, weights):
            tail = (i, *tail)
            ins = self.ins[i]
            if not ins:
                found.append((tail, weights))
                return
            shares = self.variance_terms(i)
            flows = self.flow_shares(i)
            for j, share, flow in zip(ins, shares, flows, strict=False):
                uniform, walk, variance, f = weights
                extend(j, tail, (uniform, walk / len(ins), variance * share, f * flow))

        extend(len(self.ins) - 1, (), (1.0, 1.0, 1.0, 1.0))
        total = np.array([w for _, w in found]).sum(axis=0)
        return [(nodes, np.array(w) / total) for nodes, w in found]

    def flow_shares(self, i):
        @cache
        def log_flow(k):
            c, ins = self.codes[k], self.ins[k]
            own = 0.5 * self.f.fan_in[c] if self.f.weighted[c] else 0.0
            if not ins:
                return own
            return own + math.log(sum(math.exp(log_flow(j)) * s for j, s in zip(ins, static(k), strict=False)))

        def static(k):
            ins, rule = self.ins[k], self.rule(k)
            if rule == "sum":
                return [1.0] * len(ins)
            if rule == "mean":
                return [1 / len(ins)] * len(ins)
            total = sum(self.numel(j) for j in ins)
            return [self.numel(j) / total for j in ins]

        terms = [math.exp(log_flow(j)) * s for j, s in zip(self.ins[i], static(i), strict=False)]
        return [t / sum(terms) for t in terms]


def passes_of(graphs):
    b = batch(graphs)
    f = signature_features(b.signatures)
    plan = compile_plan(b, f.is_input > 0)
    return f, plan, run_passes(plan, f)


@pytest.mark.parametrize("seed", range(25))
def test_moments_over_enumerated_paths(seed, recipe_of, network_of):
    rng = np.random.default_rng(seed)
    graph = network_of(recipe_of(rng, int(rng.integers(2, 14))), parameter=bool(seed % 2))
    f, plan, result = passes_of([graph])
    reference = Reference(graph)
    paths = reference.paths()
    counts = np.array([f.path_counts[graph.codes[list(nodes)]].sum(axis=0) for nodes, _ in paths])
    weights = np.array([w for _, w in paths])
    mean = weights.T @ counts
    second = np.stack([weights[:, k] @ (counts - mean[k]) ** 2 for k in range(len(WEIGHTINGS))])
    np.testing.assert_allclose(result.graph_mean[0], mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.graph_variance[0], second, rtol=1e-7, atol=1e-7)
    entropy = -(weights * np.log(np.maximum(weights, 1e-300))).sum(axis=0)
    np.testing.assert_allclose(result.entropy[0], entropy, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.final[0, 0], math.log(len(paths)), rtol=1e-9, atol=1e-9)
    weighted = counts[:, PATH_COUNTS.index("weighted")]
    longest = result.longest[plan.sinks[0]]
    assert longest[0] == weighted.max()
    assert -longest[2] == weighted.min()


@pytest.mark.parametrize("seed", range(25))
def test_variance_and_gradient_of_every_weighted_operator(seed, recipe_of, network_of):
    rng = np.random.default_rng(100 + seed)
    graph = network_of(recipe_of(rng, int(rng.integers(2, 40))), parameter=bool(seed % 2))
    f, _, result = passes_of([graph])
    reference = Reference(graph)
    expected = sorted(
        (int(c), reference.log_u[i], reference.energy[i])
        for i, c in enumerate(graph.codes)
        if f.weighted[c] > 0 and reference.reached[i]
    )
    found = sorted(
        zip(result.inner.code.tolist(), result.inner.variance.tolist(), result.inner.energy.tolist(), strict=False)
    )
    assert len(found) == len(expected)
    # rounding may swap equal entries, so columns are compared sorted within a code
    for column in (1, 2):
        a = sorted((e[0], e[column]) for e in expected)
        b = sorted((x[0], x[column]) for x in found)
        np.testing.assert_allclose(np.array(b), np.array(a), rtol=1e-8, atol=1e-8)


def test_occupancy_adds_up(networks):
    """Every path has exactly one source, so the occupancy of the sources of a graph is one."""
    _, plan, result = passes_of(networks)
    total = np.zeros((len(networks), len(WEIGHTINGS)))
    np.add.at(total, plan.graph[plan.sources], result.occupancy[plan.sources])
    np.testing.assert_allclose(total, 1, rtol=1e-9)
