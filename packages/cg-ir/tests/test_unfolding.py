"""Which convolutions may hold a batch normalisation, and the network with it in the place of their biases."""

from __future__ import annotations

from typing import Any

import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.unfolding import folded_convolutions, unfold


def chain(
    count: int = 3,
    *,
    biased: tuple[int, ...] | None = None,
    size: int = 8,
    norm: str = "",
    ends: str = "Relu",
    op: str = "Conv",
) -> Graph:
    """Convolutions with activations behind; ``norm`` stands before the first where it is given."""
    b = GraphBuilder("chain", producer={"name": "test"})
    b.extras["note"] = 1
    x = b.input((1, 4, size, size))
    if norm:
        x = b.add(norm, x, **({"axis": 1} if norm == "LayerNormalization" else {}))
    for i in range(count):
        attrs: dict[str, Any] = {"kernel_shape": (1, 1), "bias": biased is None or i in biased}
        x = b.add(op, x, channels=4, region=f"block_{i}", **attrs)
        x = b.add(ends, x) if ends else x
    b.output(x)
    return b.build()


def places(graph: Graph, op: str = "Conv") -> list[int]:
    return [node.index for node in graph.nodes if node.op == op]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_convolutions_with_biases_and_nothing_that_normalises(op: str) -> None:
    graph = chain(op=op)
    assert folded_convolutions(graph) == places(graph, op) != []


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (chain(2), "two are no evidence"),
        (chain(4, biased=(0, 1, 2)), "one lacks a bias"),
        (chain(size=1), "what gates channels has one position"),
        (chain(norm="LayerNormalization"), "another operator normalises"),
        (chain(3, ends=""), "an output reads the last, two are left"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_evidence(graph: Graph, why: str) -> None:
    assert folded_convolutions(graph) == []
    assert unfold(graph).hash == graph.hash


def test_what_an_output_reads_is_a_last_layer() -> None:
    graph = chain(4, ends="")
    assert folded_convolutions(graph) == places(graph)[:3]


def test_beside_batch_normalisations_only_what_an_activation_alone_reads() -> None:
    b = GraphBuilder()
    x = b.add("BatchNormalization", b.input((1, 4, 8, 8)))
    for _ in range(3):
        x = b.add("Relu", b.add("Conv", x, channels=4, kernel_shape=(1, 1), bias=True))
    plain = b.add("Conv", x, channels=4, kernel_shape=(1, 1))
    joined = b.add("Conv", plain, channels=4, kernel_shape=(1, 1), bias=True)
    b.output(b.add("Add", joined, b.add("Sigmoid", joined)))
    graph = b.build()
    assert folded_convolutions(graph) == places(graph)[:3]


def test_each_bias_becomes_a_batch_normalisation() -> None:
    graph = chain(3)
    unfolded = unfold(graph)
    assert [node.op for node in unfolded.nodes] == ["Input", *["Conv", "BatchNormalization", "Relu"] * 3, "Output"]
    assert not any(node.attrs["bias"] for node in unfolded.nodes if node.op == "Conv")
    assert [node.region for node in unfolded.nodes if node.op == "BatchNormalization"] == [
        "block_0",
        "block_1",
        "block_2",
    ]
    assert (unfolded.params, unfolded.macs) == (graph.params + 3 * 4, graph.macs)
    assert (unfolded.name, unfolded.producer, unfolded.extras) == ("chain", {"name": "test"}, {"note": 1})


def test_what_was_unfolded_has_nothing_left_to_unfold() -> None:
    unfolded = unfold(chain(3))
    assert folded_convolutions(unfolded) == []
    assert unfold(unfolded).hash == unfolded.hash
