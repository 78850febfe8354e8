"""Convolutions, matrix products and normalisations of ONNX compute what ONNX Runtime does, whoever holds the weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx_models import agree, expected, numbers, one, told

from cg_frontends.onnx_ import from_onnx
from cg_ir import SourceError


def either(op, x, weights, held, **attrs):
    """A node whose weights are initializers, or inputs of the network."""
    if held:
        return one(op, [x], weights, **attrs), [x]
    return one(op, [x, *weights.values()], **attrs), [x, *weights.values()]


CONVOLUTIONS = {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "dilations": {"dilations": [2, 1], "pads": [1, 0, 2, 1]},
    "group": {"group": 2},
    "upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "valid": {"auto_pad": "VALID"},
    "stated": {"auto_pad": "NOTSET", "kernel_shape": [2, 3], "pads": [0, 1, 2, 0]},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize(("held", "biased"), [(True, True), (True, False), (False, True)])
def test_convolutions(name, held, biased):
    attrs = CONVOLUTIONS[name]
    weights = {"w": numbers(6, 4 // attrs.get("group", 1), 2, 3), **({"b": numbers(6, seed=1)} if biased else {})}
    model, inputs = either("Conv", numbers(1, 4, 7, 8, seed=2), weights, held, **attrs)
    graph = agree(model, *inputs)
    assert graph.params == (sum(w.size for w in weights.values()) if held else 0)
    height, width = graph.nodes[-1].shape[2:]
    assert graph.macs == weights["w"].size * height * width


def test_same_padding_of_a_dilated_convolution():
    """ONNX Runtime has no such; with the pads written out it has."""
    x, w = numbers(1, 4, 7, 8), {"w": numbers(6, 4, 2, 3)}
    same = one("Conv", [x], w, auto_pad="SAME_UPPER", dilations=[3, 2])
    agree(same, x, wanted=expected(one("Conv", [x], w, pads=[1, 2, 2, 2], dilations=[3, 2]), [x]))


TRANSPOSED = {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "pads": {"pads": [1, 0, 0, 1], "strides": [2, 2]},
    "output_padding": {"strides": [2, 2], "output_padding": [1, 0]},
    "dilations": {"dilations": [2, 1]},
    "group": {"group": 2},
    "upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "lower": {"auto_pad": "SAME_LOWER", "strides": [3, 2]},
    "valid": {"auto_pad": "VALID", "strides": [2, 2]},
    "output_shape": {"strides": [2, 2], "output_shape": [8, 9]},
    "output_shape and upper": {"strides": [2, 2], "output_shape": [9, 8], "auto_pad": "SAME_UPPER"},
}


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("held", [True, False])
def test_transposed_convolutions(name, held):
    attrs = TRANSPOSED[name]
    weights = {"w": numbers(4, 6 // attrs.get("group", 1), 3, 2), "b": numbers(6, seed=1)}
    model, inputs = either("ConvTranspose", numbers(1, 4, 4, 5, seed=2), weights, held, **attrs)
    graph = agree(model, *inputs)
    assert graph.params == (weights["w"].size + 6 if held else 0)


@pytest.mark.parametrize(("axes", "kernel"), [((9,), (4,)), ((5, 6, 7), (2, 3, 2))])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_convolutions_of_one_and_three_axes(op, axes, kernel):
    x, w = numbers(2, 4, *axes), numbers(4, 4, *kernel, seed=1)
    agree(one(op, [x], {"w": w, "b": numbers(4, seed=2)}, strides=[2] * len(axes), pads=[1, 0] * len(axes)), x)


def test_a_bias_of_zeros_is_none():
    x, w = numbers(1, 4, 5, 5), numbers(6, 4, 3, 3)
    graph = agree(
        one("Conv", [x, np.zeros(6, np.float32)], {"w": w}, names=["x0", "w", "x1"]), x, np.zeros(6, np.float32)
    )
    assert graph.params == w.size


@pytest.mark.parametrize(
    ("op", "weight", "group", "fits"),
    [
        ("Conv", (8, 1, 3, 3), 1, 1),
        ("Conv", (8, 1, 3, 3), 4, 4),
        ("ConvTranspose", (6, 2, 3, 3), 1, 6),
        ("ConvTranspose", (6, 2, 3, 3), 2, 6),
    ],
)
def test_weights_that_do_not_fit_the_input_are_refused(op, weight, group, fits):
    model = one(op, [numbers(1, fits, 8, 8)], {"w": numbers(*weight)}, group=group)
    for axis, name in ((1, "channels"), (2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    assert from_onnx(model, inputs=[f"{fits}x8x8"]).params == np.prod(weight)
    with pytest.raises(SourceError, match=f"a convolution are for {fits} channels, but its input has 3"):
        from_onnx(model, inputs=["3x8x8"])


@pytest.mark.parametrize("attrs", [{}, {"pads": [1, 0, 1, 0]}, {"strides": [2, 1]}, {"dilations": [1, 2]}])
def test_columns_to_images(attrs):
    pads, strides, dilations = attrs.get("pads", [0] * 4), attrs.get("strides", [1, 1]), attrs.get("dilations", [1, 1])
    blocks = [
        (n + pads[i] + pads[i + 2] - dilations[i] * (k - 1) - 1) // strides[i] + 1
        for i, (n, k) in enumerate([(5, 2), (6, 3)])
    ]
    x = numbers(1, 3 * 6, int(np.prod(blocks)))
    agree(one("Col2Im", [x], {"size": np.array([5, 6]), "block": np.array([2, 3])}, **attrs), x)


GEMMS = [
    (attrs, turned, (5,))
    for attrs in ({}, {"alpha": 0.5}, {"beta": 2.0})
    for turned in ((0, 0), (1, 0), (0, 1), (1, 1))
]
GEMMS += [({"alpha": 3.0, "beta": 0.25}, (0, 1), bias) for bias in (None, (1, 5), (3, 1), (), (1,))]
GEMMS += [({}, (0, 0), bias) for bias in (None, (1, 5), (3, 1), (), (1,))]


@pytest.mark.parametrize(("attrs", "turned", "bias"), GEMMS)
@pytest.mark.parametrize("held", [True, False])
def test_gemm(attrs, turned, bias, held):
    x = numbers(*((4, 3) if turned[0] else (3, 4)))
    weights = {"w": numbers(*((5, 4) if turned[1] else (4, 5)), seed=1)}
    if bias is not None:
        weights["b"] = numbers(*bias, seed=2)
    model, inputs = either("Gemm", x, weights, held, transA=turned[0], transB=turned[1], **attrs)
    graph = agree(model, *inputs)
    # a scalar that the file holds is a constant
    assert graph.params == (20 + (weights["b"].size if bias else 0) if held else 0)
    assert graph.macs == 3 * 4 * 5


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (6, 4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,))],
)  # fmt: skip
@pytest.mark.parametrize("held", [True, False])
def test_matmul(a, b, held):
    x, weight = numbers(*a), numbers(*b, seed=1)
    model, inputs = either("MatMul", x, {"w": weight}, held)
    graph = agree(model, *inputs)
    assert graph.params == (weight.size if held else 0)
    assert graph.macs == max(np.prod(graph.nodes[-1].shape), 1) * 4


def test_a_weight_on_the_left():
    x, weight = numbers(4, 5), numbers(3, 4, seed=1)
    assert agree(one("MatMul", [x], {"w": weight}, names=["w", "x0"]), x).params == 12


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]), ("ij,jk", [(3, 4), (4, 5)]), ("ba,cb", [(3, 4), (5, 3)]), ("...ij,...jk->...ik", [(2, 3, 4), (1, 4, 5)]),
        ("bij , bkj -> bki", [(2, 3, 4), (2, 5, 4)]), ("ij->j", [(3, 4)]), ("ij->", [(3, 4)]), ("i,j->ij", [(3,), (4,)]), ("...ij->...ji", [(2, 3, 4)]),
    ],
)  # fmt: skip
def test_einsum(equation, shapes):
    inputs = [numbers(*s, seed=i) for i, s in enumerate(shapes)]
    agree(one("Einsum", inputs, equation=equation), *inputs)


@pytest.mark.parametrize("opset", [9, 14, 15])
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5), (2, 4, 5, 6)])
@pytest.mark.parametrize("held", [True, False])
def test_batch_normalisation(opset, shape, held):
    if opset == 9:
        opset = 11  # the same operator
    x = numbers(*shape)
    vectors = {n: np.abs(numbers(4, seed=i)) + 0.5 for i, n in enumerate("stmv")}
    model, inputs = either("BatchNormalization", x, vectors, held, opset=opset, epsilon=0.1, momentum=0.7)
    assert agree(model, *inputs).params == (8 if held else 0)


def test_a_normalisation_in_training_is_told():
    x, vectors = numbers(2, 4, 5), {n: np.ones(4, np.float32) for n in "stmv"}
    model = one("BatchNormalization", [x], vectors, outputs=("y", "rm", "rv"), training_mode=1, opset=15)
    told(model, "BatchNormalization")


@pytest.mark.parametrize("shape", [(2, 4, 6), (2, 4, 5, 6)])
@pytest.mark.parametrize("held", [True, False])
def test_instance_normalisation(shape, held):
    model, inputs = either(
        "InstanceNormalization", numbers(*shape), {"s": numbers(4, seed=1), "b": numbers(4, seed=2)}, held, epsilon=0.1
    )
    assert agree(model, *inputs).params == (8 if held else 0)


@pytest.mark.parametrize("held", [True, False])
def test_group_normalisation(held):
    weights = {"s": numbers(4, seed=1), "b": numbers(4, seed=2)}
    model, inputs = either(
        "GroupNormalization", numbers(2, 4, 5, 3), weights, held, num_groups=2, epsilon=0.1, opset=21
    )
    assert agree(model, *inputs).params == (8 if held else 0)


def test_group_normalisation_with_one_scale_a_group():
    """Opset 18 has it so: scales are repeated for the channels."""
    x, weights = numbers(2, 4, 5, 3), {"s": numbers(2, seed=1), "b": numbers(2, seed=2)}
    agree(one("GroupNormalization", [x], weights, num_groups=2, opset=18), x)


@pytest.mark.parametrize("axis", [1, 2, -1, -2, -3])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("held", [True, False])
def test_layer_normalisation(axis, biased, held):
    x = numbers(2, 3, 4)
    own = x.shape[axis % 3 :] if axis % 3 else x.shape
    weights = {"s": numbers(*own, seed=1), **({"b": numbers(*own, seed=2)} if biased else {})}
    model, inputs = either("LayerNormalization", x, weights, held, axis=axis, epsilon=0.1)
    assert agree(model, *inputs).params == (sum(w.size for w in weights.values()) if held else 0)


@pytest.mark.parametrize(("scale", "bias"), [((4,), (1,)), ((1,), (4,)), ((1,), (1,)), ((4,), (3, 1)), ((3, 4), (4,))])
def test_scales_and_shifts_that_broadcast(scale, bias):
    x, weights = numbers(2, 3, 4), {"s": numbers(*scale, seed=1), "b": numbers(*bias, seed=2)}
    graph = agree(one("LayerNormalization", [x], weights, axis=1), x)
    assert graph.params == np.prod(scale) + np.prod(bias)


def test_statistics_that_are_read():
    x = numbers(2, 3, 4)
    agree(
        one(
            "LayerNormalization", [x], {"s": numbers(4), "b": numbers(4, seed=1)}, outputs=("y", "m", "d"), epsilon=0.1
        ),
        x,
    )
    agree(one("LayerNormalization", [x], {"s": numbers(3, 4)}, outputs=("y", "", "d"), axis=1), x)


@pytest.mark.parametrize("axis", [1, -1])
def test_root_mean_square_normalisation(axis):
    x = numbers(2, 3, 4)
    own = (3, 4) if axis == 1 else (4,)
    model = one("RMSNormalization", [x], {"s": numbers(*own, seed=1)}, axis=axis, epsilon=0.1, opset=23)
    scale = numbers(*own, seed=1)
    axes = tuple(range(axis % 3, 3))
    wanted = x / np.sqrt((x**2).mean(axes, keepdims=True) + 0.1) * scale
    assert agree(model, x, wanted=[wanted]).params == scale.size


@pytest.mark.parametrize("attrs", [{"size": 3}, {"size": 5, "alpha": 0.1, "beta": 0.5, "bias": 2.0}])
def test_local_response_normalisation(attrs):
    x = numbers(2, 6, 3, 4)
    agree(one("LRN", [x], **attrs), x)


@pytest.mark.parametrize("attrs", [{}, {"p": 1}, {"axis": 1}, {"axis": -2, "p": 1}, {"axis": 0}])
def test_lp_normalisation(attrs):
    x = numbers(2, 3, 4)
    agree(one("LpNormalization", [x], **attrs), x)
