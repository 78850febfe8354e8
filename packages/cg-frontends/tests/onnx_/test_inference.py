"""Shapes that onnx infers, asked in another process: what it is given, what it answers, and when it has no answer."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.onnx_ import inference  # noqa: E402
from cg_frontends.onnx_.inference import inferred_shapes  # noqa: E402


def model():
    """``r`` has a shape by the elements of a small initializer, ``m`` by the sizes of a large one, ``f`` by shapes that are computed."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["r"]),
        helper.make_node("MatMul", ["r", "weight"], ["m"]),
        helper.make_node("NonZero", ["m"], ["z"]),
        helper.make_node("Shape", ["x"], ["first"], end=1),
        helper.make_node("Concat", ["first", "rest"], ["sizes"], axis=0),
        helper.make_node("Reshape", ["x", "sizes"], ["f"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "h", "w"])
    tensors = {"shape": np.array([-1, 64]), "weight": np.ones((64, 100), np.float32), "rest": np.array([-1])}
    initializers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "net", [given], [helper.make_empty_tensor_value_info("z")], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


GIVEN = {"x": ((2, 8, 12), "float32")}


def test_shapes_follow_from_the_inputs_and_from_small_constants(monkeypatch):
    sent, run = [], subprocess.run

    def watched(*args, **options):
        sent.append(options["input"])
        return run(*args, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    asked = model()
    before = asked.SerializeToString()
    found = inferred_shapes(asked, GIVEN)
    assert {name: found.get(name) for name in "rmfz"} == {"r": (3, 64), "m": (3, 100), "f": (2, 96), "z": None}
    assert asked.SerializeToString() == before
    assert len(before) > 64 * 100 * 4 > 4096 > len(sent[0])  # weights stay here


@pytest.mark.parametrize("program", [None, "", "/nonexistent/python", "/bin/false", "/bin/echo"])
def test_there_is_no_answer_without_a_process_that_gives_one(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert inferred_shapes(model(), GIVEN) == {}


def test_a_process_that_takes_too_long_has_no_answer(monkeypatch):
    monkeypatch.setattr(inference, "_SECONDS", 0.05)
    monkeypatch.setattr(inference, "_HELPER", "import time; time.sleep(15)")
    begun = time.monotonic()
    assert inferred_shapes(model(), GIVEN) == {}
    assert time.monotonic() - begun < 10


def test_a_process_that_needs_too_much_memory_has_no_answer(monkeypatch):
    pytest.importorskip("resource")
    monkeypatch.setattr(
        inference, "_HELPER", inference._HELPER.partition("import onnx")[0] + "bytearray(3 * 2**30)\nprint('{}')"
    )
    reached = []
    monkeypatch.setattr(inference.json, "loads", lambda text: reached.append(text) or {})
    assert inferred_shapes(model(), GIVEN) == {}
    assert reached == []
