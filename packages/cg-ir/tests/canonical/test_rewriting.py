"""One pass of rewriting: who reads what, chains, and time."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

torch = pytest.importorskip("torch")

from canonical_checks import IMAGE, build, check, ops  # noqa: E402
from strategies import networks as random_networks  # noqa: E402

from cg_ir import GraphBuilder, canonicalize  # noqa: E402
from cg_ir.canonical.arithmetic import ARITHMETIC  # noqa: E402
from cg_ir.canonical.layout import LAYOUT  # noqa: E402
from cg_ir.canonical.rewriting import Pass  # noqa: E402
from cg_ir.canonical.windows import WINDOWS  # noqa: E402
from cg_ir.records import Record  # noqa: E402


def test_a_gemm_that_a_reshape_also_reads_is_not_copied():
    """Use counts are exact where rules look through nodes."""

    def graph(b, x):
        y = b.add("Gemm", x, channels=5)
        flat = b.add("Flatten", y, shape=(1, 120))
        again = b.add("Reshape", flat, shape=(1, 4, 6, 5))
        return b.add("Add", again, b.parameter((5,))), flat

    canonical = check(build(graph), weights_move=True)
    assert ops(canonical).count("Gemm") == 1


def test_long_chains_take_linear_time():
    b = GraphBuilder(canonical=False)
    x = b.input((1, 4))
    y = x
    for _ in range(20_000):
        y = b.add("Add", y, x)
    b.output(y)
    start = time.process_time()
    canonical = canonicalize(b.build())
    assert time.process_time() - start < 10
    assert len(canonical) == 3
    assert len(canonical.nodes[1].inputs) == 20_001


def records_of(graph):
    return [Record(n.op, n.signature.items, list(n.inputs), n.shape, n.region, n.weights) for n in graph.nodes]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_networks(canonical=False))
def test_readers_are_counted_through_every_rewriting(graph):
    records = records_of(graph)
    for _ in range(3):
        one_pass = Pass(records, {**LAYOUT, **ARITHMETIC, **WINDOWS})
        rewritten, changed = one_pass.run()
        reads = Counter(i for node in rewritten for i in node.inputs)
        assert one_pass.uses == [reads[i] for i in range(len(rewritten))]
        assert changed or rewritten == records
        records = rewritten


def test_a_pass_without_rules_changes_nothing():
    records = records_of(build(lambda b, x: b.add("Add", b.add("Tanh", x), x)))
    assert Pass(records, {}).run() == (records, False)


@pytest.mark.parametrize(
    ("rule", "expected", "changed"),
    [
        (lambda p, r: None, ["Input", "Tanh", "Output"], False),
        (lambda p, r: Record(r.op, r.items, list(r.inputs), r.shape), ["Input", "Tanh", "Output"], False),
        (lambda p, r: r.source, ["Input", "Output"], True),
        (lambda p, r: Record("Relu", (), r.inputs, r.shape), ["Input", "Relu", "Output"], True),
    ],
    ids=["none", "itself", "another node", "another record"],
)
def test_what_a_rule_returns_stands_for_the_node(rule, expected, changed):
    rewritten, noted = Pass(records_of(build(lambda b, x: b.add("Tanh", x))), {"Tanh": rule}).run()
    assert [record.op for record in rewritten] == expected
    assert noted == changed
    assert [record.inputs for record in rewritten[1:]] == [[i] for i in range(len(rewritten) - 1)]


def test_a_node_whose_further_outputs_are_read_stays_what_it_is():
    def make(b, x):
        most = b.add("MaxPool", x, kernel_shape=(1, 1))
        return most, b.add("Select", most, index=1, shape=IMAGE), b.add("MaxPool", x, kernel_shape=(1, 1))

    assert ops(canonicalize(build(make))) == ["MaxPool", "Select"]


@pytest.mark.parametrize("op", ["Add", "Max", "Min"])
def test_chains_keep_the_order_of_their_terms(op):
    def make(b, x):
        a, c, d = b.add("Tanh", x), b.add("Abs", x), b.add("Neg", x)
        return b.add(op, b.add(op, a, b.add(op, c, x)), d)

    graph = canonicalize(build(make))
    assert [graph.nodes[i].op for i in graph.nodes[-2].inputs] == ["Tanh", "Abs", "Input", "Neg"]


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [((), [2.0], 2.0), ((3,), [2.0], 2.0), ((2,), [1.0, 2.0], None), ((3,), [], None), (None, None, None)],
)
def test_a_scalar_is_a_constant_that_one_number_fills(shape, value, expected):
    b = GraphBuilder(canonical=False)
    x = b.parameter((3,)) if shape is None else b.constant(shape, value)
    b.output(x)
    one_pass = Pass(records_of(b.build()), {})
    one_pass.run()
    assert one_pass.scalar(0) == expected


def test_a_parameter_is_own_where_one_node_reads_it_and_no_key_shares_it():
    b = GraphBuilder(canonical=False)
    once, twice, shared, again = (
        b.parameter((3,)),
        b.parameter((3,)),
        b.parameter((3,), weights="w"),
        b.parameter((3,), weights="w"),
    )
    b.output(b.add("Add", once, twice, twice, shared, again, b.constant((3,), [1.0])))
    one_pass = Pass(records_of(b.build()), {})
    one_pass.run()
    assert [one_pass.is_own(i) for i in range(6)] == [True, False, False, False, False, False]
