"""Signals, gradients and paths: one pass along the data flow and one against it.

Notation: p -> i an edge, u_i the log variance that the inputs of i bring, v_i the log variance of its output.

**Forward.** Each of K path weightings gives a node the log weight s_i of all paths that end there; the share of
input p is the softmax of its
terms. ``uniform``: s_i = log sum exp s_p, every path counts one. ``walk``: every input has the same share.
``variance``: s is the log signal
variance at initialisation, v: additions sum variances, concatenations average them by channels, products multiply
them, normalisation resets to 1, an activation multiplies by its second moment, an average pool over k x k by 1/k.
``flow``: every weighted operator
multiplies by the root of its fan-in (the expected synaptic flow of Tanaka et al., 2020, arXiv 2006.05467, at initialisation). Under each
weighting, m_i is the expectation over paths of quantities that add up along a path (PATH_COUNTS).

**Backward.** The occupancy o_i is the probability that a path, drawn backwards from the outputs by the shares,
visits i, so that the variance of a path
quantity is sum_i o_i Var_p(m_p) by the law of total variance. The log gradient energy e_i = log E ||dL/dx_i||^2 of a random loss at the
output: a linear operator passes it on by its forward variance gain, a normalisation divides by the variance of its input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .joins import exponentials
from .plan import Plan
from .scratch import Scratch
from .signature_features import JOIN_RULES, PATH_COUNTS, SignatureFeatures

Floats = NDArray[np.float64]
WEIGHTINGS = ("uniform", "walk", "variance", "flow")
_UNIFORM, _WALK, _VARIANCE, _FLOW = range(4)
_SUM, _CONCAT, _PRODUCT, _MEAN = range(len(JOIN_RULES))


@dataclass(frozen=True)
class TypeTables:
    """What one segment type does, for T types: see `_type_tables`."""

    scale: Floats  # (T, K) s_out = scale * u + shift
    shift: Floats  # (T, K)
    counts: Floats  # (T, C) path quantities of the whole segment
    longest: Floats  # (T, 3) weighted operators, operators, minus weighted operators
    back_gain: Floats  # (T,) e_head = e_tail + back_gain - back_slope * u
    back_slope: Floats  # (T,)
    # weighted operators inside types
    inner_type: NDArray[np.int64]  # (Q,) sorted
    inner_code: NDArray[np.int64]  # (Q,)
    inner_forward: Floats  # (Q, 2) log input variance = [0] + [1] * u
    inner_backward: Floats  # (Q, 2) log gradient energy at its output = e_tail + [0] - [1] * u


@dataclass(frozen=True)
class Inner:
    """The weighted operators of the batch (Q' of them): graph, signature, log input variance, log gradient energy at the output."""

    graph: NDArray[np.int64]
    code: NDArray[np.int64]
    variance: Floats
    energy: Floats


@dataclass(frozen=True)
class Passes:
    """Results for S segments (forward numbers), E forward edges, G graphs, K weightings, C path quantities."""

    log_weight: Floats  # (S, K)
    share: Floats  # (E, K)
    mean: Floats  # (S, K, C) at the output of each segment
    longest: Floats  # (S, 3)
    occupancy: Floats  # (S, K)
    energy: Floats  # (S,) log gradient energy at the output of each segment
    graph_mean: Floats  # (G, K, C)
    graph_variance: Floats  # (G, K, C)
    entropy: Floats  # (G, K) entropy of the distribution over paths, nats
    final: Floats  # (G, K) log weight at the outputs
    inner: Inner


def run_passes(plan: Plan, features: SignatureFeatures, scratch: Scratch | None = None) -> Passes:
    """Both passes over a batch; the means lie in ``scratch``."""
    scratch = scratch or Scratch()
    tables = _type_tables(plan, features)
    log_share, rule = _edge_terms(plan, features)
    log_weight, carried, share, mean, longest = _forward(plan, tables, log_share, rule, scratch)
    start = _sink_weights(plan, log_weight)
    occupancy, energy = _backward(plan, tables, log_share, rule, log_weight, carried, share, start)
    graph_mean, graph_variance, entropy = _moments(plan, tables, share, mean, occupancy, start)
    final = np.zeros((plan.n_graphs, len(WEIGHTINGS)))
    np.add.at(final, plan.graph[plan.sinks], start * log_weight[plan.sinks])
    inner = _inner(plan, tables, carried, energy)
    return Passes(
        log_weight, share, mean, longest, occupancy, energy, graph_mean, graph_variance, entropy, final, inner
    )


def _type_tables(plan: Plan, f: SignatureFeatures) -> TypeTables:
    """Compose the operators of every segment type."""
    n_types, k = len(plan.sequence), len(WEIGHTINGS)
    phi = f.path_counts
    scale, shift = np.ones((n_types, k)), np.zeros((n_types, k))
    scale[:, _WALK] = 0
    counts = np.zeros((n_types, len(PATH_COUNTS)))
    longest = np.zeros((n_types, 3))
    back_gain, back_slope = np.zeros(n_types), np.zeros(n_types)
    before: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats]] = []
    for position, types, codes in plan.along():
        counts[types] += phi[codes]
        step = 1.0 - np.maximum(f.is_layout[codes], f.is_io[codes])
        longest[types] += np.stack([f.weighted[codes], step, -f.weighted[codes]], axis=1)
        # the first operator of a join has acted already
        joined = plan.join[types] & (position == 0)
        slope, offset = scale[types, _VARIANCE], shift[types, _VARIANCE]
        weighted = (f.weighted[codes] > 0) & ~joined
        before.append((types[weighted], codes[weighted], offset[weighted], slope[weighted], np.zeros(0)))
        normalises = np.where(joined, 0, f.normalises[codes])
        saturates = np.where(joined, 0, f.saturates[codes])
        gain = np.where(joined, 0, f.gain[codes])
        reset = np.maximum(normalises, saturates) > 0
        # backward: normalisation divides by the variance of its input, offset + slope * u
        back_gain[types] += np.where(normalises > 0, -offset, np.where(saturates > 0, f.moment[codes], gain))
        back_slope[types] += np.where(normalises > 0, slope, 0)
        scale[types, _VARIANCE] = np.where(reset, 0, slope)
        shift[types, _VARIANCE] = np.where(reset, f.moment[codes] * saturates, offset + gain)
        shift[types, _FLOW] += 0.5 * f.fan_in[codes] * f.weighted[codes]
        before[-1] = (*before[-1][:4], np.stack([back_gain[types[weighted]], back_slope[types[weighted]]], axis=1))
    kind = np.concatenate([b[0] for b in before] or [np.zeros(0, np.int64)])
    order = np.argsort(kind, kind="stable")
    kind = kind[order]
    code = np.concatenate([b[1] for b in before])[order]
    forward = np.stack([np.concatenate([b[2] for b in before]), np.concatenate([b[3] for b in before])], axis=1)[order]
    done = np.concatenate([b[4] for b in before])[order]
    backward = np.stack([back_gain[kind] - done[:, 0], back_slope[kind] - done[:, 1]], axis=1)
    return TypeTables(scale, shift, counts, longest, back_gain, back_slope, kind, code, forward, backward)


