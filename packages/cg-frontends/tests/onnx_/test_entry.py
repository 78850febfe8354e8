"""What ``from_onnx`` says beside its result: operators outside the vocabulary, names, biases that may be folded normalisations."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.lowering.lowering import UnknownOperatorWarning  # noqa: E402
from cg_frontends.onnx_ import OnnxConversionWarning, from_onnx  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def model_of(nodes, shape=(1, 4, 4), outputs=("y",), weights=None, stated=(1,)):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, stated) for name in outputs]
    graph = helper.make_graph(nodes, "net", [given], results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("own", 1)])


def convolutions(count, bias=True):
    """Convolutions with biases, each with an activation behind it, and global pooling."""
    nodes, weights = [], {}
    for i in range(count):
        names = [f"w{i}", f"b{i}"] if bias else [f"w{i}"]
        nodes += [
            helper.make_node("Conv", [f"r{i - 1}" if i else "x", *names], [f"c{i}"]),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        weights |= {f"w{i}": np.ones((3, 3, 1, 1), np.float32), f"b{i}": np.arange(3, dtype=np.float32) + i}
    nodes.append(helper.make_node("GlobalAveragePool", [f"r{count - 1}"], ["y"]))
    read = {name for node in nodes for name in node.input}
    return model_of(nodes, (1, 3, 8, 8), weights={k: v for k, v in weights.items() if k in read}, stated=(1, 3, 1, 1))


class TestOperatorsOutsideTheVocabulary:
    nodes = [
        helper.make_node("Det", ["x"], ["a"]),
        helper.make_node("Own", ["a"], ["b"], domain="own"),
        helper.make_node("Own", ["b"], ["y"], domain="own"),
    ]

    def model(self):
        model = model_of(self.nodes)
        model.graph.value_info.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "ab")
        return model

    def test_they_are_custom_and_a_warning_counts_them(self):
        with pytest.warns(
            UnknownOperatorWarning,
            match=r"^net: operators outside the vocabulary became Custom: Det \(1x\), own::Own \(2x\)$",
        ):
            graph = from_onnx(self.model())
        assert [node.op for node in graph.nodes] == ["Input", "Custom", "Custom", "Custom", "Output"]

    def test_they_are_an_error_where_the_user_says_so(self):
        with pytest.raises(SourceError, match=r"^net: operators outside the vocabulary: Det \(1x\), own::Own \(2x\)$"):
            from_onnx(self.model(), strict=True)


class TestBiases:
    """Exporters fold a batch normalisation into the convolution before it."""

    @pytest.mark.parametrize(("count", "bias"), [(2, True), (3, False)])
    def test_few_or_none_are_no_sign(self, count, bias):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            graph = from_onnx(convolutions(count, bias))
        with pytest.raises(
            SourceError,
            match=r"^net: there is nothing to unfold: something else normalises, a convolution has no bias, or they are fewer",
        ):
            from_onnx(convolutions(count, bias), unfold=True)
        assert graph.params == count * (9 + 3 * bias)

    def test_several_are_told_and_unfolded_on_demand(self):
        with pytest.warns(
            OnnxConversionWarning,
            match=r"^net: 3 convolutions have a bias and nothing normalises.*unfold=True \(FILE.onnx\?unfold=true\)",
        ):
            folded = from_onnx(convolutions(3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            unfolded = from_onnx(convolutions(3), unfold=True)
        assert unfolded.params - folded.params == 3 * 3
        assert unfolded.macs == folded.macs


def test_the_name_is_the_users_or_that_of_the_model(tmp_path):
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], stated=None)
    assert (from_onnx(model).name, from_onnx(model, name="mine").name) == ("net", "mine")
    del model.graph.input[0].type.tensor_type.shape.dim[:]
    model.graph.input[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "file.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SourceError, match=rf"^{path}: the file does not say how many axes input 'x' has"):
        from_onnx(str(path))
