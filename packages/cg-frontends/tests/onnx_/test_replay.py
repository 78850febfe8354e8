"""A conversion of an ONNX file verifies itself: the file and the network of its graph run on the same input."""

from __future__ import annotations

import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_frontends.onnx_.importer import READINGS  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def model(nodes=(), shape=("n", 3, 6, 6), dtype=TensorProto.FLOAT):
    """A convolution, a normalisation, an activation and a mean, or other nodes that read ``x`` and make ``y``."""
    rng = np.random.default_rng(0)
    first = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "s", "s", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("ReduceMean", ["r", "axes"], ["y"], keepdims=0),
    ]
    weights = {
        "w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "b": np.ones(4, np.float32),
        **{name: np.linspace(low, 3, 4).astype(np.float32) for name, low in (("s", 1), ("m", -2), ("v", 2))},
        "axes": np.array([2, 3]),
    }
    given = helper.make_tensor_value_info("x", dtype, shape)
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    values = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(list(nodes) or first, "net", [given], values, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(params=["runtime", "reference"])
def runner(request, monkeypatch):
    """ONNX Runtime, and onnx's reference evaluator where that is not installed."""
    if request.param == "reference":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    else:
        pytest.importorskip("onnxruntime")


def test_files_that_agree(runner, tmp_path):
    assert from_onnx(model(), verify=True).hash == from_onnx(model()).hash
    path = str(tmp_path / "net.onnx")
    onnx.save(model(shape=("n", 3, "h", "w")), path)
    assert from_onnx(path, inputs=["3x7x5"], verify=True).nodes[0].shape == (1, 3, 7, 5)


def test_initializers_that_are_listed_as_inputs_are_not_drawn(runner):
    listed = model()
    listed.graph.input.insert(0, helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 3, 3]))
    from_onnx(listed, verify=True)


def test_whole_numbers_are_drawn_where_the_file_takes_them(runner):
    """Every one is a row of the smallest table."""
    table = helper.make_node("Gather", ["axes", "x"], ["i"])
    from_onnx(model([table, helper.make_node("Cast", ["i"], ["y"], to=1)], (2, 50), TensorProto.INT64), verify=True)


def test_an_output_that_differs_is_named(runner, monkeypatch):
    monkeypatch.setitem(READINGS, "Relu", lambda im, o: im.add("Abs", o.input(0)))
    with pytest.raises(SourceError, match=r"^net: the graph does not compute what .* does: output 'y' differs by \d"):
        from_onnx(model(), verify=True)


def test_what_has_no_meaning_cannot_be_run():
    nodes = [helper.make_node("Det", ["x"], ["y"])]
    with (
        pytest.warns(UserWarning, match="Det"),
        pytest.raises(SourceError, match="cannot be verified, for Det has no meaning"),
    ):
        from_onnx(model(nodes, [1, 4, 4]), verify=True)


@pytest.mark.parametrize("runs", ["ONNX Runtime", "onnx"])
def test_a_file_that_does_not_run_is_told_in_one_line(monkeypatch, runs):
    if runs == "onnx":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        monkeypatch.setattr("onnx.reference.ReferenceEvaluator.run", lambda *_: 1 / 0)
    else:
        pytest.importorskip("onnxruntime")
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    broken = model(nodes, (2, 5), TensorProto.INT64 if runs == "ONNX Runtime" else TensorProto.FLOAT)
    with pytest.raises(SourceError, match=f"^net: cannot be verified, {runs} does not run it") as caught:
        from_onnx(broken, verify=True)
    assert "\n" not in str(caught.value)
