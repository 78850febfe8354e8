"""The frontend of ONNX files: what it accepts, and the options of a SOURCE."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cg_frontends.onnx_files import OnnxFrontend
from cg_ir import MissingExtra, SourceError


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("net.onnx", True),
        ("a/b.ONNX", True),
        ("net.onnx.json", False),
        ("onnx", False),
        ("", False),
        (3, False),
        (None, False),
    ],
)
def test_files_are_told_by_their_ending(source: object, accepted: bool) -> None:
    assert OnnxFrontend().accepts(source) is accepted


def test_without_onnx_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert not OnnxFrontend().accepts(object())
    with pytest.raises(MissingExtra, match=r"reading ONNX files needs .*cg-frontends\[onnx\]"):
        OnnxFrontend().convert("net.onnx")


@pytest.mark.parametrize(
    "args", ["unfold", ["unfold"], 3, {"depth": "3"}, {"unfold": 3}, {"unfold": None}, {"unfold": True, "depth": 3}]
)
def test_other_arguments_are_refused(args: object) -> None:
    with pytest.raises(
        SourceError, match=r"an ONNX file takes no --args, and after its name no more than \?unfold=true"
    ):
        OnnxFrontend().convert("net.onnx", args=args)


def test_other_options_are_refused() -> None:
    with pytest.raises(SourceError, match=r"^an ONNX file takes no --batch$"):
        OnnxFrontend().convert("net.onnx", weights=1, batch=2)


class TestModels:
    @pytest.fixture(autouse=True)
    def _models(self) -> None:
        onnx = pytest.importorskip("onnx")
        helper = onnx.helper
        given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, "h"])
        nodes = [helper.make_node("Relu", ["x"], ["y"])]
        graph = helper.make_graph(nodes, "net", [given], [helper.make_empty_tensor_value_info("y")])
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])

    def test_they_are_accepted_and_their_parts_are_not(self) -> None:
        assert OnnxFrontend().accepts(self.model)
        assert not OnnxFrontend().accepts(self.model.graph)

    def test_shapes_are_one_text_or_several(self) -> None:
        for shapes in ("3x5", ["3x5"], ("3x5",)):
            graph = OnnxFrontend().convert(self.model, input=shapes)
            assert (graph.nodes[0].shape, graph.name) == ((1, 3, 5), "net")

    def test_options_reach_the_conversion(self) -> None:
        assert OnnxFrontend().convert(self.model, input="3x5", name="mine").name == "mine"
        self.model.graph.node[0].op_type = "Det"
        with pytest.raises(SourceError, match="outside the vocabulary"):
            OnnxFrontend().convert(self.model, input="3x3", strict=True)
        self.model.graph.node[0].op_type = "Relu"
        with pytest.raises(SourceError, match="nothing to unfold"):
            OnnxFrontend().convert(self.model, input="3x3", args={"unfold": True})


def test_the_frontend_imports_no_onnx() -> None:
    code = "import sys, cg_frontends.onnx_files as f; f.OnnxFrontend().accepts('x'); sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
