"""Activations, arithmetic and conversions of ONNX: every attribute, every opset whose default differs, every element type."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx import TensorProto, helper, numpy_helper
from onnx_models import agree, model_of, numbers, one, operators, told, whole

from cg_frontends.onnx_ import from_onnx

X, Y, ROW = 2 * numbers(2, 3, 4), numbers(2, 3, 4, seed=1), numbers(4, seed=2)
N, M = whole(2, 3, 4), whole(2, 3, 4, low=1, seed=1)
TRUE, FALSE = N > 0, M > 2
UNIT = np.tanh(X) * 0.9


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs", "Floor", "Ceil", "Round", "Sign", "Erf", "Sin", "Cos", "Tan", "Sinh", "Cosh",
                                "Atan", "Asinh", "Softsign", "Softplus", "HardSwish", "Mish", "Identity", "IsNaN", "IsInf"])  # fmt: skip
def test_functions_of_one_tensor(op):
    agree(one(op, [X]), X)


@pytest.mark.parametrize(
    ("op", "x"), [("Sqrt", X**2), ("Log", X**2), ("Reciprocal", X), ("Asin", UNIT), ("Acos", UNIT), ("Atanh", UNIT),
     ("Acosh", X**2 + 1), ("Not", TRUE), ("Abs", N)]
)  # fmt: skip
def test_functions_of_some_numbers(op, x):
    agree(one(op, [x]), x)


@pytest.mark.parametrize("signs", [{}, {"detect_negative": 0}, {"detect_positive": 0}])
def test_infinities(signs):
    x = np.array([[-np.inf, np.inf, 0, np.nan]], np.float32)
    agree(one("IsInf", [x], **signs), x)


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.3}), ("Elu", {}), ("Elu", {"alpha": 0.3}), ("Celu", {}), ("Celu", {"alpha": 0.3}),
        ("Selu", {}), ("Selu", {"alpha": 2.0}), ("Selu", {"gamma": 3.0}), ("ThresholdedRelu", {}), ("ThresholdedRelu", {"alpha": 0.3}),
        ("Shrink", {}), ("Shrink", {"lambd": 1.0}), ("Shrink", {"bias": 0.25}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}),
        ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 1 / 6}), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.4}),
        ("Softmax", {}), ("Softmax", {"axis": 1}), ("Softmax", {"axis": -3}), ("LogSoftmax", {"axis": -2}), ("Hardmax", {}), ("Hardmax", {"axis": 1}),
    ],
)  # fmt: skip
def test_attributes(op, attrs):
    agree(one(op, [X], **attrs), X)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("attrs", [{}, {"axis": 0}, {"axis": 2}, {"axis": -2}])
def test_a_softmax_of_older_files_takes_all_axes_from_one_on(op, attrs):
    agree(one(op, [X], opset=11, **attrs), X)


def test_a_hardmax_of_older_files_does_so_too():
    agree(one("Hardmax", [X], opset=11, axis=2), X)
    model = one("Hardmax", [X], opset=11)
    told(model, "Hardmax")


@pytest.mark.parametrize("alpha", [None, 1.0, 0.5])
def test_swish(alpha):
    attrs = {} if alpha is None else {"alpha": alpha}
    agree(one("Swish", [X], opset=24, **attrs), X, wanted=[X / (1 + np.exp(-(alpha or 1.0) * X))])


@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
)
@pytest.mark.parametrize(("other", "held"), [(Y, False), (ROW, True), (Y[:, :1], False), (np.float32(0.5), True)])
def test_arithmetic_broadcasts(op, other, held):
    agree(one(op, [X], {"w": other}) if held else one(op, [X, other]), *([X] if held else [X, other]))


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mod", "Equal", "Less", "Pow"])
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_arithmetic_of_integers(op, dtype):
    a, b = N.astype(dtype), M.astype(dtype)
    agree(one(op, [a, b]), a, b)


@pytest.mark.parametrize(("a", "b"), [(np.abs(X), Y), (np.abs(X), M), (M, np.full(1, 1.5, np.float32))])
def test_powers_have_the_type_of_the_base(a, b):
    agree(one("Pow", [a, b]), a, b)


def test_whole_numbers_are_divided_towards_zero():
    a, b = np.array([[7, -7, 7, -7, 1, 0]]), np.array([[2, 2, -2, -2, 3, 5]])
    agree(one("Div", [a, b]), a, b, wanted=[np.array([[3, -3, -3, 3, 0, 0]])])


@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders(fmod):
    agree(one("Mod", [N, M], fmod=fmod), N, M)
    agree(one("Mod", [N, -M], fmod=fmod), N, -M)
    if fmod:
        agree(one("Mod", [X, Y], fmod=1), X, Y)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_truth_values(op):
    agree(one(op, [TRUE, FALSE]), TRUE, FALSE)


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits(op):
    agree(one(op, [N, M]), N, M)
    agree(one("BitwiseNot", [N]), N)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(direction):
    a, b = np.abs(N).astype(np.uint8), M.astype(np.uint8)
    agree(one("BitShift", [a, b], direction=direction), a, b)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_inputs(op, count):
    inputs = [X, Y, Y[:, :1]][:count]
    agree(one(op, inputs), *inputs)


def test_what_is_chosen():
    agree(one("Where", [TRUE, X, Y]), TRUE, X, Y)
    agree(one("Where", [TRUE, X], {"w": np.float32(-1)}), TRUE, X)


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"min": -1.0},
        {"max": 1.0},
        {"min": -1.0, "max": 1.0},
        {"min": 1.0, "max": -1.0},
        {"min": -np.inf, "max": 3e38},
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_bounds(bounds, held):
    given = {name: np.float32(v) for name, v in bounds.items()}
    inputs = [] if held else list(given.values())
    places = {name: name if held else f"x{i + 1}" for i, name in enumerate(given)}
    model = one("Clip", [X, *inputs], given if held else {}, names=["x0", places.get("min", ""), places.get("max", "")])
    if held or bounds.get("min", 0) <= bounds.get("max", 1):
        agree(model, X, *inputs)


def test_bounds_of_integers():
    agree(one("Clip", [N], {"a": np.int64(-2), "b": np.int64(3)}), N)


@pytest.mark.parametrize("slope", [(1,), (3, 1), (1, 3, 1), (4,), (2, 3, 4), (1, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize("held", [True, False])
def test_slopes_broadcast_to_the_right(slope, held):
    w = numbers(*slope)
    graph = agree(one("PRelu", [X], {"w": w}) if held else one("PRelu", [X, w]), *([X] if held else [X, w]))
    assert graph.params == (w.size if held else 0)
    assert ("PRelu" in operators(graph)) == (held and slope in ((1,), (3, 1), (1, 3, 1), (1, 1, 1)))


@pytest.mark.parametrize("opset", [7, 10, 12, 22])
def test_a_dropout_is_none(opset):
    graph = agree(one("Dropout", [X], opset=max(opset, 11), **({"ratio": 0.3} if opset < 12 else {})), X)
    assert operators(graph) == []
    weights = {"r": np.float32(0.3), "t": np.array(False)}
    assert operators(agree(one("Dropout", [X], weights, outputs=("y", "mask"), opset=22), X)) == ["Constant"]


def test_a_dropout_in_training_is_told():
    model = one("Dropout", [X], {"r": np.float32(0.3), "t": np.array(True)})
    told(model, "Dropout")


@pytest.mark.parametrize("target", ["FLOAT", "INT64", "INT32", "UINT8", "INT8", "BOOL", "DOUBLE"])
@pytest.mark.parametrize("x", [np.abs(3 * X), M, TRUE])
def test_conversions(target, x):
    agree(one("Cast", [x], to=getattr(TensorProto, target)), x)
    like = numpy_helper.to_array(helper.make_tensor("like", getattr(TensorProto, target), [1], [1]))
    agree(one("CastLike", [x], {"like": like}), x)


def test_conversions_between_floats_are_none():
    nodes = [helper.make_node("Relu", ["x0"], ["a"]), helper.make_node("Cast", ["a"], ["b"], to=TensorProto.FLOAT16),
             helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT)]  # fmt: skip
    assert operators(from_onnx(model_of(nodes, [X]))) == ["Relu"]
    half = X.astype(np.float16)
    assert operators(agree(one("Cast", [half], to=TensorProto.FLOAT), half)) == ["Cast"]


def test_eight_bit_floats_are_told():
    model = one("Cast", [X], to=TensorProto.FLOAT8E4M3FN)
    told(model, "Cast")


@pytest.mark.parametrize("attrs", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_sums(attrs, axis):
    agree(one("CumSum", [X], {"axis": np.array(axis)}, **attrs), X)


@pytest.mark.parametrize("upper", [None, 0, 1])
@pytest.mark.parametrize("k", [None, 0, 1, -2])
def test_triangles(upper, k):
    weights = {} if k is None else {"k": np.array(k)}
    agree(one("Trilu", [X], weights, **({} if upper is None else {"upper": upper})), X)


@pytest.mark.parametrize("attrs", [{}, {"k": 1}, {"k": -2, "dtype": TensorProto.INT64}])
def test_unit_matrices(attrs):
    square = numbers(3, 4)
    nodes = [helper.make_node("EyeLike", ["x0"], ["e"], **attrs), helper.make_node("Cast", ["e"], ["f"], to=TensorProto.FLOAT),
             helper.make_node("Add", ["x0", "f"], ["y"])]  # fmt: skip
    agree(model_of(nodes, [square]), square)
