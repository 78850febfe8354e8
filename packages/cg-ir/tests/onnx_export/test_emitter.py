"""How models are put together: constants once, names by region, element types, operators that ONNX lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from cg_ir import Graph, GraphBuilder, to_onnx  # noqa: E402
from cg_ir.onnx_export import save_onnx  # noqa: E402
from cg_ir.onnx_export.emitter import Emitter, _scope  # noqa: E402


def built(make: Any, shape: tuple[int, ...] = (1, 4), **options: Any) -> Graph:
    b = GraphBuilder("net", canonical=False)
    b.output(make(b, b.input(shape, **options)))
    return b.build()


@pytest.mark.parametrize(
    ("region", "scope"), [("", ""), ("a", "a/"), ("a.b-1", "a/b-1/"), ("a..b c", "a/b_c/"), ("größe/x", "größe_x/")]
)
def test_names_begin_with_the_region(region: str, scope: str) -> None:
    assert _scope(region) == scope
    model = to_onnx(built(lambda b, x: b.add("Relu", x, region=region)))
    assert model.graph.node[0].name == f"{scope}Relu_1"


def test_equal_constants_are_stored_once_unless_their_types_or_shapes_differ() -> None:
    e = Emitter(built(lambda b, x: x), {})
    first = e.tensor(np.zeros((2, 3), dtype=np.float32))
    assert e.tensor(np.zeros((2, 3), dtype=np.float32)) == first
    others = [e.tensor(np.zeros((3, 2), dtype=np.float32)), e.tensor(np.zeros((2, 3), dtype=np.int32)), e.ints([0, 0])]
    assert len({first, *others}) == 4
    assert len(e.initializers) == 4
    assert e.number(1.0) != e.number(1.0, "float64")


def test_what_is_learned_is_stored_for_each_owner_or_key() -> None:
    def model(key: str | None) -> Any:
        b = GraphBuilder()
        x = b.input((1, 4))
        for _ in range(2):
            x = b.add("Gemm", x, channels=4, weights=key)
        b.output(x)
        return to_onnx(b.build())

    count = {key: sum(list(t.dims) == [4, 4] for t in model(key).graph.initializer) for key in (None, "w")}
    assert count == {None: 2, "w": 1}


def test_attributes_that_say_nothing_are_left_out() -> None:
    e = Emitter(built(lambda b, x: x), {})
    e.op("Clip", "x", min=None, max=3.0, flag=True, sizes=(1, 2))
    (node,) = e.nodes
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert found == {"max": 3.0, "flag": 1, "sizes": [1, 2]}
    assert e.ops("Split", "x", outputs=2) == ["Split_2_0", "Split_2_1"]


def test_element_types_follow_the_operators_and_are_converted_where_they_meet() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        whole = b.add("Cast", x, to="int64")
        return b.add("Where", b.add("Greater", whole, b.constant((), [2.0])), x, whole)

    model = to_onnx(built(make))
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    positions = to_onnx(built(lambda b, x: b.add("ArgMax", x, axis=1)))
    assert positions.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


@pytest.mark.parametrize(
    ("dtype", "kind"), [("int64", "INT64"), ("bool", "BOOL"), ("float64", "DOUBLE"), ("bfloat16", "FLOAT")]
)
def test_inputs_are_declared_with_the_type_that_is_computed_with(dtype: str, kind: str) -> None:
    graph = built(lambda b, x: b.add("Reshape", x, shape=(4, 1)), dtype=dtype)
    model = to_onnx(graph)
    assert model.graph.input[0].type.tensor_type.elem_type == getattr(onnx.TensorProto, kind)


def test_inputs_and_outputs_stand_in_the_order_of_their_indices() -> None:
    b = GraphBuilder()
    second, first = b.input((1, 2), index=1), b.input((1, 3), index=0)
    b.output(second, index=1)
    b.output(b.add("Relu", first), index=0)
    model = to_onnx(b.build())
    widths = [[d.dim_value for d in v.type.tensor_type.shape.dim][1] for v in (*model.graph.input, *model.graph.output)]
    assert widths == [3, 2, 3, 2]


def test_operators_that_onnx_lacks_are_of_a_domain_of_their_own() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        made = b.add("Custom", x, name="Fancy", shape=(1, 4))
        return b.add("Add", made, b.add("Select", made, index=2, shape=(1, 4)))

    model = to_onnx(built(make))
    (node,) = [n for n in model.graph.node if n.domain]
    assert (node.op_type, node.domain, len(node.output)) == ("Fancy", "cg_ir", 3)
    assert {o.domain: o.version for o in model.opset_import} == {"": 20, "cg_ir": 1}
    assert {o.domain for o in to_onnx(built(lambda b, x: b.add("Relu", x))).opset_import} == {""}


def test_a_model_says_what_it_is_of() -> None:
    graph = built(lambda b, x: b.add("Relu", x))
    model = to_onnx(graph)
    assert (model.producer_name, model.graph.name, model.graph.doc_string) == ("cg-ir", "net", graph.hash)
    assert to_onnx(graph.renamed("")).graph.name == "graph"


def test_a_model_that_is_too_large_or_cannot_be_written_leaves_no_file(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cg_ir import GraphError, onnx_export

    graph = built(lambda b, x: b.add("Relu", x))
    with pytest.raises(GraphError, match=r"cannot write: No such file or directory$"):
        save_onnx(graph, tmp_path / "gone" / "g.onnx")

    class Large:
        def SerializeToString(self) -> bytes:
            raise ValueError("Message exceeds 2 GiB")

    monkeypatch.setattr(onnx_export, "to_onnx", lambda graph: Large())
    with pytest.raises(GraphError, match=r"g\.onnx: too large for one ONNX file \(2 GiB\)$"):
        save_onnx(graph, tmp_path / "g.onnx")
    assert list(tmp_path.iterdir()) == []
