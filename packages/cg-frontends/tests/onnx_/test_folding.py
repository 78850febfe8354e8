"""What follows from constants alone is what onnx's reference evaluator computes, with its element type; or it is not computed."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from cg_frontends.onnx_.folding import Folder  # noqa: E402
from cg_frontends.onnx_.operation import attributes_of, schema_of  # noqa: E402

A, B = np.array([[3, -7, 2], [5, 0, -4]]), np.array([2, -2, 3])
F, G = A.astype(np.float32) / 2, np.array([0.5, -1.5, 2.0], np.float32)
T = A > 0
S = np.array([4, 2, 8])


def folded(op, arrays, outputs=1, opset=22, **attrs):
    """What the folder makes of a node, and what the reference makes of it."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(arrays)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attrs)
    found = Folder().fold(op, attributes_of(node, schema_of(node, opset)), arrays, outputs)
    given = {n: a for n, a in zip(names, arrays, strict=True) if a is not None}
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()
    ]
    graph = helper.make_graph([node], "net", infos, [helper.make_empty_tensor_value_info(o) for o in node.output])
    return found, ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])).run(
        None, given
    )


CASES = {
    **{op: [(op, [a, b], {}) for a, b in ((A, B), (F, G), (A, A[:1]))] for op in ("Add", "Sub", "Mul", "Max", "Min", "Equal", "Greater",
        "GreaterOrEqual", "Less", "LessOrEqual")},
    **{op: [(op, [T, ~T[:1]], {})] for op in ("And", "Or", "Xor")},
    **{op: [(op, [A, np.abs(B)], {})] for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")},
    **{op: [(op, [F], {})] for op in ("Neg", "Abs", "Floor", "Ceil", "Exp", "Sin", "Cos", "Sign", "Round", "Tanh", "Sigmoid", "IsNaN", "Identity")},
    **{op: [(op, [A], {})] for op in ("Neg", "Abs", "Sign", "BitwiseNot")},
    **{op: [(op, [np.abs(F) + 1], {})] for op in ("Sqrt", "Log", "Reciprocal")},
    **{
        op: [(op, [A, np.array([a])], {"keepdims": k}) for a in (0, -1) for k in (0, 1)] + [(op, [F], {}), (op, [F, None], {"noop_with_empty_axes": 1})]
        for op in ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin")
    },
    "Div": [("Div", [A, B], {}), ("Div", [F, G], {}), ("Div", [-S, B], {})],
    "Mod": [("Mod", [A, B], {}), ("Mod", [A, B], {"fmod": 1}), ("Mod", [F, G], {"fmod": 1}), ("Mod", [-A, -B], {})],
    "Pow": [("Pow", [A, np.array([2])], {}), ("Pow", [np.abs(F), G], {}), ("Pow", [np.abs(A), G], {})],
    "Sum": [("Sum", [F, G, F[:1]], {}), ("Max", [A, B, -A], {})],
    "Not": [("Not", [T], {})],
    "Where": [("Where", [T, A, B], {})],
    "Mean": [("ReduceMean", [F, np.array([1])], {})],
    "Cast": [("Cast", [F], {"to": t}) for t in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.DOUBLE)] + [("CastLike", [A, F], {})],
    "Concat": [("Concat", [A, A[:1]], {"axis": a}) for a in (0, -2)],
    "Slice": [
        ("Slice", [A, np.array(s), np.array(e), *more], {})
        for s, e, more in [([1], [3], [np.array([1])]), ([0, 0], [1, 2], []), ([-1], [-9], [np.array([-1]), np.array([-1])]), ([2], [0],
            [np.array([1]), np.array([-2])])]
    ],
    "Gather": [("Gather", [S, np.array(i)], {}) for i in (0, -1, [2, -3], [[0], [1]])] + [("Gather", [A, np.array([2, 0])], {"axis": -1})],
    "GatherND": [("GatherND", [A, np.array([[0, 1], [1, -1]])], {}), ("GatherND", [A, np.array([[1]])], {})],
    "ScatterND": [("ScatterND", [S, np.array([[2], [0]]), np.array([9, 8])], {})],
    "Reshape": [("Reshape", [A, np.array(s)], {}) for s in ([3, 2], [-1], [0, -1])],
    "Flatten": [("Flatten", [A[None]], {"axis": a}) for a in (0, 1, 2, 3, -1)],
    "Squeeze": [("Squeeze", [A[None, :, None]], {}), ("Squeeze", [A[None, :, None], np.array([-2])], {})],
    "Unsqueeze": [("Unsqueeze", [A, np.array(a)], {}) for a in ([0], [-1], [0, 2])],
    "Transpose": [("Transpose", [A], {}), ("Transpose", [A[None]], {"perm": [2, 0, 1]})],
    "Expand": [("Expand", [S, np.array([2, 1])], {}), ("Expand", [S[:1], np.array([4])], {})],
    "Tile": [("Tile", [A, np.array([2, 3])], {})],
    "Range": [("Range", [np.array(a), np.array(b), np.array(c)], {}) for a, b, c in ((0, 5, 2), (5, 0, -2), (3, 3, 1), (0.0, 1.0, 0.25))],
    "ConstantOfShape": [("ConstantOfShape", [np.array([2, 3])], {"value": helper.make_tensor("v", TensorProto.INT64, [1], [7])}),
     ("ConstantOfShape", [np.array([2])], {})],
    "MatMul": [("MatMul", [F, F.T], {}), ("MatMul", [A, A.T], {})],
    "Trilu": [("Trilu", [A], {}), ("Trilu", [A], {"upper": 0}), ("Trilu", [A, np.array(1)], {}), ("Trilu", [A, np.array(-1)], {"upper": 0})],
    "OneHot": [("OneHot", [np.array([1, -1, 0]), np.array(3), np.array([5, 7])], {"axis": a}) for a in (-1, 0)],
    "CumSum": [("CumSum", [A, np.array(a)], {}) for a in (0, 1, -1)],
    "Clip": [("Clip", [F, np.float32(-1), np.float32(1)], {}), ("Clip", [F, None, np.float32(1)], {}), ("Clip", [A, np.array(0)], {})],
    "DequantizeLinear": [
        ("DequantizeLinear", [A.astype(np.int8), np.float32(0.5), np.int8(3)], {}), ("DequantizeLinear", [np.abs(A).astype(np.uint8), np.float32(0.5)], {}),
        ("DequantizeLinear", [A.astype(np.int8), G, np.array([1, 0, -1], np.int8)], {"axis": -1}),
    ],
    "ArgMax": [(op, [F], {"axis": a, "keepdims": k}) for op in ("ArgMax", "ArgMin") for a, k in ((0, 0), (-1, 1))],
    "Split": [("Split", [S], {"num_outputs": 3, "axis": 0}), ("Split", [A, np.array([1, 1, 1])], {"axis": -1})],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_constants(name):
    for op, arrays, attrs in CASES[name]:
        arrays = [None if a is None else np.asarray(a) for a in arrays]
        found, wanted = folded(op, arrays, 3 if op == "Split" else 1, **attrs)
        assert found is not None
        for a, b in zip(found, wanted, strict=True):
            b = np.asarray(b)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "arrays", "attrs"),
    [
        ("Div", [S, np.array([1, 0, 2])], {}), ("Mod", [S, np.array(0)], {}), ("ArgMax", [S], {"select_last_index": 1}), ("CumSum", [S,
         np.array(0)], {"reverse": 1}),
        ("CumSum", [S, np.array(0)], {"exclusive": 1}), ("GatherND", [A, np.array([[0], [1]])], {"batch_dims": 1}), ("Gather", [S, np.array(9)], {}),
        ("ScatterND", [S, np.array([[0]]), np.array([1])], {"reduction": "add"}), ("Reshape", [S, np.array([2, 2])], {}), ("Slice", [S, None, None], {}),
        ("Expand", [S[:1], np.array([2**30])], {}), ("Tile", [S, np.array([2**40])], {}), ("Range", [np.array(0), np.array(2**40), np.array(1)], {}),
        ("Range", [np.array(0), np.array(1), np.array(0)], {}), ("ConstantOfShape", [np.array([2**20, 2**20])], {}), ("Add",
         [np.zeros((2**12, 1)), np.zeros((1, 2**12))], {}),
        ("MatMul", [np.zeros((2**11, 2**8)), np.zeros((2**8, 2**11))], {}), ("Conv", [F, F], {}), ("DequantizeLinear", [F, np.float32(1)], {}),
        ("OneHot", [S, np.array([2**30]), np.array([0, 1])], {}), ("Cast", [np.array(["a"])], {"to": TensorProto.INT64}),
         ("ConstantOfShape", [np.array([-1])], {}),
    ],
)  # fmt: skip
def test_what_is_not_known_or_too_large_is_not_computed(op, arrays, attrs):
    node = helper.make_node(op, [f"x{i}" for i in range(len(arrays))], ["y"], **attrs)
    assert Folder().fold(op, attributes_of(node, schema_of(node, 22)), arrays, 1) is None


def test_a_file_has_its_share():
    folder, large = Folder(), np.zeros(2**21)
    done = [folder.fold("Neg", {}, [large], 1) is not None for _ in range(40)]
    assert done == [True] * 32 + [False] * 8


def test_types_of_constants_reach_what_reads_them():
    """A shape in 32 bits, divided as integers divide, is still a shape."""
    from cg_frontends.onnx_ import from_onnx

    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=1, end=-1),
        helper.make_node("Cast", ["s"], ["i"], to=TensorProto.INT32),
        helper.make_node("Div", ["i", "two"], ["h"]),
        helper.make_node("Cast", ["h"], ["l"], to=TensorProto.INT64),
        helper.make_node("Concat", ["one", "l", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    weights = {"two": np.array([2], np.int32), "one": np.array([1]), "rest": np.array([-1])}
    tensors = [numpy_helper.from_array(a, n) for n, a in weights.items()]
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 7, 3])
    model = helper.make_model(
        helper.make_graph(nodes, "net", [info], [helper.make_empty_tensor_value_info("y")], tensors)
    )
    assert from_onnx(model).nodes[-1].shape == (1, 3, 7)
