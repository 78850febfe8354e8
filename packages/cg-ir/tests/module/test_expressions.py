"""What stands right of the equals sign: which constants are numbers, what is an index, and how a batch is met."""

from __future__ import annotations

from typing import Any

import pytest

from cg_ir import Graph, GraphBuilder, GraphError
from cg_ir.module.expressions import ends, expression, plain_numbers, plans
from cg_ir.operators import Plan


def built(make: Any, shape: tuple[int, ...] = (1, 4)) -> Graph:
    b = GraphBuilder(canonical=False)
    b.output(make(b, b.input(shape)))
    return b.build()


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (2.0, "float32", 2),
        (-3.0, "float32", -3),
        (0.5, "float32", 0.5),
        (float(2**24), "float32", 2**24),
        (float(2**24 + 2), "float32", float(2**24 + 2)),
        (7.0, "int64", 7),
        (1e300, "float32", 1e300),
    ],
)
def test_scalars_beside_tensors_are_numbers_whole_ones_integers(value: float, dtype: str, expected: float) -> None:
    graph = built(lambda b, x: b.add("Mul", x, b.constant((), [value], dtype=dtype)))
    (found,) = plain_numbers(list(graph.nodes)).values()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: b.add("Mul", x, b.constant((1,), [2.0])),
        lambda b, x: b.add("Mul", x, b.constant((), [])),
        lambda b, x: b.add("Mul", x, b.constant((), [2.0], dtype="float64")),
        lambda b, x: b.add("Mul", b.constant((), [2.0]), b.constant((), [3.0])),
        lambda b, x: b.add("Relu", b.constant((), [2.0])),
        lambda b, x: b.add("Where", b.add("Greater", x, b.constant((1,), [0.0])), b.constant((1,), [1.0]), x),
    ],
    ids=["a vector", "not recorded", "double", "numbers alone", "a function", "vectors"],
)
def test_other_constants_are_tensors(make: Any) -> None:
    assert plain_numbers(list(built(make).nodes)) == {}


def test_a_scalar_that_one_reader_needs_as_a_tensor_is_one_for_all() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        half = b.constant((), [0.5])
        return b.add("Add", b.add("Mul", x, half), b.add("Relu", half))

    assert plain_numbers(list(built(make).nodes)) == {}


def test_ends_are_in_the_order_of_their_indices() -> None:
    b = GraphBuilder()
    ins = [b.input((1, 2), index=i) for i in (2, 0, 1)]
    for node, index in zip(ins, (1, 2, 0), strict=True):
        b.output(node, index=index)
    nodes = list(b.build().nodes)
    assert [n.index for n in ends(nodes, "Input")] == [1, 2, 0]
    assert [n.inputs[0] for n in ends(nodes, "Output")] == [2, 0, 1]


@pytest.mark.parametrize(
    ("dtype", "text"), [("int64", "y"), ("int32", "y"), ("float32", "y.long()"), ("int8", "y.long()")]
)
def test_rows_are_looked_up_by_integers(dtype: str, text: str) -> None:
    b = GraphBuilder()
    ids = b.input((1, 3), dtype=dtype)
    node = b.add("Embedding", ids, num_embeddings=5, channels=2)
    b.output(node)
    nodes = list(b.build().nodes)
    assert expression(nodes, nodes[node], ["y"], "own", plans(nodes)[node], False) == f"own({text})"


def plan_of(make: Any, shape: tuple[int, ...]) -> Plan:
    """How the last operator before the output meets a batch."""
    return plans(list(built(make, shape).nodes))[-2]


@pytest.mark.parametrize(
    ("shape", "make", "axis"),
    [
        ((1, 4), lambda b, x: b.add("Relu", x), 0),
        ((1, 4), lambda b, x: b.add("Transpose", x, perm=(1, 0)), 1),
        ((1, 4, 6), lambda b, x: b.add("Reshape", x, shape=(4, 6)), 0),
        ((1, 4), lambda b, x: b.add("Relu", b.parameter((1, 4))), None),
        ((), lambda b, x: b.add("Relu", x), None),
    ],
)
def test_the_batch_is_followed(shape: tuple[int, ...], make: Any, axis: int | None) -> None:
    assert plan_of(make, shape).axis == axis


@pytest.mark.parametrize(
    ("make", "axis"),
    [
        (lambda b, x: b.add("Transpose", x, perm=(1, 0)), 1),
        (lambda b, x: b.add("Reshape", b.add("Transpose", x, perm=(1, 0)), shape=(4,)), 0),
        (lambda b, x: b.parameter((2, 2)), None),
    ],
)
def test_examples_come_first_in_the_end_where_an_axis_holds_more_than_them(make: Any, axis: int | None) -> None:
    assert plans(list(built(make).nodes))[-1].axis == axis


@pytest.mark.parametrize(
    ("make", "moved"),
    [
        (lambda b, x: b.add("Reshape", x, shape=(1, 24)), False),
        (lambda b, x: b.add("Reshape", b.add("Transpose", x, perm=(1, 0, 2)), shape=(4, 6)), False),
        (lambda b, x: b.add("Reshape", b.add("Transpose", b.add("Slice", x, starts=(0, 0, 0), ends=(1, 1, 6), steps=(1,) * 3),
                                             perm=(1, 0, 2)), shape=(1, 6)), True),
    ],
)  # fmt: skip
def test_a_reshape_tells_whether_the_batch_moves(make: Any, moved: bool) -> None:
    assert plan_of(make, (1, 4, 6)).moved == moved


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_state_of_a_recurrent_layer_has_a_row_for_each_example(layers: int) -> None:
    torch = pytest.importorskip("torch")
    from cg_ir import to_module

    b = GraphBuilder()
    lstm = b.add("LSTM", b.input((1, 4, 5)), hidden_size=3, num_layers=layers, batch_first=True)
    state = b.add("Select", lstm, index=1, shape=(layers, 1, 3))
    last = b.add("Slice", state, starts=(layers - 1, 0, 0), ends=(layers, 1, 3), steps=(1, 1, 1))
    b.output(b.add("Reshape", last, shape=(1, 3)))
    network = to_module(b.build()).eval()
    x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    twin = torch.nn.LSTM(5, 3, layers, batch_first=True)
    twin.load_state_dict(dict(zip(twin.state_dict(), network.parameters(), strict=True)))
    torch.testing.assert_close(network(x), twin(x)[1][0][-1])


def test_what_is_outside_the_vocabulary_is_named() -> None:
    graph = built(lambda b, x: b.add("Custom", x, name="org.Strange", shape=(1, 4)))
    with pytest.raises(GraphError) as error:
        plans(list(graph.nodes))
    assert str(error.value) == "node 1 (Custom): 'org.Strange' is outside the vocabulary and PyTorch cannot run it"
