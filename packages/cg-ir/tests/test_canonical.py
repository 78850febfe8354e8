"""The canonical form as a whole: one hash for one network, and no rule changes what it computes or costs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

torch = pytest.importorskip("torch")

from canonical_checks import IMAGE, build, check, ops  # noqa: E402
from strategies import networks as random_networks  # noqa: E402

from cg_ir import GraphBuilder, canonicalize  # noqa: E402


def test_attributes_that_mean_the_same_have_one_spelling():
    def made(op, *inputs, **attrs):
        return check(build(lambda b, x: b.add(op, *[x] * max(1, len(inputs)), **attrs)))

    three = ("x",) * 3
    assert made("Attention", *three, scale=6**-0.5).hash == made("Attention", *three).hash
    assert made("Attention", *three, scale=0.5).nodes[1].attrs["scale"] == 0.5
    assert made("Attention", *three, scale=6**-0.5, is_causal=True).nodes[1].attrs["is_causal"] is True
    letters = made("Einsum", "x", "x", equation="n c h w, nChw -> nCc")
    assert letters.hash == made("Einsum", "x", "x", equation="abcd,aecd->aeb").hash
    pool = {"kernel_shape": (2, 2)}
    pools = [made("AveragePool", count_include_pad=included, **pool) for included in (False, True)]
    assert pools[0].hash == pools[1].hash
    parts = [
        check(
            build(
                lambda b, x, step=step: b.add("Slice", x, starts=(0, 0, 3, 0), ends=(1, 4, 4, 6), steps=(1, 1, step, 1))
            )
        )
        for step in (1, 2)
    ]
    assert parts[0].hash == parts[1].hash
    assert made("ReduceSum", axes=(3, 1)).hash == made("ReduceSum", axes=(1, 3)).hash


def test_what_stands_for_a_node_lies_in_its_region():
    b = GraphBuilder(canonical=False)
    x = b.input(IMAGE)
    y = b.add("Mul", x, b.add("Sigmoid", x, region="gate"), region="block.act")
    y = b.add("ReduceMean", y, axes=(2, 3), keepdims=False, region="head")
    b.output(b.add("Clip", y, min=0.0, region="end"))
    regions = {n.op: n.region for n in check(b.build()).nodes if n.op not in ("Input", "Output")}
    assert regions == {"Silu": "block.act", "GlobalAveragePool": "head", "Flatten": "head", "Relu": "end"}


def test_dead_nodes_go_and_inputs_stay():
    b = GraphBuilder(canonical=False)
    x, unused = b.input(IMAGE), b.input((1, 2))
    b.add("Gemm", unused, channels=3)
    b.output(b.add("Relu", x))
    graph = b.build()
    canonical = canonicalize(graph)
    assert ops(canonical) == ["Relu"]
    assert sum(n.op == "Input" for n in canonical.nodes) == 2
    assert canonical.params == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_networks(canonical=False))
def test_random_networks_keep_their_function(graph):
    """Dead nodes aside, which are cut first; weights keep their order as rules keep that of the operators."""
    live = _live(graph)
    moved = any(n.op == "Parameter" for n in live.nodes)
    check(live, weights_move=moved)


def _live(graph):
    """The graph without nodes that no output needs."""
    from cg_ir.canonical import _live as live
    from cg_ir.records import Record, assemble

    records = [Record(n.op, n.signature.items, list(n.inputs), n.shape, n.region, n.weights) for n in graph.nodes]
    return assemble(live(records), graph.name)


def test_spellings_have_one_hash():
    def gate(b, x):
        return b.add("Clip", b.add("Add", x, b.constant((), [3.0])), min=0.0, max=6.0)

    def hashes(*spellings):
        return {canonicalize(build(make)).hash for make in spellings}

    swishes = hashes(
        lambda b, x: b.add("HardSwish", x),
        lambda b, x: b.add("Mul", x, b.add("HardSigmoid", x)),
        lambda b, x: b.add("Div", b.add("Mul", x, gate(b, x)), b.constant((), [6.0])),
    )
    pools = hashes(
        lambda b, x: b.add("ReduceMean", x, axes=(2, 3)),
        lambda b, x: b.add("AdaptiveAveragePool", x, output_size=(1, 1)),
        lambda b, x: b.add("AveragePool", x, kernel_shape=(6, 6), count_include_pad=False),
    )
    assert (len(swishes), len(pools)) == (1, 1)
