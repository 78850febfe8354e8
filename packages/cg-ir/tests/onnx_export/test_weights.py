"""Weights of exported models: drawn the same every time, in scale, shared where the graph shares, or those of a module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.onnx_export.weights import module_weights, random_weights


def network(**gemm: Any) -> Graph:
    b = GraphBuilder()
    x = b.input((1, 8, 12, 12))
    x = b.add("Conv", x, channels=64, kernel_shape=(3, 3), group=2, bias=True)
    x = b.add("BatchNormalization", x)
    x = b.add("Mul", x, b.parameter((64, 1, 1)))
    x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, 64))
    for _ in range(2):
        x = b.add("Gemm", x, channels=64, **gemm)
    b.output(x)
    return b.build()


def named(graph: Graph, op: str) -> dict[str, Any]:
    index = next(node.index for node in graph.nodes if node.op == op)
    return random_weights(graph)[index]


def test_every_tensor_has_the_shape_that_the_table_says() -> None:
    graph = network()
    found = random_weights(graph)
    assert set(found) == {node.index for node in graph.nodes if node.params}
    for node in graph.nodes:
        learned = {n: t for n, t in found.get(node.index, {}).items() if not n.startswith("running")}
        assert sum(t.size for t in learned.values()) == node.params
        assert all(t.dtype == np.float32 for t in learned.values())


def test_weights_keep_activations_in_scale() -> None:
    graph = network()
    conv, gemm, bare, norm = (named(graph, op) for op in ("Conv", "Gemm", "Parameter", "BatchNormalization"))
    assert conv["weight"].shape == (64, 4, 3, 3)
    assert conv["weight"].std() == pytest.approx(36**-0.5, rel=0.1)
    assert gemm["weight"].std() == pytest.approx(64**-0.5, rel=0.1)
    assert 0.01 < bare["value"].std() < 0.03
    assert not conv["bias"].any()
    assert (norm["running_var"] == 1).all()
    assert not norm["running_mean"].any()


def test_the_same_graph_has_the_same_weights_and_shared_ones_are_one() -> None:
    first, again = random_weights(network()), random_weights(network())
    for index, tensors in first.items():
        assert all(np.array_equal(tensor, again[index][name]) for name, tensor in tensors.items())
    graph = network(weights="w")
    one, two = (random_weights(graph)[node.index] for node in graph.nodes if node.op == "Gemm")
    apart, too = (first[node.index] for node in network().nodes if node.op == "Gemm")
    assert one["weight"] is not apart["weight"]
    assert np.array_equal(one["weight"], two["weight"])
    assert not np.array_equal(apart["weight"], too["weight"])


def test_weights_of_a_module_are_its_own() -> None:
    torch = pytest.importorskip("torch")
    from cg_ir import to_module

    b = GraphBuilder()
    x = b.add("BatchNormalization", b.input((1, 4, 2, 2)))
    x = b.add("Mul", x, b.parameter((4, 1, 1)))
    x = b.add("Add", x, b.constant((2, 2), []))
    b.output(b.add("Mul", x, b.constant((2,), [1.0, 2.0])))
    graph = b.build()
    module = to_module(graph)
    found = module_weights(graph, module)
    ops = {graph.nodes[index].op: tensors for index, tensors in found.items()}
    assert set(ops) == {"BatchNormalization", "Parameter", "Constant"}
    assert set(ops["BatchNormalization"]) >= {"weight", "bias", "running_mean", "running_var"}
    assert ops["Constant"]["value"].shape == (2, 2)  # the one whose elements the graph does not record
    for parameter in module.parameters():
        assert any(
            np.array_equal(parameter.detach().numpy(), t) for tensors in found.values() for t in tensors.values()
        )
    half = module_weights(graph, module.to(torch.bfloat16))
    assert {t.dtype for t in half[next(iter(half))].values()} >= {np.dtype("float32")}
