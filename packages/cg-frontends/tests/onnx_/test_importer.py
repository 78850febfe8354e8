"""What an ONNX file says is what the graph says: shapes, attributes, weights; or the reader says what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.onnx_ import OnnxConversionWarning, copy_weights, from_onnx  # noqa: E402
from cg_ir import SourceError  # noqa: E402

_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8,
          "int8": TensorProto.INT8, "bool": TensorProto.BOOL}  # fmt: skip


def model_of(nodes, inputs, weights=(), outputs=("y",), opset=22):
    """A model of nodes; inputs are (name, shape, type), weights (name, array); outputs have no stated shape."""
    given = [helper.make_tensor_value_info(name, _TYPES[dtype], shape) for name, shape, dtype in inputs]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights]
    graph = helper.make_graph(nodes, "net", given, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def one(op, shapes, weights=(), outputs=("y",), opset=22, dtype="float32", **attrs):
    """A model of one node whose inputs are ``shapes`` and then ``weights``."""
    names = [f"x{i}" for i in range(len(shapes))]
    node = helper.make_node(op, [*names, *(name for name, _ in weights)], list(outputs), **attrs)
    return model_of([node], [(n, s, dtype) for n, s in zip(names, shapes, strict=True)], weights, outputs, opset)


def operators(graph):
    return [node.op for node in graph.nodes if node.op not in ("Input", "Output")]


def agree(model, *inputs, graph=None):
    """Whether the network of a model's graph computes what onnx's reference evaluator does."""
    graph = from_onnx(model) if graph is None else graph
    network = cg_ir.to_module(graph).eval()
    copy_weights(model, network)
    with torch.no_grad():
        found = network(*(torch.from_numpy(x) for x in inputs))
    found = found if isinstance(found, tuple) else (found,)
    wanted = ReferenceEvaluator(model).run(None, {v.name: x for v, x in zip(model.graph.input, inputs, strict=True)})
    for a, b in zip(found, wanted, strict=True):
        assert tuple(a.shape) == b.shape
        np.testing.assert_allclose(a.numpy().astype(np.float64), b.astype(np.float64), rtol=1e-4, atol=1e-5)
    return graph


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class TestShapes:
    def test_a_sequence_keeps_its_length(self):
        weights = [("w", numbers(1, 32, 8)), ("r", numbers(1, 32, 8))]
        graph = from_onnx(one("LSTM", [[35, 1, 8]], weights, hidden_size=8))
        assert graph.macs == 35 * 2 * 32 * 8 == 17920
        assert graph.nodes[0].shape == (35, 1, 8)

    def test_an_image_without_a_batch_is_none_of_another_size(self):
        nodes = [
            helper.make_node("Unsqueeze", ["x", "axes"], ["image"]),
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Squeeze", ["c", "axes"], ["y"]),
        ]
        weights = [("axes", np.array([0])), ("w", numbers(8, 3, 3, 3))]
        graph = from_onnx(model_of(nodes, [("x", [3, 16, 16], "float32")], weights))
        assert graph.nodes[0].shape == (3, 16, 16)
        assert graph.macs == 8 * 27 * 14 * 14

    def test_every_fixed_size_stays(self):
        graph = from_onnx(one("MatMul", [[4, 6], [10, 6, 4]]))
        assert [n.shape for n in graph.nodes if n.op == "Input"] == [(4, 6), (10, 6, 4)]

    def test_the_batch_is_what_is_open(self):
        weights = [("w", numbers(8, 3, 3, 3))]
        for leading, batch in (("n", 1), (None, 1), (4, 4)):
            graph = from_onnx(one("Conv", [[leading, 3, 8, 8]], weights))
            assert graph.nodes[0].shape == (batch, 3, 8, 8)
            assert graph.macs == batch * 8 * 27 * 36

    def test_one_name_is_one_size(self):
        graph = from_onnx(one("Concat", [["n", 4], [7, 4]], axis=0))
        assert graph.nodes[-1].shape == (8, 4)
        graph = from_onnx(one("MatMul", [["n", 4, 6], [5, "n", 6, 4]]))
        assert [n.shape for n in graph.nodes if n.op == "Input"] == [(1, 4, 6), (5, 1, 6, 4)]

    def test_the_user_states_a_shape_with_or_without_the_batch(self):
        model = one("Relu", [["n", 3, "h"]])
        assert from_onnx(model, inputs=["3x7"]).nodes[0].shape == (1, 3, 7)
        assert from_onnx(model, inputs=["2x3x7"]).nodes[0].shape == (2, 3, 7)
        with pytest.raises(SourceError, match="has 1 sizes, but the file's has 3 axes"):
            from_onnx(model, inputs=["7"])

    def test_a_file_for_four_images_read_for_one(self):
        """Channels shuffled, and tokens in front: shapes inside that were written for four."""
        nodes = [
            helper.make_node("Reshape", ["x", "groups"], ["g"]),
            helper.make_node("Transpose", ["g"], ["t"], perm=[0, 2, 1, 3, 4]),
            helper.make_node("Reshape", ["t", "image"], ["s"]),
            helper.make_node("Reshape", ["s", "tokens"], ["f"]),
            helper.make_node("Transpose", ["f"], ["p"], perm=[2, 0, 1]),
            helper.make_node("Reshape", ["p", "heads"], ["h"]),
            helper.make_node("MatMul", ["h", "w"], ["m"]),
            helper.make_node("Expand", ["class", "four"], ["c"]),
            helper.make_node("Reshape", ["m", "back"], ["b"]),
            helper.make_node("Transpose", ["b"], ["v"], perm=[1, 0, 2]),
            helper.make_node("Concat", ["c", "v"], ["y"], axis=1),
        ]
        sizes = {"groups": [4, 2, 4, 5, 5], "image": [4, 8, 5, -1], "tokens": [4, 8, 25], "heads": [25, 8, 4], "four": [4, 1, 10],
                 "back": [25, 4, 10]}  # fmt: skip
        weights = [(name, np.array(shape)) for name, shape in sizes.items()]
        weights += [("w", numbers(4, 5)), ("class", numbers(1, 1, 10))]
        model = model_of(nodes, [("x", [4, 8, 5, 5], "float32")], weights)
        graph = from_onnx(model, inputs=["8x5x5"])
        assert graph.nodes[-1].shape == (1, 26, 10)
        assert 4 * graph.macs == from_onnx(model).macs


class TestWhatExportersWrite:
    def test_a_concatenation_of_one_is_none(self):
        graph = agree(one("Concat", [[1, 3, 4]], axis=1), numbers(1, 3, 4))
        assert operators(graph) == []

    @pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
    def test_equal_vectors_that_a_file_holds_once_count_for_every_reader(self, shape):
        size = [1, 3, 3, 3]
        nodes = [
            helper.make_node("Mul", ["x", "g"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Mul", ["b", "g"], ["y"]),
        ]
        scale = np.full(shape, 1e-6, np.float32)
        model = model_of(nodes, [("x", size, "float32")], [("g", scale)], ["y"])
        with pytest.warns(UserWarning, match="holds once count"):
            assert agree(model, numbers(*size)).params == 6
        trained = model_of(nodes, [("x", size, "float32")], [("g", numbers(*shape))], ["y"])
        assert from_onnx(trained).params == 3


class TestAttributes:
    """Attributes are read, or the node is Custom, and the warning names what was not read."""

    @pytest.mark.parametrize(
        ("op", "shapes", "attrs"),
        [
            ("Selu", [[1, 8]], {"alpha": 2.0, "gamma": 3.0}),
            ("ArgMax", [[1, 3, 4]], {"axis": 2, "select_last_index": 1}),
            ("ArgMin", [[1, 3, 4]], {"axis": 1, "keepdims": 0, "select_last_index": 1}),
            ("Swish", [[1, 8]], {"alpha": 0.5}),
            ("Shrink", [[1, 8]], {"bias": 0.25, "lambd": 0.5}),
            ("ThresholdedRelu", [[1, 8]], {"alpha": 0.3}),
            ("TopK", [[1, 8]], {"largest": 0}),
            ("CumSum", [[1, 8]], {"exclusive": 1, "reverse": 1}),
            ("Gemm", [[3, 4], [3, 5]], {"transA": 1, "alpha": 0.5}),
            ("LayerNormalization", [[2, 4], [4]], {"epsilon": 0.1}),
            ("DepthToSpace", [[1, 8, 2, 2]], {"blocksize": 2, "mode": "CRD"}),
            ("ConvTranspose", [[1, 2, 3, 3], [2, 2, 3, 3]], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ],
    )
    def test_they_are_read(self, op, shapes, attrs):
        weights = {"TopK": [("k", np.array([3]))], "CumSum": [("axis", np.array(1))]}.get(op, [])
        outputs = ("y", "i") if op == "TopK" else ("y",)
        opset = 24 if op == "Swish" else 22
        model = one(op, shapes, weights, outputs, opset, **attrs)
        assert "Custom" not in operators(agree(model, *(numbers(*s, seed=i) for i, s in enumerate(shapes))))

    def test_integers_divide_towards_zero(self):
        model = one("Div", [[1, 6], [1, 6]], dtype="int64")
        a, b = np.array([[7, -7, 7, -7, 1, 0]]), np.array([[2, 2, -2, -2, 3, 5]])
        (found,) = (cg_ir.to_module(from_onnx(model))(torch.from_numpy(a), torch.from_numpy(b)),)
        assert found.tolist() == [[3, -3, -3, 3, 0, 0]]

    def test_remainders_take_either_sign(self):
        for fmod in (0, 1):
            agree(one("Mod", [[1, 8], [1, 8]], fmod=1) if fmod else one("Mod", [[1, 8], [1, 8]], dtype="int64"),
                  *((numbers(1, 8), numbers(1, 8, seed=1)) if fmod else (np.arange(-4, 4)[None], np.full((1, 8), 3))))  # fmt: skip

    @pytest.mark.parametrize(
        ("attrs", "kind"),
        [
            ({"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, "nearest"),
            ({"mode": "nearest"}, "nearest"),
            ({"mode": "linear"}, "linear"),
            ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "linear"),
            ({"mode": "cubic", "cubic_coeff_a": -0.75}, "cubic"),
            ({"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, "linear"),
        ],
    )
    def test_resizing_is_one_of_the_formats(self, attrs, kind):
        scales = [("roi", np.zeros(0, np.float32)), ("scales", np.array([1, 1, 2, 2], np.float32))]
        graph = agree(one("Resize", [[1, 2, 4, 5]], scales, **attrs), numbers(1, 2, 4, 5))
        assert operators(graph) == ["Resize"]
        assert graph.params == 0
        assert graph.nodes[1].attrs["mode"].startswith(kind)

    @pytest.mark.parametrize(
        "attrs",
        [
            {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
            {"mode": "cubic", "cubic_coeff_a": -0.5},
            {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"},
        ],
    )
    def test_resizing_otherwise_is_custom(self, attrs):
        scales = [("roi", np.zeros(0, np.float32)), ("scales", np.array([1, 1, 2, 2], np.float32))]
        with pytest.warns(UserWarning, match="became Custom: Resize"):
            graph = from_onnx(one("Resize", [[1, 2, 4, 5]], scales, **attrs))
        assert operators(graph)[-1] == "Custom"
        assert graph.params == 0
        assert graph.nodes[-1].shape == (1, 2, 8, 10)

    @pytest.mark.parametrize(
        ("op", "attrs"),
        [
            ("LSTM", {"clip": 1.0}), ("LSTM", {"activations": ["Tanh", "Tanh", "Tanh"]}), ("LSTM", {"input_forget": 1}),
            ("GRU", {"linear_before_reset": 0}),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("biased", [True, False])
    def test_recurrent_layers_that_the_format_has_not(self, op, attrs, biased):
        gates = {"LSTM": 4, "GRU": 3}[op]
        weights = [("w", numbers(1, gates * 8, 8)), ("r", numbers(1, gates * 8, 8)), ("b", numbers(1, 2 * gates * 8))]
        weights = weights if biased else weights[:2]
        with pytest.warns(UserWarning, match=f"became Custom: {op} with .*{next(iter(attrs))}"):
            assert operators(from_onnx(one(op, [[5, 1, 8]], weights, hidden_size=8, **attrs))) == ["Custom"]

    def test_what_no_reading_looks_at_makes_a_custom(self):
        model = one("Relu", [[1, 4]], slope=0.5)
        with pytest.warns(UserWarning, match=r"Relu with slope \(1x\)"):
            assert operators(from_onnx(model)) == ["Custom"]
        node = helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2], storage_order=1)
        model = model_of([node], [("x", [1, 2, 6], "float32")], (), ("y", "i"))
        model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
        with pytest.warns(UserWarning, match="MaxPool"):
            assert "Custom" in operators(from_onnx(model))


class TestRecurrentLayers:
    @pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
    @pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
    def test_weights_are_those_of_the_file(self, op, direction):
        gates, both = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 2 if direction == "bidirectional" else 1
        weights = [("w", numbers(both, gates * 3, 4)), ("r", numbers(both, gates * 3, 3, seed=1))]
        weights += [("b", numbers(both, 2 * gates * 3, seed=2))]
        attrs = {"linear_before_reset": 1} if op == "GRU" else {}
        model = one(op, [[5, 2, 4]], weights, ("y", "h"), hidden_size=3, direction=direction, **attrs)
        if direction == "forward":
            agree(model, numbers(5, 2, 4, seed=3))
            return
        ort = pytest.importorskip("onnxruntime")
        model.ir_version = 9
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        x = numbers(5, 2, 4, seed=3)
        network = cg_ir.to_module(from_onnx(model)).eval()
        copy_weights(model, network)
        with torch.no_grad():
            found = network(torch.from_numpy(x))
        for a, b in zip(found, session.run(None, {"x0": x}), strict=True):
            np.testing.assert_allclose(a.numpy(), b, atol=1e-5)


class TestQuantisedFiles:
    def test_pairs_go_and_integers_count(self):
        """The form that quantisers write around every operator: parameters, MACs and graph of the network before."""
        scale = [(f"s{i}", np.float32(0.1)) for i in range(3)] + [(f"z{i}", np.uint8(3)) for i in range(2)]
        scale += [
            ("sw", np.full(8, 0.01, np.float32)),
            ("zw", np.zeros(8, np.int8)),
            ("sb", np.full(8, 0.001, np.float32)),
        ]
        weights = [("w", np.ones((8, 3, 3, 3), np.int8)), ("b", np.ones(8, np.int32)), ("zb", np.zeros(8, np.int32))]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s0", "z0"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "s0", "z0"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], axis=0),
            helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["bd"], axis=0),
            helper.make_node("Conv", ["xd", "wd", "bd"], ["c"]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("QuantizeLinear", ["r", "s1", "z1"], ["rq"]),
            helper.make_node("DequantizeLinear", ["rq", "s1", "z1"], ["y"]),
        ]
        model = model_of(nodes, [("x", ["n", 3, 8, 8], "float32")], [*scale, *weights])
        with pytest.warns(OnnxConversionWarning, match="pairs of QuantizeLinear and DequantizeLinear are left out"):
            graph = from_onnx(model)
        plain = one("Conv", [["n", 3, 8, 8]], [("w", numbers(8, 3, 3, 3)), ("b", numbers(8))], outputs=("c",))
        plain.graph.node.add().CopyFrom(helper.make_node("Relu", ["c"], ["y"]))
        plain.graph.output[0].name = "y"
        assert graph.params == 8 * 27 + 8
        assert "unused_parameters" not in graph.extras
        assert graph.hash == from_onnx(plain).hash

    def test_dynamic_quantisation_has_its_macs(self):
        nodes = [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            helper.make_node("MatMulInteger", ["q", "w", "z", "zw"], ["i"]),
            helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["s", "sw"], ["ss"]),
            helper.make_node("Mul", ["f", "ss"], ["y"]),
        ]
        weights = [
            ("w", np.arange(-16, 16, dtype=np.int8).reshape(8, 4)),
            ("zw", np.int8(0)),
            ("sw", np.full(1, 0.1, np.float32)),
        ]
        model = model_of(nodes, [("x", [2, 8], "float32")], weights)
        graph = agree(model, numbers(2, 8))
        assert graph.params == 32
        assert graph.macs == 2 * 32

    def test_a_lone_conversion_is_arithmetic(self):
        weights = [("s", np.float32(0.1)), ("z", np.uint8(100))]
        agree(one("QuantizeLinear", [[1, 8]], weights), numbers(1, 8))


class TestParameters:
    def test_weights_as_constant_nodes(self):
        nodes = [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(numbers(6, 4))),
            helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "t"], ["m"]),
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(numbers(6))),
            helper.make_node("Add", ["m", "c"], ["y"]),
        ]
        model = model_of(nodes, [("x", [1, 4], "float32")])
        graph = agree(model, numbers(1, 4))
        assert graph.params == 24  # a constant that is added may be one

    def test_equal_scales_that_the_exporter_merged_count_for_each(self):
        nodes = [
            helper.make_node("BatchNormalization", [n, "one", "zero", "zero", "one"], [m]) for n, m in ("xa", "ay")
        ]
        model = model_of(
            nodes,
            [("x", ["n", 8, 4, 4], "float32")],
            [("one", np.ones(8, np.float32)), ("zero", np.zeros(8, np.float32))],
        )
        with pytest.warns(OnnxConversionWarning, match="hold"):
            assert from_onnx(model).params == 32


class TestAttention:
    @pytest.mark.parametrize("causal", [0, 1])
    def test_heads_side_by_side_and_shared(self, causal):
        shapes = [[2, 5, 24], [2, 7, 12], [2, 7, 12]]
        model = one("Attention", shapes, opset=23, q_num_heads=4, kv_num_heads=2, is_causal=causal)
        inputs = [numbers(*s, seed=i) for i, s in enumerate(shapes)]
        graph = agree(model, *inputs)
        assert operators(graph).count("Attention") == 1
        assert graph.macs == 2 * 4 * 5 * 7 * 12

    def test_with_a_cache(self):
        shapes = [[1, 4, 1, 6], [1, 2, 1, 6], [1, 2, 1, 6]]
        node = helper.make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"], is_causal=1)
        given = [(n, s, "float32") for n, s in zip("qkv", shapes, strict=True)]
        given += [(n, [1, 2, 9, 6], "float32") for n in ("pk", "pv")]
        model = model_of([node], given, outputs=("y", "nk", "nv"), opset=23)
        graph = agree(model, *(numbers(*s, seed=i) for i, (_, s, _) in enumerate(given)))
        assert graph.macs == 4 * 10 * 12

    def test_capped_scores(self):
        shapes = [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4], [3, 5]]
        model = one("Attention", shapes, opset=23, softcap=0.5)
        assert agree(model, *(numbers(*s, seed=i) for i, s in enumerate(shapes))).macs == 2 * 3 * 5 * 8


class TestSpectra:
    @pytest.mark.parametrize("parts", [1, 2])
    @pytest.mark.parametrize("length", [None, 6, 11])
    def test_a_transform_takes_the_length_that_the_file_says(self, parts, length):
        weights = [("n", np.array(length)), ("a", np.array(-3))] if length else [("", np.array(0)), ("a", np.array(-3))]
        node = helper.make_node("DFT", ["x", weights[0][0], "a"], ["y"], inverse=parts - 1)
        model = model_of([node], [("x", (1, 8, 3, parts), "float32")], weights[0 if length else 1 :])
        assert "Custom" not in operators(agree(model, numbers(1, 8, 3, parts)))

    def test_one_side_and_back(self):
        there = helper.make_node("DFT", ["x", "", "a"], ["s"], onesided=1)
        back = helper.make_node("DFT", ["s", "n", "a"], ["y"], onesided=1, inverse=1)
        model = model_of([there, back], [("x", (2, 9, 1), "float32")], [("n", np.array(9)), ("a", np.array(1))])
        graph = from_onnx(model)
        network = cg_ir.to_module(graph)
        x = torch.from_numpy(numbers(2, 9, 1))
        torch.testing.assert_close(network(x), x)
        assert operators(graph) == ["DFT", "DFT"]

    def test_one_side_of_complex_numbers_is_told(self):
        with pytest.raises(SourceError, match="one side of a spectrum whose numbers are not real"):
            from_onnx(one("DFT", [(1, 8, 2)], opset=17, axis=1, onesided=1))
