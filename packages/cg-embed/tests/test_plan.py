"""The schedule of passes: segments, levels and order."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from cg_embed.plan import _order, compile_plan
from cg_embed.signature_features import JOIN_RULES, signature_features
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


def test_every_reached_node_is_in_one_segment(networks):
    b = batch(networks)
    f = signature_features(b.signatures)
    plan = compile_plan(b, f.is_input > 0)
    expected = sum(sum(Reference(g).reached) for g in networks)
    assert plan.length[plan.type].sum() == expected
    assert (plan.level[plan.forward.source] < plan.level[plan.forward.target]).all()


@pytest.mark.parametrize("most", [1, 300, 2**16, 2**31])
def test_order_is_stable(most):
    key = np.random.default_rng(0).integers(0, most, 5000)
    np.testing.assert_array_equal(_order(key), np.argsort(key, kind="stable"))
    assert len(_order(key[:0])) == 0
