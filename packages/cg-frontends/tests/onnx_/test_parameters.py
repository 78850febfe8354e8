"""Which tensors of an ONNX file are learned: told by the places where operators read them."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_frontends.onnx_.parameters import Roles  # noqa: E402


def roles(*nodes, outputs=("y",)):
    """Roles of nodes that are written ``"Op: a b -> c"``; ``-`` is an input that is left out."""
    made = []
    for text in nodes:
        op, _, rest = text.partition(":")
        inputs, _, results = rest.partition("->")
        made.append(helper.make_node(op, [n.strip("-") for n in inputs.split()], results.split()))
    return Roles(made, outputs)


@pytest.mark.parametrize(
    ("node", "learned"),
    [
        ("Conv: x w b -> y", "wb"), ("ConvTranspose: x w b -> y", "wb"), ("Gemm: x w b -> y", "wb"), ("MatMul: x w -> y", "w"),
        ("BatchNormalization: x s b m v -> y", "sb"), ("LayerNormalization: x s b -> y", "sb"), ("PRelu: x s -> y", "s"),
        ("LSTM: x w r b l h c p -> y", "wrbp"), ("GRU: x w r b l h -> y", "wrb"), ("Gather: t i -> y", "t"), ("Add: x w -> y", ""),
        ("DeformConv: x w o b m -> y", "wb"), ("QLinearConv: x s z w t u v q b -> y", "wb"),
    ],
)  # fmt: skip
def test_operators_have_their_weights_at_known_places(node, learned):
    assert roles(node).learned == set(learned)


@pytest.mark.parametrize(
    ("node", "arguments"),
    [
        ("Resize: x r s t -> y", "rst"), ("Clip: x a b -> y", "ab"), ("Pad: x p c a -> y", "pca"), ("BatchNormalization: x s b m v -> y", "mv"),
        ("Range: a b c -> y", "abc"), ("QuantizeLinear: x s z -> y", "sz"), ("OneHot: i d v -> y", "dv"), ("Mul: a b -> y", ""),
        ("STFT: x s w l -> y", "swl"), ("CastLike: x t -> y", "t"),
    ],
)  # fmt: skip
def test_operators_have_their_arguments_at_known_places(node, arguments):
    found = roles(node)
    assert {name for name in node if name.isalpha() and found.is_argument(name)} == set(arguments)


def test_what_is_read_otherwise_too_is_no_argument():
    assert roles("Clip: x a b -> y").is_argument("a")
    assert not roles("Clip: x a b -> t", "Mul: t a -> y").is_argument("a")
    assert not roles("Clip: x a b -> y", outputs=("y", "a")).is_argument("a")
    assert not roles("Clip: x a b -> y").is_argument("nobody's")


@pytest.mark.parametrize("op", ["Identity", "Cast", "Transpose", "Reshape", "Unsqueeze", "Squeeze"])
def test_a_tensor_stays_what_it_is_through_operators_that_move_it(op):
    assert roles(f"{op}: w -> a", "Identity: a -> b", "MatMul: x b -> y").learned == {"w", "a", "b"}
    assert roles(f"{op}: p -> a", "Clip: x a -> y").is_argument("p")
    assert not roles(f"{op}: p -> a", "Mul: x a -> y").is_argument("p")
    # the second input of a Reshape says the shape
    assert roles("Reshape: w s -> a", "MatMul: x a -> y").learned == {"w", "a"}


def test_other_operators_end_it():
    assert roles("Relu: w -> a", "MatMul: x a -> y").learned == {"a"}


def test_integers_behind_a_dequantisation_are_weights():
    found = roles("DequantizeLinear: w s z -> a", "Transpose: a -> b", "Gemm: x b -> y")
    assert found.quantised == {"w"}
    assert found.learned == {"w", "a", "b"}
    assert found.is_argument("s")
    assert roles("Transpose: w -> a", "DequantizeLinear: a s -> b", "Gemm: x b -> y").quantised == {"w", "a"}
    assert roles("DequantizeLinear: x s z -> y").quantised == set()


@pytest.mark.parametrize(
    ("node", "quantised"),
    [("ConvInteger: x w z u -> y", "w"), ("MatMulInteger: x w -> y", "w"), ("QLinearConv: x s z w t u v q -> y", "w"),
     ("QLinearConv: x s z w t u v q b -> y", "wb"), ("QLinearMatMul: x s z w t u v q -> y", "w")],
)  # fmt: skip
def test_operators_on_integers_have_integers_as_weights(node, quantised):
    found = roles(node)
    assert found.quantised == found.learned == set(quantised)
    assert not any(found.is_argument(name) for name in quantised)


def test_scales_that_undo_a_dynamic_quantisation_are_arguments():
    found = roles("DynamicQuantizeLinear: x -> q s z", "MatMulInteger: q w z -> i", "Mul: s t -> u", "Mul: i u -> y")
    assert found.is_argument("t")
    assert not found.is_argument("u")
    assert not roles("DynamicQuantizeLinear: x -> q s z", "Mul: q t -> y").is_argument("t")


def test_constant_nodes_are_weights_where_an_operator_has_its_own():
    weight, shift = (np.ones(shape, np.float32) for shape in ((6, 4), (6,)))
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weight)),
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["m"]),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(shift)),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 4]), ("y", None))]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    assert from_onnx(model).params == 24  # a constant that is added may be one
