"""A node as a reading sees it: what it looks at is noted, and what the schema of the operator says is checked."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_.operation import (  # noqa: E402
    Attributes,
    Operation,
    attributes_of,
    check_counts,
    dtype_name,
    newest_opset,
    output_types,
    schema_of,
)
from cg_ir import SourceError  # noqa: E402


def attributes(op, opset=21, **attrs):
    node = helper.make_node(op, ["x"], ["y"], **attrs)
    return attributes_of(node, schema_of(node, opset))


def operation(given, arrays=None, attrs=None, **more):
    return Operation("node", "Op", given, attrs or Attributes({}, {}), arrays=arrays or {}, **more)


class TestWhatWasLookedAt:
    def test_attributes_are_noted_however_they_are_looked_at(self):
        for look in (lambda a: a["axis"], lambda a: a.get("axis"), lambda a: "axis" in a):
            found = attributes("Softmax", axis=1)
            assert found.unread() == ["axis"]
            look(found)
            assert found.unread() == []

    def test_what_states_the_default_need_not_be_looked_at(self):
        assert attributes("Softmax", axis=-1).unread() == []
        assert attributes("LeakyRelu", alpha=0.01).unread() == []
        assert attributes("Softmax", slope=1, axis=-1).unread() == ["slope"]

    def test_defaults_are_there_and_others_are_not(self):
        found = attributes("Gemm")
        assert (found["alpha"], found["transB"], found.get("slope", 7)) == (1.0, 0, 7)
        with pytest.raises(KeyError):
            found["slope"]

    def test_inputs_are_noted_by_position(self):
        op = operation([5, None, 7, 8], {3: np.array([1])})
        assert op.unread() == ["input 0", "input 2", "input 3"]
        assert (op.input(2), op.input(1), op.input(9)) == (7, None, None)
        assert op.array(3).tolist() == [1]
        assert op.unread() == ["input 0"]
        assert op.inputs == [5, None, 7, 8]
        assert op.unread() == []

    def test_what_is_outside_is_what_was_refused_or_not_read(self):
        op = operation([1], attrs=Attributes({"axis": 1}, {}))
        assert op.outside == "axis, input 0"
        assert op.refuse("a negative slope") is NotImplemented
        assert op.outside == "a negative slope"

    def test_outputs(self):
        op = operation([], wanted=[True, False, True])
        assert (op.outputs, [op.wants(i) for i in range(4)]) == (3, [True, False, True, False])

    def test_types(self):
        assert [operation([1], types=["int64"]).dtype(i) for i in (0, 1)] == ["int64", "float32"]


class TestNumbers:
    def test_they_are_an_attribute_or_a_constant(self):
        op = operation([1, 2], {1: np.array([[3, 4]])}, Attributes({"axes": [0, 1]}, {}))
        assert op.numbers(1, "axes") == [0, 1]
        assert op.numbers(1, "pads") == op.numbers(1) == [3, 4]
        assert op.numbers(2) is None
        assert op.required(1) == [3, 4]

    def test_they_do_not_depend_on_data(self):
        with pytest.raises(SourceError, match=r"^node \(Op\): its input 1 depends on data, so its shape is not known$"):
            operation([1, 2]).numbers(1)
        with pytest.raises(SourceError, match=r"^node \(Op\): lacks its input 1$"):
            operation([1]).required(1)

    def test_one_number(self):
        op = operation([1, 2, 3, None], {0: np.array([[2.5]]), 1: np.array([1, 2])})
        assert (op.number(0), op.number(3, 0.5), op.number(4)) == (2.5, 0.5, None)
        for position in (1, 2):
            with pytest.raises(SourceError, match=f"its input {position} is not one known number"):
                op.number(position)


class TestSchemas:
    def test_both_names_of_the_default_domain(self):
        for domain in ("", "ai.onnx"):
            assert schema_of(helper.make_node("Relu", ["x"], ["y"], domain=domain), 22).since_version == 14
        assert schema_of(helper.make_node("Relu", ["x"], ["y"]), 13).since_version == 13
        assert schema_of(helper.make_node("Relu", ["x"], ["y"], domain="own"), 22) is None
        assert schema_of(helper.make_node("Gelu", ["x"], ["y"]), 19) is None  # since 20

    def test_the_newest_opset_is_that_of_the_newest_operator(self):
        domain = [schema.since_version for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""]
        assert newest_opset() >= max(domain)

    @pytest.mark.parametrize(
        ("op", "inputs", "outputs", "message"),
        [
            ("Conv", 1, 1, "takes 2 to 3 inputs, not 1"), ("Conv", 4, 1, "takes 2 to 3 inputs, not 4"), ("Relu", 2, 1, "takes 1 inputs"),
            ("Add", 2, 2, "takes 1 outputs"), ("Dropout", 1, 3, "takes 1 to 2 outputs, not 3"), ("Concat", 0, 1, "takes 1 to "),
        ],
    )  # fmt: skip
    def test_too_few_and_too_many(self, op, inputs, outputs, message):
        node = helper.make_node(op, ["x"] * inputs, ["y"] * outputs)
        with pytest.raises(SourceError, match=message):
            check_counts(node, schema_of(node, 22))

    @pytest.mark.parametrize(
        ("op", "inputs", "outputs"), [("Conv", 2, 1), ("Conv", 3, 1), ("Dropout", 3, 2), ("Sum", 40, 1)]
    )
    def test_as_many_as_the_schema_says(self, op, inputs, outputs):
        node = helper.make_node(op, ["x"] * inputs, ["y"] * outputs)
        check_counts(node, schema_of(node, 22))


class TestAttributes:
    def test_numbers_are_as_they_were_written(self):
        """Files hold 32 bits, in which there is no 0.1."""
        node = helper.make_node("Op", [], [], a=0.1, b=[0.1, 1e-30], c=3e38)
        node.attribute.append(helper.make_attribute("d", float("inf")))
        assert dict(attributes_of(node, None)) == {"a": 0.1, "b": [0.1, 1e-30], "c": 3e38, "d": float("inf")}

    def test_texts_are_text(self):
        node = helper.make_node("Op", [], [], a="valid", b=["Tanh", "Relu"], c=[1, 2], d=7)
        assert dict(attributes_of(node, None)) == {"a": "valid", "b": ["Tanh", "Relu"], "c": [1, 2], "d": 7}

    @pytest.mark.parametrize("value", ["é", ["ok", "\u00a0"]])
    def test_other_than_plain_text_is_refused(self, value):
        with pytest.raises(SourceError, match="attribute 'a' should be plain text, not b'"):
            attributes_of(helper.make_node("Op", [], [], a=value), None)

    def test_the_type_is_that_of_the_schema(self):
        with pytest.raises(SourceError, match=r"attribute 'axis' should be of type INT$"):
            attributes("Softmax", axis=1.0)
        with pytest.raises(SourceError, match=r"attribute 'alpha' should be of type FLOAT$"):
            attributes("LeakyRelu", alpha=1)

    def test_what_is_required_is_there(self):
        with pytest.raises(SourceError, match="lacks its attribute 'to'"):
            attributes("Cast")


#: Operators, the types of their inputs, how many outputs, and attributes.
TYPED = {
    "as the first": ("Add", ["int64", "int64"], 1, {}),
    "as the second": ("Where", ["bool", "float16", "float16"], 1, {}),
    "fixed": ("Shape", ["float32"], 1, {}),
    "a truth value": ("Greater", ["int32", "int32"], 1, {}),
    "several": ("TopK", ["float16", "int64"], 2, {}),
    "positions": ("MaxPool", ["float64"], 2, {"kernel_shape": [2]}),
    "stated": ("Cast", ["float32"], 1, {"to": TensorProto.INT8}),
    "stated otherwise": ("EyeLike", ["float32"], 1, {"dtype": TensorProto.DOUBLE}),
    "not stated": ("EyeLike", ["int32"], 1, {}),
    "as the last of many": ("Concat", ["int8", "int8", "int8"], 1, {"axis": 0}),
    "quantised": ("DynamicQuantizeLinear", ["float32"], 3, {}),
    "as the zero point": ("QuantizeLinear", ["float32", "float32", "int8"], 1, {}),
    "quantised without a zero point": ("QuantizeLinear", ["float16", "float16"], 1, {}),
    "as the scale": ("DequantizeLinear", ["int8", "float16"], 1, {}),
    "integers": ("MatMulInteger", ["uint8", "int8"], 1, {}),
    "of unknowns": ("IsNaN", ["float16"], 1, {}),
    "a mask": ("Dropout", ["float16"], 2, {}),
    "parts": ("Split", ["int64"], 3, {"num_outputs": 3}),
    "recurrent": ("LSTM", ["float16", "float16", "float16"], 3, {"hidden_size": 3}),
    "two types of floats": ("BatchNormalization", ["float16", "float32", "float32", "float64", "float64"], 1, {}),
}


#: Ranks that operators ask for before they infer a type.
RANKS = {"LSTM": [3, 3, 3], "MaxPool": [3], "BatchNormalization": [3, 1, 1, 1, 1], "TopK": [2, 1]}


@pytest.mark.parametrize("name", TYPED)
def test_types_of_outputs_are_those_that_onnx_infers(name):
    op, types, outputs, attrs = TYPED[name]
    node = helper.make_node(op, [f"x{i}" for i in range(len(types))], [f"y{i}" for i in range(outputs)], **attrs)
    ranks = RANKS.get(op, [2] * len(types))
    codes = [helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for dtype in types]
    infos = [
        helper.make_tensor_value_info(name, code, [None] * rank)
        for name, code, rank in zip(node.input, codes, ranks, strict=True)
    ]
    graph = helper.make_graph([node], "net", infos, [helper.make_empty_tensor_value_info(n) for n in node.output])
    inferred = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]))
    wanted = [str(helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type)) for v in inferred.graph.output]
    assert list(output_types(node, schema_of(node, 21), types)) == wanted


def test_an_operator_that_onnx_does_not_know_keeps_the_type():
    node = helper.make_node("Own", ["a", "b"], ["y", "z"], domain="own")
    assert list(output_types(node, None, ["float16", "int64"])) == ["float16", "float16"]
    assert list(output_types(node, None, [])) == ["float32", "float32"]


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool", "uint4", "bfloat16"]
)
def test_names_of_types(dtype):
    code = getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype, dtype.upper()))
    assert dtype_name(code) == dtype
    # older versions hold these two in wider types
    if dtype not in ("uint4", "bfloat16") or onnx.defs.onnx_opset_version() > 22:
        assert dtype == str(numpy_helper.to_array(helper.make_tensor("t", code, [1], [1])).dtype)


@pytest.mark.parametrize("code", [0, 99, -1])
def test_a_number_of_no_type_is_refused(code):
    with pytest.raises(SourceError, match=f"^there is no element type {code}$"):
        dtype_name(code)
