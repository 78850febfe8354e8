"""Quantised operators that the network runs on what it computes: the arithmetic of ONNX Runtime, number for number."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx import TensorProto, helper
from onnx_models import agree, model_of, numbers, one, told, whole

from cg_frontends.onnx_ import OnnxConversionWarning, from_onnx

X = 3 * numbers(2, 3, 4)
U, S8 = whole(2, 3, 4, low=0, high=256, dtype="uint8"), whole(2, 3, 4, low=-128, high=128, dtype="int8")


def scale(*values):
    return np.array(values, np.float32).reshape(()) if len(values) == 1 else np.array(values, np.float32)


@pytest.mark.parametrize("zero", [None, np.uint8(0), np.uint8(100), np.int8(-7)])
@pytest.mark.parametrize("size", [0.1, 0.01])
def test_quantising(zero, size):
    agree(one("QuantizeLinear", [X], {"s": scale(size)} | ({} if zero is None else {"z": zero})), X)


@pytest.mark.parametrize(("axis", "count"), [(None, 3), (1, 3), (-1, 4), (0, 2)])
def test_a_scale_for_each_channel(axis, count):
    weights = {"s": np.linspace(0.05, 0.2, count).astype(np.float32), "z": np.arange(count, dtype=np.uint8) * 40}
    attrs = {} if axis is None else {"axis": axis}
    agree(one("QuantizeLinear", [X], weights, **attrs), X)
    agree(one("DequantizeLinear", [U], weights, **attrs), U)


@pytest.mark.parametrize(("x", "zero"), [(U, None), (U, np.uint8(128)), (S8, np.int8(-3)), (S8, None)])
def test_bringing_back(x, zero):
    agree(one("DequantizeLinear", [x], {"s": scale(0.1)} | ({} if zero is None else {"z": zero})), x)


def test_scales_that_are_computed():
    agree(one("QuantizeLinear", [X, scale(0.1), np.array(3, np.uint8)]), X, scale(0.1), np.array(3, np.uint8))


def test_blocks_and_other_types_are_told():
    told(one("QuantizeLinear", [X], {"s": np.full((2, 3, 2), 0.1, np.float32)}, axis=2, block_size=2), "QuantizeLinear")


A, B = whole(3, 4, low=0, high=256, dtype="uint8"), whole(4, 5, low=0, high=256, seed=1, dtype="uint8")


@pytest.mark.parametrize("zeros", [(), (7,), (7, 200)])
def test_products_of_integers(zeros):
    """Both sides are inputs: the MACs of a product, and no parameter."""
    given = {f"z{i}": np.uint8(z) for i, z in enumerate(zeros)}
    graph = agree(one("MatMulInteger", [A, B], given), A, B)
    assert (graph.params, graph.macs) == (0, 60)


@pytest.mark.parametrize(("side", "count"), [(0, 3), (1, 5)])
def test_a_zero_point_for_each_row_or_column(side, count):
    """Against numpy: ONNX Runtime has none a row."""
    zero = np.arange(count, dtype=np.uint8) * 30
    shifts = [np.uint8(0), np.uint8(0)]
    shifts[side] = zero
    a = A.astype(np.int32) - (zero[:, None].astype(np.int32) if side == 0 else 0)
    b = B.astype(np.int32) - (zero.astype(np.int32) if side == 1 else 0)
    agree(one("MatMulInteger", [A, B], {"z0": shifts[0], "z1": shifts[1]}), A, B, wanted=[a @ b])


@pytest.mark.parametrize(
    "attrs", [{}, {"pads": [1, 0, 1, 0], "strides": [2, 1]}, {"auto_pad": "SAME_UPPER"}, {"group": 2}]
)
@pytest.mark.parametrize("zeros", [(), (5,)])
def test_convolutions_of_integers(attrs, zeros):
    x = whole(1, 4, 6, 5, low=0, high=256, dtype="uint8")
    w = whole(6, 4 // attrs.get("group", 1), 3, 3, low=0, high=256, seed=1, dtype="uint8")
    graph = agree(one("ConvInteger", [x, w], {f"z{i}": np.uint8(z) for i, z in enumerate(zeros)}, **attrs), x, w)
    assert graph.macs == w.size * np.prod(graph.nodes[-1].shape[2:])


def test_products_that_are_quantised_again():
    parts = {
        "as": scale(0.02),
        "az": np.uint8(120),
        "bs": scale(0.03),
        "bz": np.uint8(90),
        "ys": scale(0.7),
        "yz": np.uint8(60),
    }
    names = ["x0", "as", "az", "x1", "bs", "bz", "ys", "yz"]
    agree(one("QLinearMatMul", [A, B], parts, names=names), A, B)
    x, w = whole(1, 4, 6, 5, low=0, high=256, dtype="uint8"), whole(6, 4, 3, 3, low=0, high=256, seed=1, dtype="uint8")
    agree(one("QLinearConv", [x, w], parts, names=names, pads=[1, 1, 1, 1]), x, w)


def test_quantising_by_what_is_seen():
    agree(one("DynamicQuantizeLinear", [X], outputs=("y", "s", "z")), X)


def test_pairs_go_and_integers_count():
    """The form that quantisers write around every operator: parameters, MACs and graph of the network before."""
    weights = {"w": np.ones((8, 3, 3, 3), np.int8), "b": np.ones(8, np.int32), "zb": np.zeros(8, np.int32)}
    weights |= {f"s{i}": np.float32(0.1) for i in range(2)} | {f"z{i}": np.uint8(3) for i in range(2)}
    weights |= {"sw": np.full(8, 0.01, np.float32), "zw": np.zeros(8, np.int8), "sb": np.full(8, 0.001, np.float32)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x0", "s0", "z0"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s0", "z0"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["bd"], axis=0),
        helper.make_node("Conv", ["xd", "wd", "bd"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s1", "z1"], ["rq"]),
        helper.make_node("DequantizeLinear", ["rq", "s1", "z1"], ["y"]),
    ]
    x = numbers(1, 3, 8, 8)
    with pytest.warns(OnnxConversionWarning, match="pairs of QuantizeLinear and DequantizeLinear are left out"):
        graph = from_onnx(model_of(nodes, [x], weights))
    plain = [helper.make_node("Conv", ["x0", "w", "b"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    assert graph.params == 8 * 27 + 8
    assert "unused_parameters" not in graph.extras
    assert graph.hash == from_onnx(model_of(plain, [x], {"w": numbers(8, 3, 3, 3), "b": numbers(8)})).hash


def test_dynamic_quantisation_has_its_macs():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x0"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "zw"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "sw"], ["ss"]),
        helper.make_node("Mul", ["f", "ss"], ["y"]),
    ]
    weights = {
        "w": np.arange(-16, 16, dtype=np.int8).reshape(8, 4),
        "zw": np.int8(0),
        "sw": np.full(1, 0.1, np.float32),
    }
    x = numbers(2, 8)
    graph = agree(model_of(nodes, [x], weights), x)
    assert (graph.params, graph.macs) == (32, 2 * 32)
