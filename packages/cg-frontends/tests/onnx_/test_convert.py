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
from cg_ir import SourceError  # noqa: E402


def model_of(nodes, inputs, outputs, weights=(), opset=17):
    """A model; inputs and outputs are (name, shape), weights (name, array)."""
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in group] for group in (inputs, outputs)]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights]
    graph = helper.make_graph(nodes, "net", *infos, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def one(op, shapes, weights=(), **attrs):
    """A model of one node whose inputs have these shapes; weights follow."""
    names = [f"x{i}" for i in range(len(shapes))]
    node = helper.make_node(op, [*names, *(name for name, _ in weights)], ["y"], **attrs)
    return model_of([node], list(zip(names, shapes, strict=True)), [("y", None)], weights, opset=21)


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


class TestShapes:
    def test_an_image_without_a_batch_is_none_of_another_size(self):
        nodes = [
            helper.make_node("Unsqueeze", ["x", "axes"], ["image"]),
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Squeeze", ["c", "axes"], ["y"]),
        ]
        weights = [("axes", np.array([0])), ("w", floats(8, 3, 3, 3))]
        graph = from_onnx(model_of(nodes, [("x", [3, 16, 16])], [("y", None)], weights, opset=21))
        assert graph.nodes[0].shape == (3, 16, 16)
        assert graph.macs == 8 * 27 * 14 * 14

    def test_every_fixed_size_stays(self):
        graph = from_onnx(one("MatMul", [[4, 6], [10, 6, 4]]))
        assert [n.shape for n in graph.nodes if n.op == "Input"] == [(4, 6), (10, 6, 4)]

    def test_the_batch_is_what_is_open(self):
        weights = [("w", floats(8, 3, 3, 3))]
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
        weights += [("w", floats(4, 5)), ("class", floats(1, 1, 10))]
        model = model_of(nodes, [("x", [4, 8, 5, 5])], [("y", None)], weights, opset=21)
        graph = from_onnx(model, inputs=["8x5x5"])
        assert graph.nodes[-1].shape == (1, 26, 10)
        assert 4 * graph.macs == from_onnx(model).macs


def test_open_sizes_and_given_ones():
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", ["n", 3, "h", "w"])], [("y", None)])
    with pytest.raises(SourceError, match=r"axis 2 of input 'x' is open \(h\).*--input"):
        from_onnx(model)
    assert from_onnx(model, inputs=["3x20x30"]).nodes[0].shape == (1, 3, 20, 30)
    with pytest.raises(SourceError, match="1 inputs"):
        from_onnx(model, inputs=["3x2x2", "4"])


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_unreadable_files(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"net\.onnx: no "):
        from_onnx(str(path))
    with pytest.raises(SourceError, match="no such file"):
        from_onnx(str(tmp_path / "absent.onnx"))


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

    def test_convolutions_and_attention_by_the_newer_exporter(self, tmp_path):
        torch = pytest.importorskip("torch")
        pytest.importorskip("onnxscript")
        from torch import nn

        from cg_frontends.pytorch import from_module

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(16)
                self.qkv = nn.Linear(16, 48)
                self.position = nn.Parameter(torch.zeros(1, 16, 16))
                self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

            def forward(self, x):
                x = x.flatten(2).transpose(1, 2) + self.position
                q, k, v = self.qkv(self.norm(x)).reshape(1, 16, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
                y = nn.functional.scaled_dot_product_attention(q, k, v)
                return self.mlp(x + y.transpose(1, 2).reshape(1, 16, 16))

        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.ReLU6(), nn.MaxPool2d(2), nn.ConvTranspose2d(8, 16, 2, 2), nn.MaxPool2d(4), Block(), nn.Linear(16, 10),
        )  # fmt: skip
        x = torch.zeros(1, 3, 32, 32)
        graph = from_module(module, x)
        export(module, x, tmp_path / "a.onnx", dynamo=True, optimize=False, opset_version=23)
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
