"""Values of an ONNX graph: parameters, constants with their elements, and what readings make of them."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cg_frontends.lowering.tape import CONSTANT, Value  # noqa: E402
from cg_frontends.onnx_ import OnnxConversionWarning, from_onnx  # noqa: E402
from cg_frontends.onnx_.parameters import Roles  # noqa: E402
from cg_frontends.onnx_.values import LARGE, Parts, Values, elements, is_float  # noqa: E402
from cg_ir import SourceError  # noqa: E402


@pytest.fixture
def values():
    return Values(Roles([], []))


def model_of(nodes, shape, weights):
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "net", [given], [helper.make_empty_tensor_value_info("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


class TestTensorsOfTheFile:
    def count(self, array, op="Add", **attrs):
        """Parameters of a network that adds a tensor of the file to its input."""
        return from_onnx(model_of([helper.make_node(op, ["x", "t"], ["y"], **attrs)], [1, 4], {"t": array})).params

    def test_floats_are_learned_and_scalars_and_integers_are_not(self):
        assert self.count(np.ones(4, np.float32)) == 4
        assert self.count(np.float32(3)) == 0
        assert self.count(np.array([4, 1]), "Reshape") == 0
        assert self.count(np.ones((1, 1), np.float32)) == 1

    @pytest.mark.parametrize(
        ("dtype", "learned"),
        [("float32", True), ("float16", True), ("bfloat16", True), ("float64", True), ("int8", False), ("bool", False)],
    )
    def test_which_types_are_learned(self, dtype, learned):
        assert is_float(dtype) is learned

    def test_a_negative_size_is_refused(self):
        model = model_of([helper.make_node("Add", ["x", "t"], ["y"])], [1, 4], {"t": np.ones(4, np.float32)})
        model.graph.initializer[0].dims[0] = -4
        with pytest.raises(SourceError, match="initializer 't' has a negative size"):
            from_onnx(model)

    def test_elements_that_do_not_fill_the_shape_are_refused(self):
        tensor = numpy_helper.from_array(np.ones(6, np.float32), "t")
        assert elements(tensor).tolist() == [1.0] * 6
        tensor.dims[0] = 7
        with pytest.raises(SourceError, match="initializer 't' cannot be read: ") as caught:
            elements(tensor)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250


class TestEqualTensors:
    """Exporters write equal tensors once."""

    @pytest.mark.parametrize("shape", [(3,), (3, 1, 1), (1, 3, 1, 1)])
    def test_vectors_of_one_number_count_for_every_reader(self, shape):
        nodes = [
            helper.make_node("Mul", ["x", "g"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Mul", ["b", "g"], ["y"]),
        ]
        scale = np.full(shape, 1e-6, np.float32)
        with pytest.warns(
            OnnxConversionWarning, match="tensors that the file holds once count for every operator that reads them"
        ):
            assert from_onnx(model_of(nodes, [1, 3, 3, 3], {"g": scale})).params == 6
        trained = np.arange(3, dtype=np.float32).reshape(shape)
        assert from_onnx(model_of(nodes, [1, 3, 3, 3], {"g": trained})).params == 3

    def test_scales_and_shifts_of_normalisations_count_for_each(self):
        nodes = [
            helper.make_node("BatchNormalization", [n, "one", "zero", "zero", "one"], [m]) for n, m in ("xa", "ay")
        ]
        weights = {"one": np.ones(8, np.float32), "zero": np.zeros(8, np.float32)}
        with pytest.warns(OnnxConversionWarning, match="hold"):
            assert from_onnx(model_of(nodes, ["n", 8, 4, 4], weights)).params == 32

    def test_matrices_are_shared(self):
        for op in ("MatMul", "Mul"):
            nodes = [helper.make_node(op, [n, "w"], [m]) for n, m in ("xa", "ay")]
            assert from_onnx(model_of(nodes, [3, 3], {"w": np.ones((3, 3), np.float32)})).params == 9


class TestConstants:
    def test_small_ones_carry_their_elements(self, values):
        node = values.low.specs[values.constant(np.arange(256).reshape(16, 16))]
        assert (node.op, node.shape, node.attrs["dtype"]) == ("Constant", (16, 16), "int64")
        assert node.attrs["value"] == tuple(range(256))

    def test_large_ones_stay_beside_the_graph(self, values):
        array = np.zeros((257, 1), np.float32)
        made = values.constant(array)
        assert isinstance(made, Value)
        assert (made.kind, made.shape, made.dtype, made.fill) == (CONSTANT, (257, 1), "float32", 0.0)
        assert made.data is array
        assert values.constant(np.arange(300)).fill is None

    def test_how_many_elements_may_be_written_out(self, values):
        assert values.bounded(LARGE) == LARGE
        with pytest.raises(SourceError, match=f"^{LARGE + 1} elements are beyond the limit of this reader"):
            values.bounded(LARGE + 1)


class TestOperands:
    def constant(self, shape, fill=2.0):
        return Value(CONSTANT, shape, "float32", fill=fill)

    def shapes(self, values, *operands):
        return [values.shape(n) for n in values.operands(operands)]

    def test_one_number_is_a_scalar_where_it_adds_no_axis(self, values):
        x = values.add("Input", shape=(4, 3), index=0)
        assert self.shapes(values, x, self.constant(())) == [(4, 3), ()]
        assert self.shapes(values, x, self.constant((1, 1))) == [(4, 3), ()]
        assert self.shapes(values, self.constant((1,)), x) == [(), (4, 3)]

    def test_what_adds_an_axis_or_holds_more_keeps_its_shape(self, values):
        x = values.add("Input", shape=(4, 3), index=0)
        assert self.shapes(values, x, self.constant((1, 1, 1))) == [(4, 3), (1, 1, 1)]
        assert self.shapes(values, x, self.constant((3,))) == [(4, 3), (3,)]


def test_axes_are_moved_and_turned_round(values):
    x = values.add("Input", shape=(2, 3, 4), index=0)
    assert values.shape(values.transpose(x, (2, 0, 1))) == (4, 2, 3)
    assert values.shape(values.reshape(x, (6, 4))) == (6, 4)
    back = values.low.specs[values.flipped(x, 1)]
    assert (back.op, back.shape) == ("Slice", (2, 3, 4))
    assert [back.attrs[name][1] for name in ("starts", "steps")] == [2, -1]


def test_a_sequence_is_no_tensor(values):
    with pytest.raises(SourceError, match="a sequence of tensors stands where a tensor should"):
        values.node(Parts([1, 2]))
