"""The walk through an ONNX graph: what is folded, called, defined by others, a branch, or not known; and where it is said to be."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_frontends.onnx_.operation import newest_opset  # noqa: E402
from cg_ir import SourceError  # noqa: E402

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def model_of(nodes, inputs, weights=None, outputs=("y",), opset=21, functions=()):
    """A model; inputs are shapes by name, or pairs of a type and a shape; nothing is said of outputs."""
    given = [
        helper.make_tensor_value_info(name, *(about if isinstance(about, tuple) else (FLOAT, about)))
        for name, about in inputs.items()
    ]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(nodes, "net", given, results, tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def node(op, *inputs, to="y", **attrs):
    return helper.make_node(op, inputs, to.split(), **attrs)


def operators(graph):
    return [n.op for n in graph.nodes if n.op not in ("Input", "Output")]


class TestConstants:
    def test_shapes_are_computed_from_shapes(self):
        nodes = [
            node("Shape", "x", to="s"),
            node("Gather", "s", "zero", to="n", axis=0),
            node("Unsqueeze", "n", "axes", to="u"),
            node("Concat", "u", "rest", to="shape", axis=0),
            node("Reshape", "x", "shape"),
        ]
        weights = {"zero": np.int64(0), "axes": np.array([0]), "rest": np.array([2, -1])}
        graph = from_onnx(model_of(nodes, {"x": ["n", 4, 6]}, weights, opset=17))
        assert graph.nodes[-1].shape == (1, 2, 12)
        assert operators(graph) == ["Reshape"]

    @pytest.mark.parametrize(
        ("attrs", "part"),
        [({}, (2, 3, 4)), ({"start": 1}, (3, 4)), ({"start": -2, "end": -1}, (3,)), ({"end": 1}, (2,))],
    )
    def test_a_part_of_a_shape(self, attrs, part):
        nodes = [node("Shape", "x", to="s", **attrs), node("Expand", "one", "s")]
        graph = from_onnx(model_of(nodes, {"x": [2, 3, 4], "one": [1]}))
        assert graph.nodes[-1].shape == part

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [("value", numpy_helper.from_array(np.array([3, 4]))), ("value_ints", [3, 4])],
    )
    def test_constants_are_written_in_several_ways(self, attribute, value):
        nodes = [node("Constant", to="s", **{attribute: value}), node("Reshape", "x", "s")]
        assert from_onnx(model_of(nodes, {"x": [2, 6]})).nodes[-1].shape == (3, 4)

    @pytest.mark.parametrize(("attribute", "value"), [("value_float", 0.5), ("value_floats", [0.5]), ("value_int", 2)])
    def test_single_numbers_are_scalars(self, attribute, value):
        nodes = [node("Constant", to="c", **{attribute: value}), node("Mul", "x", "c")]
        graph = from_onnx(model_of(nodes, {"x": (INT if attribute == "value_int" else FLOAT, [2, 6])}))
        (constant,) = (n for n in graph.nodes if n.op == "Constant")
        assert (constant.shape, constant.attrs["value"]) == ((), (float(np.ravel(value)[0]),))

    @pytest.mark.parametrize(
        ("attrs", "message"),
        [
            ({"value_string": "text"}, "holds a 'value_string', which is no tensor of numbers"),
            ({"value_int": 1, "value_float": 1.0}, "a Constant has one value"),
        ],
    )
    def test_other_constants_are_refused(self, attrs, message):
        with pytest.raises(SourceError, match=message):
            from_onnx(model_of([node("Constant", to="c", **attrs), node("Add", "x", "c")], {"x": [2, 6]}))


class TestTypes:
    """What a node gives has the type of its operator, whatever the type of what it reads."""

    def test_a_conversion_of_truth_values_stays(self):
        nodes = [node("Greater", "x", "z", to="g"), helper.make_node("Cast", ["g"], ["y"], to=FLOAT)]
        assert operators(from_onnx(model_of(nodes, {"x": [2, 6], "z": [2, 6]}))) == ["Greater", "Cast"]

    @pytest.mark.parametrize("op", ["TopK", "MaxPool"])
    def test_positions_are_divided_as_whole_numbers(self, op):
        first = node("TopK", "x", "k", to="v i") if op == "TopK" else node("MaxPool", "x", to="v i", kernel_shape=[2])
        graph = from_onnx(
            model_of([first, node("Div", "i", "two")], {"x": [1, 2, 6]}, {"k": np.array([3]), "two": np.array([2])})
        )
        assert next(n for n in graph.nodes if n.op == "Div").attrs["rounding"] == "trunc"

    @pytest.mark.skipif(onnx.defs.onnx_opset_version() < 23, reason="this onnx knows no Attention")
    def test_a_mask_that_is_compared_into_being_is_no_addend(self):
        nodes = [node("Greater", "a", "b", to="m"), node("Attention", "q", "q", "q", "m")]
        shapes = {"q": [1, 2, 3, 4], "a": [3, 3], "b": [3, 3]}
        graph = from_onnx(model_of(nodes, shapes, opset=23))
        given = model_of(
            [node("Attention", "q", "q", "q", "m")], {"q": [1, 2, 3, 4], "m": (TensorProto.BOOL, [3, 3])}, opset=23
        )
        wanted = operators(from_onnx(given))
        assert sorted(operators(graph)) == sorted([*wanted, "Greater"])


class TestOpsets:
    nodes = [
        helper.make_node("Squeeze", ["x"], ["a"], axes=[2]),
        helper.make_node("Pad", ["a", "pads"], ["p"]),
        helper.make_node("Clip", ["p", "low", "high"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["m"], axes=[-1], keepdims=0),
        helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    weights = {"pads": np.array([0, 0, 1, 0, 0, 1]), "low": np.float32(0), "high": np.float32(6)}

    def test_older_spellings_are_read(self):
        graph = from_onnx(model_of(self.nodes, {"x": [1, 4, 1, 6]}, self.weights, opset=11))
        assert operators(graph) == ["Squeeze", "Pad", "Clip", "ReduceMean", "Softmax"]
        assert graph.nodes[2].shape == (1, 4, 8)

    def test_operators_that_have_changed_since_are_too_old(self):
        with pytest.raises(SourceError, match="opset 9 is older than 11, and the operator has changed since"):
            from_onnx(model_of(self.nodes, {"x": [1, 4, 1, 6]}, self.weights, opset=9))
        assert operators(from_onnx(model_of([node("Tanh", "x")], {"x": [1, 4]}, opset=9))) == ["Tanh"]

    def test_what_onnx_does_not_know_yet_is_too_new(self):
        with pytest.raises(SourceError, match=f"opset {newest_opset() + 1} is newer than {newest_opset()}"):
            from_onnx(model_of([node("Relu", "x")], {"x": [1, 4]}, opset=newest_opset() + 1))


class TestFunctions:
    def function(self, name, nodes, opset=21):
        return helper.make_function(
            "own", name, ["a"], ["b"], nodes, [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
        )

    def test_a_call_is_its_nodes(self):
        inner = self.function("inner", [node("Relu", "a", to="b")])
        outer = self.function(
            "outer", [helper.make_node("inner", ["a"], ["t"], domain="own"), node("Tanh", "t", to="b")]
        )
        calls = [helper.make_node("outer", [i], [o], domain="own") for i, o in ("xt", "ty")]
        graph = from_onnx(model_of(calls, {"x": [1, 4]}, functions=[inner, outer]))
        assert operators(graph) == ["Relu", "Tanh"] * 2

    def test_nodes_inside_are_read_in_the_opset_of_the_function(self):
        """Axes were an attribute of Squeeze up to opset 12."""
        old = self.function("f", [node("Squeeze", "a", to="b", axes=[1])], opset=12)
        call = helper.make_node("f", ["x"], ["t"], domain="own")
        graph = from_onnx(
            model_of([call, node("Unsqueeze", "t", "axes")], {"x": [4, 1]}, {"axes": np.array([0])}, functions=[old])
        )
        assert graph.nodes[-1].shape == (1, 4)

    def test_weights_in_a_function_are_parameters(self):
        f = self.function(
            "f",
            [
                node("Constant", to="w", value=numpy_helper.from_array(np.ones((4, 3), np.float32))),
                node("MatMul", "a", "w", to="b"),
            ],
        )
        assert (
            from_onnx(
                model_of([helper.make_node("f", ["x"], ["y"], domain="own")], {"x": [1, 4]}, functions=[f])
            ).params
            == 12
        )

    def test_an_operator_without_a_reading_is_what_the_standard_says_it_is(self):
        graph = from_onnx(model_of([node("MeanVarianceNormalization", "x")], {"x": [1, 2, 3, 3]}))
        assert "Custom" not in operators(graph)
        assert {"ReduceMean", "Sqrt", "Div"} <= set(operators(graph))


class TestBranches:
    def branch(self, op):
        return helper.make_graph([node(op, "x", to="b")], op, [], [helper.make_empty_tensor_value_info("b")])

    def test_what_follows_from_shapes_is_resolved(self):
        for limit, op in ((3, "Relu"), (4, "Tanh")):
            nodes = [
                node("Size", "x", to="n"),
                node("Greater", "n", "limit", to="c"),
                node("If", "c", then_branch=self.branch("Relu"), else_branch=self.branch("Tanh")),
            ]
            graph = from_onnx(model_of(nodes, {"x": [1, 4]}, {"limit": np.int64(limit)}))
            assert [n.op for n in graph.nodes] == ["Input", op, "Output"]

    def test_what_depends_on_data_is_refused(self):
        nodes = [
            node("ReduceMax", "x", to="m", keepdims=0),
            helper.make_node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
            node("If", "c", then_branch=self.branch("Relu"), else_branch=self.branch("Relu")),
        ]
        with pytest.raises(SourceError, match="control flow"):
            from_onnx(model_of(nodes, {"x": [1, 4]}, opset=17))


class TestWhatIsNotKnown:
    def test_an_attribute_that_no_reading_looks_at(self):
        with pytest.warns(UserWarning, match=r"Relu with slope \(1x\)"):
            assert operators(
                from_onnx(self.stated(model_of([node("Relu", "x", slope=0.5)], {"x": [1, 4]}), [1, 4]))
            ) == ["Custom"]

    def test_an_output_that_a_reading_does_not_give(self):
        model = model_of(
            [node("MaxPool", "x", to="y i", kernel_shape=[2], storage_order=1)], {"x": [1, 2, 6]}, outputs=("y", "i")
        )
        with pytest.warns(UserWarning, match="MaxPool"):
            graph = from_onnx(self.stated(model, [1, 2, 5], [1, 2, 5]))
        assert operators(graph) == ["Custom", "Select"]

    def stated(self, model, *shapes):
        """The model with the shapes of its outputs, so that no helper has to infer them."""
        for value, shape in zip(model.graph.output, shapes, strict=True):
            value.CopyFrom(helper.make_tensor_value_info(value.name, FLOAT, shape))
        return model

    def test_it_owns_the_weights_that_it_reads(self):
        model = model_of(
            [helper.make_node("Own", ["x", "w"], ["y"], domain="own")],
            {"x": [1, 4]},
            {"w": np.ones((4, 3), np.float32)},
        )
        with pytest.warns(UserWarning, match=r"own::Own"):
            graph = from_onnx(self.stated(model, [1, 3]))
        assert (operators(graph), graph.params, graph.nodes[1].attrs["name"]) == (["Custom"], 12, "own::Own")

    def test_its_shape_is_inferred_where_the_file_does_not_say_it(self):
        scales = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
        resize = node("Resize", "x", "roi", "scales", mode="linear", coordinate_transformation_mode="asymmetric")
        with pytest.warns(UserWarning, match="became Custom: Resize"):
            graph = from_onnx(model_of([resize], {"x": [1, 2, 4, 5]}, scales))
        assert (operators(graph), graph.params, graph.nodes[-1].shape) == (["Constant", "Custom"], 0, (1, 2, 8, 10))

    def test_without_a_shape_it_is_refused(self):
        with pytest.raises(
            SourceError, match=r"net: y \(Own\): outside the vocabulary, and its output shape is not known"
        ):
            from_onnx(model_of([helper.make_node("Own", ["x"], ["y"], domain="own")], {"x": [1, 4]}))


class TestNames:
    @pytest.mark.parametrize(
        ("name", "region"), [("/layer1/conv/Conv", "layer1.conv"), ("/Relu", ""), ("layer1/conv/Conv", ""), ("", "")]
    )
    def test_modules_are_told_by_names_of_nodes(self, name, region):
        graph = from_onnx(model_of([helper.make_node("Relu", ["x"], ["y"], name=name)], {"x": [1, 4]}))
        assert graph.nodes[1].region == region

    @pytest.mark.parametrize(
        ("scopes", "region"),
        [("['', 'layer1', 'layer1.conv', 'conv2d']", "layer1.conv"), ("['relu']", ""), ("['', 'relu']", "")],
    )
    def test_or_by_what_newer_exporters_say_of_them(self, scopes, region):
        made = helper.make_node("Relu", ["x"], ["y"], name="/other/Relu")
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
        assert from_onnx(model_of([made], {"x": [1, 4]})).nodes[1].region == region

    def test_errors_name_the_node(self):
        for name, shown in (("mine", "mine"), ("", "y")):
            with pytest.raises(
                SourceError, match=rf"^net: {shown} \(Relu\): its input 'z' is made by no earlier node$"
            ):
                from_onnx(model_of([helper.make_node("Relu", ["z"], ["y"], name=name)], {"x": [1, 4]}))

    def test_an_output_has_a_node(self):
        with pytest.raises(SourceError, match="output 'z' is made by no node"):
            from_onnx(model_of([node("Relu", "x")], {"x": [1, 4]}, outputs=("z",)))
