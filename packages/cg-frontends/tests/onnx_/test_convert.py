"""ONNX files: they agree with the traced network, older spellings are read, failures are one line."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_frontends.onnx_files import OnnxFrontend  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def model_of(nodes, inputs, outputs, weights=(), opset=17, path=None):
    """A model; inputs and outputs are (name, shape), weights (name, array)."""
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in group] for group in (inputs, outputs)]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights]
    graph = helper.make_graph(nodes, "net", *infos, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def operators(graph):
    return [node.op for node in graph.nodes]


def floats(*shape):
    return np.zeros(shape, dtype=np.float32)


def test_a_convolution_by_hand():
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"], epsilon=1e-3),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "g", "h"], ["y"], transB=1),
    ]
    weights = [("w", floats(8, 3, 3, 3)), ("b", floats(8)), ("g", floats(10, 8)), ("h", floats(10))]
    weights += [(name, floats(8) + i) for i, name in enumerate("stmv")]
    graph = from_onnx(model_of(nodes, [("x", ["n", 3, 32, 32])], [("y", ["n", 10])], weights))
    assert operators(graph) == [
        "Input",
        "Conv",
        "BatchNormalization",
        "Relu",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
        "Output",
    ]
    assert graph.nodes[1].attrs["pads"] == (0, 0, 1, 1)
    assert graph.nodes[2].attrs["epsilon"] == 1e-3
    assert graph.params == 8 * 27 + 8 + 16 + 90
    assert "unused_parameters" not in graph.extras
    assert graph.macs == 8 * 27 * 256 + 80


def test_shapes_are_computed_from_shapes():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["u"]),
        helper.make_node("Concat", ["u", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    weights = [("zero", np.int64(0)), ("axes", np.array([0])), ("rest", np.array([2, -1]))]
    graph = from_onnx(model_of(nodes, [("x", ["n", 4, 6])], [("y", None)], weights))
    assert graph.nodes[-1].shape == (1, 2, 12)
    assert operators(graph) == ["Input", "Reshape", "Output"]


def test_older_opsets():
    nodes = [
        helper.make_node("Squeeze", ["x"], ["a"], axes=[2]),
        helper.make_node("Pad", ["a", "pads"], ["p"]),
        helper.make_node("Clip", ["p", "low", "high"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["m"], axes=[-1], keepdims=0),
        helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    weights = [("pads", np.array([0, 0, 1, 0, 0, 1])), ("low", np.float32(0)), ("high", np.float32(6))]
    graph = from_onnx(model_of(nodes, [("x", [1, 4, 1, 6])], [("y", [1, 4])], weights, opset=11))
    assert operators(graph) == ["Input", "Squeeze", "Pad", "Clip", "ReduceMean", "Softmax", "Output"]
    assert graph.nodes[2].shape == (1, 4, 8)
    with pytest.raises(SourceError, match="opset 9 is older than 11"):
        from_onnx(model_of(nodes, [("x", [1, 4, 1, 6])], [("y", [1, 4])], weights, opset=9))


def test_unknown_operators_are_custom():
    nodes = [helper.make_node("Det", ["x"], ["y"])]
    model = model_of(nodes, [("x", [1, 4, 4])], [("y", [1])])
    with pytest.warns(UserWarning, match="Det"):
        assert operators(from_onnx(model)) == ["Input", "Custom", "Output"]
    with pytest.raises(SourceError, match="Det"):
        from_onnx(model, strict=True)


def test_open_sizes_and_given_ones():
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", ["n", 3, "h", "w"])], [("y", None)])
    with pytest.raises(SourceError, match=r"axis 2 of input 'x' is open \(h\).*--input"):
        from_onnx(model)
    assert from_onnx(model, inputs=["3x20x30"]).nodes[0].shape == (1, 3, 20, 30)
    with pytest.raises(SourceError, match="1 inputs"):
        from_onnx(model, inputs=["3x2x2", "4"])


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
    nodes = [helper.make_node(op, ["x", "w"], ["y"], group=group)]
    model = model_of(nodes, [("x", ["n", None, "h", "w"])], [("y", None)], [("w", floats(*weight))])
    assert from_onnx(model, inputs=[f"{fits}x8x8"]).params == np.prod(weight)
    with pytest.raises(SourceError, match=f"a convolution are for {fits} channels, but its input has 3"):
        from_onnx(model, inputs=["3x8x8"])


def test_control_flow_is_refused():
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"])], "b", [], [helper.make_tensor_value_info("r", 1, [1, 4])]
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    with pytest.raises(SourceError, match="control flow"):
        from_onnx(model_of(nodes, [("x", [1, 4])], [("y", [1, 4])]))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_unreadable_files(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"net\.onnx: no "):
        OnnxFrontend().convert(str(path))
    with pytest.raises(SourceError, match="no such file"):
        OnnxFrontend().convert(str(tmp_path / "absent.onnx"))


def test_external_data_is_not_read(tmp_path):
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", [1, 64])], [("y", [1, 64])], [("w", floats(64, 64))]
    )
    path = tmp_path / "net.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert from_onnx(str(path)).params == 4096


def export(module, x, path, **options):
    torch = pytest.importorskip("torch")
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            torch.onnx.export(module.eval(), (x,), str(path), **options)
    finally:
        logging.disable(previous)


class TestExportedNetworks:
    """Files of torch.onnx.export, which by default folds normalisations into convolutions: told not to, they give the same graph."""

    pytestmark = pytest.mark.filterwarnings("ignore")

    def test_convolutions(self, tmp_path):
        torch = pytest.importorskip("torch")
        from torch import nn

        from cg_frontends.pytorch import from_module

        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.ReLU6(), nn.MaxPool2d(2), nn.ConvTranspose2d(8, 4, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
        )  # fmt: skip
        x = torch.zeros(1, 3, 32, 32)
        graph = from_module(module, x, name="net")
        export(
            module,
            x,
            tmp_path / "a.onnx",
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
        assert from_onnx(str(tmp_path / "a.onnx")).hash == graph.hash
        pytest.importorskip("onnxscript")
        export(module, x, tmp_path / "b.onnx", dynamo=True, optimize=False)
        assert from_onnx(str(tmp_path / "b.onnx")).hash == graph.hash

    def test_attention(self, tmp_path):
        torch = pytest.importorskip("torch")
        pytest.importorskip("onnxscript")
        from torch import nn

        from cg_frontends.pytorch import from_module

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(16)
                self.qkv = nn.Linear(16, 48)
                self.position = nn.Parameter(torch.zeros(1, 7, 16))
                self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

            def forward(self, x):
                x = x + self.position
                q, k, v = self.qkv(self.norm(x)).reshape(1, 7, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
                y = nn.functional.scaled_dot_product_attention(q, k, v)
                return self.mlp(x + y.transpose(1, 2).reshape(1, 7, 16))

        x = torch.zeros(1, 7, 16)
        graph = from_module(Block(), x)
        export(Block(), x, tmp_path / "a.onnx", dynamo=True, optimize=False, opset_version=23)
        assert from_onnx(str(tmp_path / "a.onnx")).hash == graph.hash

    def test_recurrent_layers(self, tmp_path):
        torch = pytest.importorskip("torch")
        from torch import nn

        from cg_frontends.pytorch import from_module

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(50, 8)
                self.lstm = nn.LSTM(8, 12, batch_first=True, bidirectional=True)
                self.gru = nn.GRU(24, 8, batch_first=True)

            def forward(self, tokens):
                return self.gru(self.lstm(self.embedding(tokens))[0])[0]

        x = torch.zeros(1, 7, dtype=torch.int64)
        graph = from_module(Net(), x)
        export(Net(), x, tmp_path / "a.onnx", dynamo=False, do_constant_folding=False, opset_version=17)
        read = from_onnx(str(tmp_path / "a.onnx"))
        assert read.params == graph.params
        assert read.macs == graph.macs
        wanted = Counter(node.op for node in graph.nodes)
        found = Counter(node.op for node in read.nodes)
        assert {op: found[op] for op in ("LSTM", "GRU", "Embedding", "Custom")} == {
            op: wanted[op] for op in ("LSTM", "GRU", "Embedding", "Custom")
        }