def _edge_terms(plan: Plan, f: SignatureFeatures) -> tuple[Floats, NDArray[np.int64]]:
    """Log share of the elements (concatenation, product) or of the inputs (mean) of each forward edge, 0 for sums; rule of its target."""
    source, target = plan.forward.source, plan.forward.target
    last = plan.sequence[plan.type, plan.length[plan.type] - 1][source]
    rule = f.rule[plan.sequence[plan.type, 0]].astype(np.int64)[target]
    rule[plan.indegree[target] < 2] = _SUM
    amount = np.where((rule == _CONCAT) | (rule == _PRODUCT), f.numel[last], 1.0)
    total = np.bincount(target, weights=amount, minlength=len(plan))
    return np.where(rule == _SUM, 0.0, np.log(amount / total[target])), rule


def _forward(
    plan: Plan, t: TypeTables, log_share: Floats, rule: NDArray[np.int64], scratch: Scratch
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Log weights at outputs and inputs of segments, shares of edges, means over paths, longest (and minus shortest) paths."""
    n, k, c = len(plan), len(WEIGHTINGS), len(PATH_COUNTS)
    flow = plan.forward
    s, u = np.empty((n, k)), np.zeros((n, k))
    m = scratch.array("mean", (n, k, c))
    longest = np.empty((n, t.longest.shape[1]))
    share = np.ones((len(flow.source), k))
    product = rule == _PRODUCT
    products = bool(product.any())
    for step in flow.steps:
        lo, hi, joins = step.lo, step.hi, step.joins
        kind = plan.type[lo:hi]
        counts, steps = t.counts.take(kind, axis=0)[:, None, :], t.longest.take(kind, axis=0)
        if not step.slots:
            m[lo:hi], longest[lo:hi] = counts, steps
        else:
            first, last = step.slots[0]
            source = flow.source[first:last]
            s.take(source, axis=0, out=u[lo:hi], mode="clip")
            acc, far = m.take(source, axis=0), longest.take(source, axis=0)
            if joins:
                slots = step.joined
                terms, multiplied = [], np.zeros(joins)
                for at in slots:
                    term = s.take(flow.source[at], axis=0)
                    if products:  # the variance of a product is the product, its shares are fixed
                        multiplies = product[at]
                        multiplied[: len(term)] += multiplies * term[:, _VARIANCE]
                        term[multiplies, _VARIANCE] = 0
                    term[:, _VARIANCE] += log_share[at]
                    term[:, _FLOW] += log_share[at]
                    terms.append(term)
                u[lo : lo + joins] = log_sum_exp(terms)
                u[lo : lo + joins, _VARIANCE] += multiplied
                acc[:joins] = 0
                for at, term in zip(slots, terms, strict=True):
                    share[at] = term
                    part = m.take(flow.source[at], axis=0)
                    part *= term[:, :, None]
                    acc[: len(term)] += part
                    np.maximum(far[: len(term)], longest.take(flow.source[at], axis=0), out=far[: len(term)])
            np.add(acc, counts, out=m[lo:hi])
            np.add(far, steps, out=longest[lo:hi])
        np.multiply(u[lo:hi], t.scale.take(kind, axis=0), out=s[lo:hi])
        s[lo:hi] += t.shift.take(kind, axis=0)
    return s, u, share, m, longest


def log_sum_exp(terms: list[Floats]) -> Floats:
    """log of the sum of exp over slots; every slot covers a prefix of the rows of the first. Turns the terms into
    their softmax, in place."""
    top, total = exponentials(terms, np)
    for term in terms:
        term /= total[: len(term)]
    return top + np.log(total)


def _sink_weights(plan: Plan, log_weight: Floats) -> Floats:
    """Probability (sinks, K) that a path ends at a sink of its graph: by the number of paths for ``uniform``, else equal."""
    sinks, graph = plan.sinks, plan.graph[plan.sinks]
    weights = np.ones((len(sinks), len(WEIGHTINGS)))
    top = np.full(plan.n_graphs, -np.inf)
    np.maximum.at(top, graph, log_weight[sinks, _UNIFORM])
    weights[:, _UNIFORM] = np.exp(log_weight[sinks, _UNIFORM] - top[graph])
    total = np.zeros((plan.n_graphs, len(WEIGHTINGS)))
    np.add.at(total, graph, weights)
    return weights / total[graph]


def _backward(
    plan: Plan,
    t: TypeTables,
    log_share: Floats,
    rule: NDArray[np.int64],
    log_weight: Floats,
    carried: Floats,
    share: Floats,
    start: Floats,
) -> tuple[Floats, Floats]:
    """Occupancy (S, K) and log gradient energy at the output (S,), in forward numbers."""
    flow, forward = plan.backward, plan.forward
    # what an edge multiplies the energy by
    gain = np.where(
        rule == _PRODUCT, carried[forward.target, _VARIANCE] - log_weight[forward.source, _VARIANCE], log_share
    ).take(flow.edge)
    share = share.take(flow.edge, axis=0)
    kind = plan.type[flow.segment]
    # e_head - e_tail
    inside = t.back_gain[kind] - t.back_slope[kind] * carried[flow.segment, _VARIANCE]
    occupancy = np.zeros((len(plan), len(WEIGHTINGS)))
    tail, head = np.zeros(len(plan)), np.zeros(len(plan))
    number = np.empty(len(plan), dtype=np.int64)
    number[flow.segment] = np.arange(len(plan))
    occupancy[number[plan.sinks]] = start
    for step in flow.steps:
        lo, hi = step.lo, step.hi
        if step.slots:
            for a, b in step.slots:
                part = occupancy.take(flow.source[a:b], axis=0)
                part *= share[a:b]
                occupancy[lo : lo + b - a] += part
            terms = [head.take(flow.source[a:b]) + gain[a:b] for a, b in step.slots]
            widest = len(terms[0])
            tail[lo : lo + widest] = log_sum_exp(terms) if step.joins else terms[0]
        head[lo:hi] = tail[lo:hi] + inside[lo:hi]
    return occupancy.take(number, axis=0), tail.take(number)


def _moments(
    plan: Plan, t: TypeTables, share: Floats, mean: Floats, occupancy: Floats, start: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mean and variance of path quantities and entropy of the path distribution, per graph."""
    flow, sinks = plan.forward, plan.sinks
    shape = (plan.n_graphs, len(WEIGHTINGS), len(PATH_COUNTS))
    graph_mean, variance, entropy = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    graph = plan.graph[sinks]
    np.add.at(graph_mean, graph, start[:, :, None] * mean[sinks])
    if len(sinks) > plan.n_graphs:
        np.add.at(variance, graph, start[:, :, None] * (mean[sinks] - graph_mean[graph]) ** 2)
        np.add.at(entropy, graph, -start * np.log(np.maximum(start, 1e-300)))
    joins = np.flatnonzero(plan.indegree[flow.target] > 1)
    # block by block, so that the work stays in cache; sorted by graph, so that sums are slices
    joins = joins[np.argsort(plan.graph[flow.target[joins]], kind="stable")]
    for block in np.array_split(joins, max(1, len(joins) // 4096)):
        if not len(block):
            continue
        source, target = flow.source[block], flow.target[block]
        shares = share.take(block, axis=0)
        weight = shares * occupancy.take(target, axis=0)
        spread = mean.take(source, axis=0)
        joined = mean.take(target, axis=0)
        joined -= t.counts.take(plan.type[target], axis=0)[:, None, :]
        spread -= joined
        spread *= spread
        spread *= weight[:, :, None]
        weight *= np.log(np.maximum(shares, 1e-300, out=shares), out=shares)
        graphs = plan.graph[target]
        first = np.flatnonzero(np.diff(graphs, prepend=-1))
        variance[graphs[first]] += np.add.reduceat(spread, first, axis=0)
        entropy[graphs[first]] -= np.add.reduceat(weight, first, axis=0)
    return graph_mean, variance, entropy


def _inner(plan: Plan, t: TypeTables, carried: Floats, energy: Floats) -> Inner:
    """Spread the weighted operators of the types over the segments."""
    per_type = np.bincount(t.inner_type, minlength=len(plan.sequence))
    begin = np.concatenate([[0], np.cumsum(per_type)])[:-1]
    count = per_type[plan.type]
    segment = np.repeat(np.arange(len(plan)), count)
    rank = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    row = begin[plan.type[segment]] + rank
    u = carried[segment, _VARIANCE]
    variance = t.inner_forward[row, 0] + t.inner_forward[row, 1] * u
    gradient = energy[segment] + t.inner_backward[row, 0] - t.inner_backward[row, 1] * u
    return Inner(plan.graph[segment], t.inner_code[row], variance, gradient)
