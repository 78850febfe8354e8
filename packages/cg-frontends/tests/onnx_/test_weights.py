"""What an ONNX file holds goes to the places of the network, in PyTorch's order and types."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_models import agree, computed, model_of, numbers, one  # noqa: E402

from cg_frontends.onnx_ import copy_weights, from_onnx  # noqa: E402
from cg_ir import SourceError, to_module  # noqa: E402


def network_of(model):
    network = to_module(from_onnx(model)).eval()
    copy_weights(model, network)
    return network


@pytest.mark.parametrize(("op", "order"), [("LSTM", (0, 2, 3, 1)), ("GRU", (1, 0, 2)), ("RNN", (0,))])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_gates_of_recurrent_layers_change_their_order(op, order, direction):
    """ONNX: i o f c and z r h; PyTorch: i f g o and r z n."""
    both = 1 + (direction == "bidirectional")
    gates = len(order)
    arrays = {
        "w": numbers(both, gates * 3, 4),
        "r": numbers(both, gates * 3, 3, seed=1),
        "b": numbers(both, 2 * gates * 3, seed=2),
    }
    attrs = {"linear_before_reset": 1} if op == "GRU" else {}
    x = numbers(5, 2, 4, seed=3)
    model = one(op, [x], arrays, outputs=("y", "h"), hidden_size=3, direction=direction, **attrs)
    agree(model, x)
    found = [p.numpy() for p in network_of(model).state_dict().values()]
    rows = [row for gate in order for row in range(3 * gate, 3 * gate + 3)]
    wanted = [
        part
        for d in range(both)
        for part in (arrays["w"][d][rows], arrays["r"][d][rows], *(half[rows] for half in np.split(arrays["b"][d], 2)))
    ]
    assert [a.shape for a in found] == [b.shape for b in wanted]
    assert all((a == b).all() for a, b in zip(found, wanted, strict=True))


def test_weights_that_are_computed_from_weights():
    nodes = [
        helper.make_node("Mul", ["a", "b"], ["w"]),
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("Concat", ["t", "c"], ["u"], axis=1),
        helper.make_node("MatMul", ["x0", "u"], ["y"]),
    ]
    weights = {"a": numbers(5, 4), "b": numbers(1, 4, seed=1), "c": numbers(4, 2, seed=2)}
    agree(model_of(nodes, [numbers(3, 4)], weights), numbers(3, 4))


def test_running_statistics_and_constants_are_copied():
    x = numbers(2, 4, 5)
    vectors = {n: np.abs(numbers(4, seed=i)) + 0.5 for i, n in enumerate("stmv")}
    nodes = [
        helper.make_node("BatchNormalization", ["x0", *"stmv"], ["n"]),
        helper.make_node("Gather", ["n", "i"], ["y"], axis=2),
    ]
    agree(model_of(nodes, [x], vectors | {"i": np.arange(300) % 5}), x)


@pytest.mark.parametrize("dtype", ["FLOAT16", "BFLOAT16", "DOUBLE"])
def test_other_floats_are_read(dtype):
    values = [0.5, -1.25, 3.0, 0.0078125]
    tensor = helper.make_tensor("w", getattr(TensorProto, dtype), [4], values)
    model = one("Mul", [numbers(2, 4)], {"w": np.zeros(4, np.float32)})
    model.graph.initializer[0].CopyFrom(tensor)
    (found,) = network_of(model).state_dict().values()
    assert found.tolist() == values


def test_constants_of_types_that_pytorch_lacks():
    x = numbers(2, 3)
    nodes = [helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT), helper.make_node("Mul", ["x0", "f"], ["y"])]
    for dtype in ("uint16", "uint32"):
        wide = np.arange(3 * 2**12).astype(dtype).reshape(2**12, 3)
        picked = [helper.make_node("Gather", ["c0", "i"], ["c"]), *nodes]
        agree(model_of(picked, [x], {"c0": wide, "i": np.array([5, 4000])}), x)


@pytest.mark.filterwarnings("ignore:.*holds once count")
def test_vectors_that_the_file_holds_once_are_copied_to_every_reader():
    nodes = [
        helper.make_node(op, read, [to])
        for op, read, to in (("Mul", ["x0", "g"], "a"), ("Relu", ["a"], "b"), ("Mul", ["b", "g"], "y"))
    ]
    x = numbers(1, 3, 3, 3)
    model = model_of(nodes, [x], {"g": np.full((3, 1, 1), 0.5, np.float32)})
    (found,) = computed(model, [x])
    np.testing.assert_allclose(found, 0.25 * np.maximum(x, 0), rtol=1e-6)


def test_elements_in_another_file_are_not_read(tmp_path):
    model = one("MatMul", [numbers(1, 64)], {"w": numbers(64, 64)})
    path = str(tmp_path / "net.onnx")
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(SourceError, match="the elements of w lie in another file, which is not read"):
        copy_weights(path, to_module(from_onnx(path)))


def test_a_network_of_another_model_is_refused():
    model, other = (one("MatMul", [numbers(1, n)], {"w": numbers(n, 4)}) for n in (4, 5))
    with pytest.raises(SourceError, match="net: "):
        copy_weights(other, to_module(from_onnx(model)))


def test_inputs_are_said_as_for_the_conversion():
    model = one("MatMul", [numbers(1, 3, 4)], {"w": numbers(4, 5)})
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "tokens"
    network = to_module(from_onnx(model, inputs=["7x4"]))
    copy_weights(model, network, inputs=["7x4"])
    x = numbers(1, 7, 4)
    weight = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), x @ weight, rtol=1e-5, atol=1e-6)
