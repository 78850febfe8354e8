"""The view without layout operators."""

from __future__ import annotations

from hypothesis import given
from strategies import networks

from cg_ir import Graph, GraphBuilder
from cg_ir.operators import OPERATORS
from cg_ir.simplify import simplify


@given(networks())
def test_what_is_left_is_what_computes_and_reads_through_what_is_gone(graph: Graph) -> None:
    simple = simplify(graph)
    kept = [node for node in graph.nodes if not OPERATORS[node.op].layout and node.op != "Select"]
    assert [(n.signature, n.region, n.weights) for n in simple.nodes] == [
        (n.signature, n.region, n.weights) for n in kept
    ]
    assert (simple.params, simple.macs, simple.name) == (graph.params, graph.macs, graph.name)
    place = {node.index: i for i, node in enumerate(kept)}

    def seen(i: int) -> int:
        while i not in place:
            i = graph.nodes[i].inputs[0]
        return place[i]

    assert simple.input_lists() == [[seen(i) for i in node.inputs] for node in kept]


def test_further_outputs_and_chains_of_layout_are_looked_through() -> None:
    b = GraphBuilder("net")
    x = b.input((1, 4, 6))
    most = b.add("TopK", x, axis=2, k=2)
    values = b.add("Transpose", b.add("Reshape", most, shape=(1, 2, 4)), perm=(0, 2, 1))
    b.output(b.add("Relu", values))
    b.output(b.add("Select", most, index=1, shape=(1, 4, 2)))
    simple = simplify(b.build())
    assert [(n.op, list(n.inputs)) for n in simple.nodes] == [
        ("Input", []), ("TopK", [0]), ("Relu", [1]), ("Output", [2]), ("Output", [1]),
    ]  # fmt: skip
