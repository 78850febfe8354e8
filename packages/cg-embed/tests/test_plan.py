"""The schedule of passes: segments, levels, slots and order, against networkx."""

from __future__ import annotations

from itertools import pairwise

import networkx
import numpy as np
import pytest

from cg_embed.plan import _order, at_once, compile_plan
from cg_embed.signature_features import signature_features
from cg_ir import GraphBuilder, batch


@pytest.fixture(scope="module")
def compiled(networks):
    """The batch of the networks, its plan, and the graph of the nodes that some input reaches, all where none does."""
    joined = batch(networks)
    is_input = signature_features(joined.signatures).is_input > 0
    whole = networkx.MultiDiGraph()  # an operator may read one result twice
    whole.add_nodes_from(range(len(joined.codes)))
    targets = np.repeat(np.arange(len(joined.codes)), np.diff(joined.indptr))
    whole.add_edges_from(zip(np.asarray(joined.indices).tolist(), targets.tolist(), strict=True))
    live = set()
    for begin, end in pairwise(np.asarray(joined.node_offsets).tolist()):
        reached = {i for i in range(begin, end) if is_input[joined.codes[i]]}
        reached |= {n for i in reached for n in networkx.descendants(whole, i)}
        live |= reached or set(range(begin, end))
    return joined, compile_plan(joined, is_input), whole.subgraph(live)


def test_segments_are_the_longest_chains(compiled):
    joined, plan, graph = compiled
    inner = {v for v in graph if graph.in_degree(v) == 1 and graph.out_degree(next(graph.predecessors(v))) == 1}
    assert sorted(plan.head.tolist()) == sorted(set(graph) - inner)
    for segment, (head, tail) in enumerate(zip(plan.head.tolist(), plan.tail.tolist(), strict=True)):
        chain = [head]
        while (after := list(graph.successors(chain[-1]))) and after[0] in inner:
            chain += after
        assert chain[-1] == tail
        length = plan.length[plan.type[segment]]
        assert plan.sequence[plan.type[segment], :length].tolist() == joined.codes[chain].tolist()
        assert (plan.sequence[plan.type[segment], length:] == -1).all()
        assert plan.graph[segment] == joined.graph_index[head]
        assert plan.join[plan.type[segment]] == (graph.in_degree(head) > 1)


def test_edges_join_the_tail_of_one_segment_to_the_head_of_another(compiled):
    _, plan, graph = compiled
    heads = set(plan.head.tolist())
    expected = sorted((u, v) for u, v in graph.edges() if v in heads)
    forward = plan.forward
    assert sorted(zip(plan.tail[forward.source].tolist(), plan.head[forward.target].tolist(), strict=True)) == expected
    assert plan.indegree.tolist() == [graph.in_degree(v) for v in plan.head.tolist()]
    assert plan.outdegree.tolist() == [graph.out_degree(v) for v in plan.tail.tolist()]
    assert [graph.in_degree(plan.head[s]) for s in plan.sources] == [0] * len(plan.sources) != []
    assert [graph.out_degree(plan.tail[s]) for s in plan.sinks] == [0] * len(plan.sinks) != []


def test_levels_are_longest_distances_from_a_source(compiled):
    _, plan, _ = compiled
    segments = networkx.DiGraph()
    segments.add_nodes_from(range(len(plan)))
    segments.add_edges_from(zip(plan.forward.source.tolist(), plan.forward.target.tolist(), strict=True))
    for level, generation in enumerate(networkx.topological_generations(segments)):
        assert (plan.level[generation] == level).all()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_steps_walk_every_edge_once_slot_by_slot_behind_what_they_need(compiled, direction):
    _, plan, _ = compiled
    flow = getattr(plan, direction)
    done = np.zeros(len(plan), dtype=bool)
    edges = []
    for step in flow.steps:
        assert not done[step.lo :].any()
        for first, last in step.slots:
            assert flow.target[first:last].tolist() == list(range(step.lo, step.lo + last - first))
            assert done[flow.source[first:last]].all()
            edges += range(first, last)
        inputs = np.bincount(flow.target, minlength=len(plan))[step.lo : step.hi]
        assert step.joins == (inputs > 1).sum()
        assert [s.stop - s.start for s in step.joined] == [(inputs > max(k, 1)).sum() for k in range(len(step.slots))]
        done[step.lo : step.hi] = True
    assert done.all()
    assert sorted(edges) == list(range(len(flow.source)))


def test_the_way_back_has_the_same_edges_the_other_way_round(compiled):
    _, plan, _ = compiled
    forward, backward = plan.forward, plan.backward
    np.testing.assert_array_equal(backward.segment[backward.source], forward.target[backward.edge])
    np.testing.assert_array_equal(backward.segment[backward.target], forward.source[backward.edge])
    assert sorted(backward.segment.tolist()) == list(range(len(plan)))


def test_positions_inside_segments_are_those_of_their_types(compiled):
    _, plan, _ = compiled
    rebuilt = np.full_like(plan.sequence, -1)
    for k, types, codes in plan.along():
        rebuilt[types, k] = codes
    np.testing.assert_array_equal(rebuilt, plan.sequence)


def test_equal_types_are_equal_sequences(compiled):
    _, plan, _ = compiled
    seen = {(tuple(row), bool(join)) for row, join in zip(plan.sequence.tolist(), plan.join, strict=True)}
    assert (
        len(seen) <= len(plan.sequence) <= len(seen) + 1
    )  # a source's segment is of another type than one with an input


def test_of_what_parameters_alone_make_nothing_is_walked():
    b = GraphBuilder("scaled")
    scale = b.add("Sigmoid", b.add("Relu", b.parameter((1, 4))))
    b.output(b.add("Mul", b.input((1, 4)), scale))
    joined = batch([b.build()])
    plan = compile_plan(joined, signature_features(joined.signatures).is_input > 0)
    assert len(plan) == 1  # input, product and output are one chain once the scale is gone
    assert plan.length[plan.type].tolist() == [3]


@pytest.mark.parametrize("most", [1, 300, 2**16, 2**31])
def test_order_is_stable(most):
    key = np.random.default_rng(0).integers(0, most, 5000)
    np.testing.assert_array_equal(_order(key), np.argsort(key, kind="stable"))
    assert len(_order(key[:0])) == 0


@pytest.mark.parametrize(
    ("sizes", "parts"), [([], []), ([5], [1]), ([4, 6, 1], [2, 1]), ([11, 12], [1, 1]), ([1] * 21, [10, 10, 1])]
)
def test_parts_hold_as_many_nodes_as_fit(monkeypatch, sizes, parts):
    monkeypatch.setattr("cg_embed.plan._NODES_AT_ONCE", 10)
    found = list(at_once([range(n) for n in sizes]))
    assert [s.stop - s.start for s in found] == parts
    assert [i for s in found for i in range(s.start, s.stop)] == list(range(len(sizes)))
