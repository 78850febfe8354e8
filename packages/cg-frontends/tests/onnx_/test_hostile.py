"""Files made to harm: each ends soon, in one line, and nothing beside the file is read."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_ir import CgError, SourceError  # noqa: E402


def model_of(nodes, weights=(), shape=(1, 4), opset=20, functions=()):
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights]
    graph = helper.make_graph(nodes, "net", given, [helper.make_empty_tensor_value_info("y")], tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def node(op, *inputs, **attrs):
    return helper.make_node(op, inputs, ["y"], **attrs)


def einsum(text):
    made = node("Einsum", "x", equation="ij->ij")
    made.attribute[0].s = text
    return made


CASES = {
    "einsum": (lambda: model_of([einsum(b"i\xa0->i")]), "plain text"),
    "concat": (lambda: model_of([node("Concat", "x", "x", axis=99)]), "axis 99 is outside the 2 axes"),
    "kernel": (lambda: model_of([node("MaxPool", "x", kernel_shape=[2**60])], shape=(1, 1, 8)), "attribute 'kernel_shape' should be"),
    "opset": (lambda: model_of([node("Relu", "x")], opset=2**63 - 1), "is newer than"),
    "inputs": (lambda: model_of([node("Conv", "x")]), "takes 2 to 3 inputs, not 1"),
    "type": (lambda: model_of([node("Concat", "x", "x", axis=0.5)]), "attribute 'axis' should be of type INT"),
    "absent": (lambda: model_of([node("Concat", "x", "x")]), "lacks its attribute 'axis'"),
    "negative": (lambda: model_of([node("Reshape", "x", "s")], [("s", np.array([-1, 0, -7]))]), "cannot be read"),
    "perm": (lambda: model_of([node("Transpose", "x", perm=[0, 5])]), "no permutation"),
    "divide": (lambda: model_of([helper.make_node("Div", ["a", "b"], ["s"]), node("Expand", "x", "s")],
                                [("a", np.array([4])), ("b", np.array([0]))]), "depends on data"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_invalid_models_are_refused_in_one_line(name):
    make, message = CASES[name]
    with pytest.raises(SourceError, match=message) as caught:
        from_onnx(make())
    assert "\n" not in str(caught.value)


def test_growing_constants_are_not_computed():
    """Expand to three thousand million, and tiles of tiles: shapes alone are known, and nothing is allocated."""
    nodes = [helper.make_node("Expand", ["one", "size"], ["e"])]
    for i in range(40):
        nodes.append(helper.make_node("Concat", ["e" if not i else f"c{i}"] * 2, [f"c{i + 1}"], axis=0))
    nodes.append(helper.make_node("Reshape", ["x", "c40"], ["y"]))
    begun = time.process_time()
    with pytest.raises(SourceError):
        from_onnx(model_of(nodes, [("one", np.array([1])), ("size", np.array([3_000_000_000]))]))
    assert time.process_time() - begun < 5


def test_a_sequence_of_millions_is_refused():
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["s"], axis=0),
        helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0),
    ]
    with pytest.raises(SourceError, match="4000000 tensors is beyond the limit"):
        from_onnx(model_of(nodes, shape=(4_000_000, 2)))
    assert from_onnx(model_of(nodes, shape=(6, 2))).nodes[-1].shape == (6, 2)


@pytest.mark.parametrize("most", [2**12, pytest.param(None, marks=pytest.mark.attack)])
def test_nested_functions_end(monkeypatch, most):
    """Each function calls the one before twice: 2^29 nodes."""
    if most is not None:
        monkeypatch.setattr("cg_frontends.onnx_.importer._MOST_NODES", most)
    functions = []
    for i in range(30):
        inner = "Relu" if not i else f"f{i - 1}"
        domain = "" if not i else "own"
        calls = [
            helper.make_node(inner, ["a"], ["b"], domain=domain),
            helper.make_node(inner, ["b"], ["c"], domain=domain),
        ]
        functions.append(
            helper.make_function(
                "own", f"f{i}", ["a"], ["c"], calls, [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
            )
        )
    begun = time.process_time()
    with pytest.raises(SourceError, match=r"nested more than|nodes, functions counted"):
        from_onnx(model_of([helper.make_node("f29", ["x"], ["y"], domain="own")], functions=functions))
    with pytest.raises(SourceError, match="nodes, functions counted as their nodes"):
        from_onnx(model_of([helper.make_node("f21", ["x"], ["y"], domain="own")], functions=functions))
    assert time.process_time() - begun < 60


def test_no_other_file_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.array([2, 2], dtype=np.int64).tofile(tmp_path / "secret.bin")
    constant = helper.make_node("Constant", [], ["s"], value=numpy_helper.from_array(np.array([2, 2])))
    tensor = constant.attribute[0].t
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret.bin"
    with pytest.raises(SourceError, match="another file, which is not read"):
        from_onnx(model_of([constant, node("Reshape", "x", "s")]))


def ending(model):
    """The error of a conversion, or an empty text."""
    try:
        from_onnx(model)
    except (CgError, UserWarning) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_end_in_graphs_or_errors(seed, monkeypatch):
    """Bytes changed at random: whatever can still be parsed is converted or refused, never a traceback.

    The helper that infers shapes of unknown operators, a process each time, is asked by the first of the seeds alone.
    """
    if seed:
        monkeypatch.setattr("cg_frontends.onnx_.convert.inferred_shapes", lambda model, shapes: {})
    rng = random.Random(seed)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Resize", ["c", "", "scales"], ["r"], mode="linear"),
        helper.make_node("Shape", ["r"], ["s"]),
        helper.make_node("Slice", ["s", "begin", "end"], ["t"]),
        helper.make_node("Concat", ["t", "rest"], ["u"], axis=0),
        helper.make_node("Reshape", ["r", "u"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["m"], transB=1, alpha=0.5),
        helper.make_node("Softmax", ["m"], ["y"], axis=-1),
    ]
    weights = [
        ("w", np.ones((4, 2, 3, 3), np.float32)),
        ("scales", np.array([1, 1, 2, 2], np.float32)),
        ("begin", np.array([0])),
    ]
    weights += [("end", np.array([1])), ("rest", np.array([-1])), ("g", np.ones((3, 256), np.float32))]
    data = model_of(nodes, weights, shape=(1, 2, 4, 4)).SerializeToString()
    ends = []
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            model = onnx.load_from_string(bytes(changed))
        except Exception:
            continue
        ends.append(ending(model))
    assert len(ends) > 10
    assert not [text for text in ends if "\n" in text]
