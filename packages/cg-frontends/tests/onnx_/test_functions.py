"""Functions of ONNX: a call replaced by the nodes inside computes what onnx's reference evaluator says the call does."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from cg_frontends.onnx_.functions import instantiate, standard_function  # noqa: E402
from cg_frontends.onnx_.operation import schema_of  # noqa: E402

OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(nodes, inputs, outputs, functions=(), opset=20):
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()
    ]
    graph = helper.make_graph(nodes, "net", infos, [helper.make_empty_tensor_value_info(n) for n in outputs])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets, functions=list(functions))).run(
        None, inputs
    )


def function(name, inputs, outputs, nodes, attributes=(), defaults=()):
    return helper.make_function("own", name, inputs, outputs, nodes, OPSETS, list(attributes), list(defaults))


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


class TestFunctionsOfAFile:
    def test_the_callers_names_and_none_of_its_own_twice(self):
        inner = [helper.make_node("Mul", ["a", "b"], ["t"]), helper.make_node("Sub", ["t", "a"], ["r"])]
        f = function("f", ["a", "b"], ["r", "t"], inner)
        # names of the caller are those inside the function, in another order
        calls = [
            helper.make_node("f", ["b", "a"], ["t", "r"], domain="own"),
            helper.make_node("f", ["t", "r"], ["y", "z"], domain="own"),
        ]
        inputs = {"a": numbers(3), "b": numbers(3, seed=1)}
        plain = [n for i, call in enumerate(calls) for n in instantiate(f, call, f"call{i}.", {})]
        assert_same(run(plain, inputs, ["y", "z"]), run(calls, inputs, ["y", "z"], [f]))
        made = [name for n in plain for name in n.output]
        assert len(set(made)) == len(made)

    def test_attributes_that_are_given_left_to_the_default_and_left_out(self):
        inner = helper.make_node("Clip", ["a"], ["c"])
        gemm = helper.make_node("Gemm", ["c", "a"], ["r"])
        for name in ("alpha", "transA", "beta"):
            attribute = gemm.attribute.add()
            attribute.name, attribute.ref_attr_name = name, f"own_{name}"
            attribute.type = onnx.AttributeProto.INT if name == "transA" else onnx.AttributeProto.FLOAT
        call = helper.make_node("f", ["x"], ["y"], domain="own", own_transA=1)
        attributes = {a.name: a for a in (helper.make_attribute("own_alpha", 0.5), *call.attribute)}
        f = function("f", ["a"], ["r"], [inner, gemm])
        nodes = instantiate(f, call, "f.", attributes)
        assert {a.name: helper.get_attribute_value(a) for a in nodes[1].attribute} == {"alpha": 0.5, "transA": 1}
        x = numbers(3, 3)
        assert_same(run(nodes, {"x": x}, ["y"]), [0.5 * x.T @ x])

    def test_what_a_call_leaves_out(self):
        inner = [helper.make_node("Clip", ["a", "low", "high"], ["r"]), helper.make_node("Neg", ["r"], ["s"])]
        f = function("f", ["a", "low", "high"], ["r", "s"], inner)
        for read in (["x", "", "h"], ["x"]):
            nodes = instantiate(f, helper.make_node("f", read, ["", "y"], domain="own"), "f.", {})
            assert [n or "" for n in nodes[0].input] == [*read, "", ""][:3]
            assert nodes[0].output == ["f.r"]
            (found,) = run(nodes, {"x": numbers(4), "h": np.float32(0.5)}, ["y"])
            assert_same([found], [-np.minimum(numbers(4), 0.5 if "h" in read else np.inf).astype(np.float32)])

    def test_branches_read_what_is_around_them(self):
        shift = numpy_helper.from_array(np.float32(2), "two")
        then = helper.make_graph(
            [helper.make_node("Add", ["a", "two"], ["b"])],
            "then",
            [],
            [helper.make_empty_tensor_value_info("b")],
            [shift],
        )
        other = helper.make_graph(
            [helper.make_node("Neg", ["t"], ["c"])], "else", [], [helper.make_empty_tensor_value_info("c")]
        )
        inner = [
            helper.make_node("Abs", ["a"], ["t"]),
            helper.make_node("If", ["condition"], ["r"], then_branch=then, else_branch=other),
        ]
        f = function("f", ["a", "condition"], ["r"], inner)
        call = helper.make_node("f", ["x", "p"], ["y"], domain="own")
        before = f.SerializeToString()
        nodes = instantiate(f, call, "f.", {})
        for truth in (True, False):
            inputs = {"x": numbers(3), "p": np.array(truth)}
            assert_same(run(nodes, inputs, ["y"]), run([call], inputs, ["y"], [f]))
        assert f.SerializeToString() == before

    def test_names_of_nodes_say_the_call(self):
        inner = [helper.make_node("Neg", ["a"], ["t"], name="first"), helper.make_node("Abs", ["t"], ["r"])]
        nodes = instantiate(function("f", ["a"], ["r"], inner), helper.make_node("f", ["x"], ["y"]), "call.", {})
        assert [n.name for n in nodes] == ["call.first", "call.Abs"]


#: Operators with their inputs, attributes and opset, which the standard defines by others; some by what depends on the node.
DEFINED = {
    "Elu": ([numbers(2, 3)], {"alpha": 0.5}, 18),
    "Gelu": ([numbers(2, 3)], {"approximate": "tanh"}, 20),
    "Clip": ([numbers(2, 3), np.float32(-0.5), np.float32(0.5)], {}, 20),
    "HardSwish": ([numbers(2, 3)], {}, 20),
    "LayerNormalization": ([numbers(2, 4), numbers(4, seed=1)], {"epsilon": 0.1}, 17),
    "MeanVarianceNormalization": ([numbers(2, 3, 4, 4)], {}, 20),
    "LayerNormalization since 18": ([numbers(2, 4), numbers(4, seed=1)], {}, 20),
    "MeanVarianceNormalization before 18": ([numbers(2, 3, 4, 4)], {}, 17),
    "PRelu": ([numbers(2, 3), numbers(3, seed=1)], {}, 20),
    "ReduceLogSumExp": ([numbers(2, 3)], {"keepdims": 0}, 20),
    "Softmax": ([numbers(2, 3)], {"axis": 0}, 13),
    "GroupNormalization": ([numbers(2, 4, 3), numbers(4, seed=1), numbers(4, seed=2)], {"num_groups": 2}, 21),
    "CastLike": ([numbers(2, 3), np.array([1])], {}, 20),
}


@pytest.mark.parametrize("name", DEFINED)
def test_the_definition_of_an_operator_computes_what_it_does(name):
    op, (inputs, attrs, opset) = name.partition(" ")[0], DEFINED[name]
    given = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs)}
    node = helper.make_node(op, list(given), ["y"], **attrs)
    schema = schema_of(node, opset)
    defined = standard_function(node, schema, opset, [(str(x.dtype), x.shape) for x in given.values()])
    assert defined is not None
    assert op not in {n.op_type for n in defined.node}
    attributes = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.type}
    nodes = instantiate(defined, node, "f.", attributes | {a.name: a for a in node.attribute})
    assert_same(run(nodes, given, ["y"], opset=opset), run([node], given, ["y"], opset=opset))


@pytest.mark.parametrize(("opset", "versions"), [(17, [17, 13]), (20, [18, 18])])
def test_of_several_definitions_it_is_the_newest_that_the_opset_has(opset, versions):
    found = []
    for op in ("LayerNormalization", "MeanVarianceNormalization"):
        node = helper.make_node(op, ["x", "s"][: 1 + op.startswith("L")], ["y"])
        given = [("float32", (2, 3, 4, 4)), ("float32", (4,))][: len(node.input)]
        found.append(standard_function(node, schema_of(node, opset), opset, given).opset_import[0].version)
    assert found == versions


def test_a_definition_with_a_loop():
    """The body has inputs of its own. (The reference gives it an axis too many.)"""
    given = {"x0": np.array(1), "x1": np.array(9), "x2": np.array(3)}
    node = helper.make_node("Range", list(given), ["y"])
    defined = standard_function(node, schema_of(node, 20), 20, [("int64", ())] * 3)
    (found,) = run(instantiate(defined, node, "f.", {}), given, ["y"])
    assert found.reshape(-1).tolist() == [1, 4, 7]


def test_inputs_that_are_left_out_are_told():
    """The bounds of a Clip decide what its definition is."""
    node = helper.make_node("Clip", ["x", "", "high"], ["y"])
    defined = standard_function(node, schema_of(node, 20), 20, [("float32", (2, 3)), None, ("float32", ())])
    x = numbers(2, 3)
    (found,) = run(instantiate(defined, node, "f.", {}), {"x": x, "high": np.float32(0.2)}, ["y"])
    assert_same([found], [np.minimum(x, np.float32(0.2))])


@pytest.mark.parametrize(
    ("op", "opset", "attrs"),
    [
        ("Conv", 20, {}), ("Relu", 13, {}),  # a function since opset 14 alone
        ("Softmax", 12, {}),
    ],
)  # fmt: skip
def test_what_is_defined_by_no_others(op, opset, attrs):
    node = helper.make_node(op, ["x", "w"], ["y"], **attrs)
    assert standard_function(node, schema_of(node, opset), opset, [("float32", (2, 3)), ("float32", (3,))]) is None


def test_a_definition_that_onnx_fails_to_build_is_none():
    node = helper.make_node("Cast", ["x"], ["y"])
    node.op_type = "CastLike"
    assert standard_function(node, schema_of(node, 20), 20, [("float32", (2, 3)), None]) is None
