"""What single operators contribute."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad

from cg_embed.signature_features import CLASSES, signature_features

_FUNCTIONS = {
    "Relu": lambda x: max(x, 0.0),
    "Gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "Silu": lambda x: x / (1 + math.exp(-x)),
    "HardSwish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "Elu": lambda x: x if x > 0 else math.expm1(x),
    "Selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "Mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "Tanh": math.tanh,
    "Softsign": lambda x: x / (1 + abs(x)),
    "Softplus": lambda x: math.log1p(math.exp(x)),
    "Sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "HardSigmoid": lambda x: min(max(x + 3, 0), 6) / 6,
    "Erf": math.erf,
    "LogSigmoid": lambda x: -math.log1p(math.exp(-x)),
    "Exp": math.exp,
    "Abs": abs,
}


@pytest.mark.parametrize("op", sorted(_FUNCTIONS))
def test_activation_moments_by_quadrature(op):
    from cg_ir import GraphBuilder

    b = GraphBuilder()
    b.output(b.add(op, b.input((1, 4, 8, 8))))
    graph = b.build()
    f = signature_features(graph.signatures)
    code = graph.codes[1]
    density = lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi)  # noqa: E731
    exact = quad(lambda x: _FUNCTIONS[op](x) ** 2 * density(x), -12, 12, limit=200)[0]
    stored = math.exp(f.moment[code] if f.saturates[code] else f.gain[code])
    assert stored == pytest.approx(exact, rel=0.02)


def test_classes_of_real_operators(network_of):
    graph = network_of(
        [
            ("conv1", (0,)),
            ("conv3", (1,)),
            ("dw", (2,)),
            ("bn", (3,)),
            ("relu", (4,)),
            ("pool", (5,)),
            ("gate", (6,)),
            ("mul", (5, 7)),
        ]
    )
    f = signature_features(graph.signatures)
    kinds = {
        node.op: CLASSES[int(f.kind[code])]
        for node, code in zip(graph.nodes, graph.codes, strict=True)
        if node.op != "Conv"
    }
    convs = [CLASSES[int(f.kind[c])] for node, c in zip(graph.nodes, graph.codes, strict=True) if node.op == "Conv"]
    assert sorted(convs) == ["conv1", "convk", "depthwise"]
    assert kinds["BatchNormalization"] == "norm"
    assert kinds["GlobalAveragePool"] == "global_pool"
    assert kinds["AveragePool"] == "pool"
    assert kinds["Sigmoid"] == "gate"
    assert kinds["Gemm"] == "linear"
    assert kinds["Mul"] == "mul"
