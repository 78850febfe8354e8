"""What single operators contribute."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad

from cg_embed.signature_features import (
    CLASSES,
    JOIN_RULES,
    PAIR_CLASSES,
    PATH_COUNTS,
    extent_and_width,
    signature_features,
)
from cg_ir import GraphBuilder

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


def row(op: str, *shapes: tuple[int, ...], **attrs) -> dict[str, float]:
    """The features of one operator on inputs of these shapes."""
    b = GraphBuilder(op)
    b.output(b.add(op, *(b.input(shape) for shape in shapes), **attrs))
    graph = b.build()
    (node,) = [n for n in graph.nodes if n.op == op]
    f, code = signature_features(graph.signatures), graph.codes[node.index]
    counts = dict(zip(PATH_COUNTS, f.path_counts[code].tolist(), strict=True))
    return {
        "class": CLASSES[int(f.kind[code])], "pair": PAIR_CLASSES[int(f.pair[code])], "rule": JOIN_RULES[int(f.rule[code])], "counts": counts,
        **{name: float(getattr(f, name)[code]) for name in ("gain", "moment", "fan_in", "weighted", "extent", "width", "kernel", "stride", "groups", "numel")},
    }  # fmt: skip


CONV = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}
X = (1, 8, 6, 6)


@pytest.mark.parametrize(
    ("found", "kind", "pair", "rule"),
    [
        (row("Conv", X, channels=4, kernel_shape=(1, 1)), "conv1", "conv1", "sum"),
        (row("Conv", X, channels=4, **CONV), "convk", "convk", "sum"),
        (row("Conv", X, channels=8, group=8, **CONV), "depthwise", "depthwise", "sum"),
        (row("Conv", X, channels=8, group=4, **CONV), "convk", "convk", "sum"),  # grouped ones included
        (row("Gemm", (1, 8), channels=4), "linear", "dense", "sum"),
        (row("MatMul", (1, 5, 8), (1, 8, 5)), "mixer", "dense", "product"),
        (row("BatchNormalization", X), "norm", "norm", "sum"),
        (row("Relu", X), "activation", "activation", "sum"),
        (row("Sigmoid", X), "gate", "activation", "sum"),
        (row("Softmax", (1, 8), axis=1), "gate", "activation", "sum"),
        (row("MaxPool", X, kernel_shape=(2, 2), strides=(2, 2)), "pool", "pool", "sum"),
        (row("GlobalAveragePool", X), "global_pool", "join", "sum"),
        (row("Add", X, X), "add", "join", "sum"),
        (row("Concat", X, X, axis=1), "concat", "join", "concat"),
        (row("Mul", X, X), "mul", "join", "product"),
        (row("Max", X, X), "other", "join", "mean"),
        (row("Transpose", (1, 4, 6), perm=(0, 2, 1)), "layout", "join", "sum"),
    ],
)
def test_classes_and_how_inputs_are_joined(found, kind, pair, rule):
    assert (found["class"], found["rule"]) == (kind, rule)
    assert found["pair"] == (pair if kind != "global_pool" else "pool")


def test_the_numbers_of_a_convolution_by_hand():
    found = row(
        "Conv",
        (1, 8, 12, 12),
        channels=16,
        kernel_shape=(3, 3),
        strides=(2, 2),
        group=2,
        dilations=(2, 2),
        pads=(2, 2, 2, 2),
    )
    assert found["fan_in"] == pytest.approx(math.log(9 * 8 / 2))
    assert found["extent"] == pytest.approx(6.0)
    assert found["width"] == pytest.approx(math.log(16))
    assert found["kernel"] == pytest.approx(math.log(9))
    assert (found["stride"], found["groups"], found["weighted"]) == (1.0, 1.0, 1.0)
    assert found["numel"] == 16 * 36
    assert found["counts"]["field"] == pytest.approx(2 * 2 / 12)
    assert found["counts"]["params"] == 16 * 4 * 9
    assert found["counts"]["macs"] == 16 * 4 * 9 * 36


def test_the_receptive_field_grows_by_four_extents_at_most():
    assert row("Conv", (1, 2, 1, 1), channels=2, kernel_shape=(9, 9), pads=(4,) * 4)["counts"]["field"] == 4.0


@pytest.mark.parametrize(
    ("found", "gain"),
    [
        (
            row("AveragePool", X, kernel_shape=(2, 2), strides=(2, 2), count_include_pad=False),
            -math.log(2),
        ),  # of four independent values the mean has a quarter
        (row("MaxPool", X, kernel_shape=(2, 2), strides=(2, 2)), 0.0),
        (row("GlobalAveragePool", X), -math.log(6)),
        (row("ReduceMean", (1, 9, 8), axes=(1,), keepdims=True), -math.log(3)),
    ],
)
def test_means_shrink_the_signal(found, gain):
    assert found["gain"] == pytest.approx(gain)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, 4, 9), (6.0, 3)),
        ((1, 3, 2, 4, 8), (8.0, 3)),
        ((1, 16, 5), (4.0, 5)),
        ((1, 7), (1.0, 7)),
        ((3,), (1.0, 3)),
        ((), (1.0, 1)),
        ((1, 0, 0, 0), (1.0, 1)),
    ],
)  # fmt: skip
def test_extent_and_channels_of_a_tensor(shape, expected):
    assert extent_and_width(shape) == expected


def test_an_unknown_column_is_named(networks):
    with pytest.raises(AttributeError, match=r"^nothing$"):
        _ = signature_features(networks[0].signatures).nothing
