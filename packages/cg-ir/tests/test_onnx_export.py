"""to_onnx: accepted by the checker, and computed by onnxruntime as by to_module."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from operator_samples import SAMPLES  # noqa: E402
from sample_tensors import tensor  # noqa: E402

from cg_ir import GraphBuilder, GraphError, to_module, to_onnx  # noqa: E402
from cg_ir.cli import cg  # noqa: E402
from cg_ir.onnx_export.emitter import DOMAIN  # noqa: E402

#: Operators that some samples use in a way that ONNX has no operator for.
BEYOND = {"Custom", "LSTM", "AdaptiveMaxPool"}


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {f"input_{i}": x.numpy() for i, x in enumerate(inputs)})


def check(graph, inputs, tolerance=2e-4):
    torch.manual_seed(0)
    module = to_module(graph).eval()
    for m in module.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(m.running_mean, -1, 1)
            torch.nn.init.uniform_(m.running_var, 0.5, 2)
    model = to_onnx(graph, module)
    onnx.checker.check_model(model, full_check=True)
    if any(node.domain == DOMAIN for node in model.graph.node):
        return False
    with torch.no_grad():
        expected = module(*inputs)
    for found, wanted in zip(run(model, inputs), expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=tolerance, atol=tolerance)
    return True


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.op}-{s.inputs}-{s.attrs}")
def test_every_operator(sample):
    graph = sample.graph()
    generator = torch.Generator().manual_seed(0)
    if sample.op == "Custom":
        model = to_onnx(graph)
        assert [n.op_type for n in model.graph.node if n.domain == DOMAIN] == ["org.example.Fft"]
        return
    inputs = [tensor(shape, dtype, generator) for shape, dtype in sample.given()]
    assert check(graph, inputs) or sample.op in BEYOND


@pytest.mark.parametrize("name", ["cells", "unet", "attention_block"])
def test_networks(networks, name):
    graph = getattr(networks, name)()
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(n.shape, generator=generator) for n in graph.nodes if n.op == "Input"]
    assert check(graph, inputs)
    random_model = to_onnx(graph)
    first = run(random_model, inputs)
    again = run(to_onnx(graph), inputs)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(np.isfinite(a).all() for a in first)
    parameters = sum(int(np.prod(t.dims)) for t in random_model.graph.initializer)
    assert parameters >= graph.params


def test_shared_weights_are_stored_once():
    b = GraphBuilder()
    x = b.input((1, 64))
    for _ in range(3):
        x = b.add("Gemm", x, channels=64, weights="w")
    b.output(x)
    graph = b.build()
    for model in (to_onnx(graph), to_onnx(graph, to_module(graph))):
        assert sum(int(np.prod(t.dims)) for t in model.graph.initializer) == 64 * 64


def test_the_module_must_belong_to_the_graph(networks):
    with pytest.raises(GraphError, match="another graph"):
        to_onnx(networks.cells(), to_module(networks.cells()))


def test_commands_write_onnx(tmp_path, networks):
    source = tmp_path / "g.cg.json"
    networks.cells().save(source)
    for command in ("convert", "draw"):
        path = tmp_path / f"{command}.onnx"
        result = CliRunner().invoke(cg, [command, str(source), "-o", str(path)])
        assert result.exit_code == 0, result.output
        onnx.checker.check_model(onnx.load(path))
