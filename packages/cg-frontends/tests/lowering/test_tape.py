"""What a recorded forward pass consists of, and which of its calls matter."""

from __future__ import annotations

import random

import networkx
import pytest

from cg_frontends.lowering.tape import TRACED, Call, Tape, Value, values_in


def call(*args: object, **kwargs: object) -> Value:
    """The output of a call."""
    made = Call("aten::any", args, kwargs, "")
    value = Value(TRACED, (1,), "float32", made)
    made.outputs = (value,)
    return value


def test_values_are_found_in_the_order_of_the_arguments_and_one_level_deep() -> None:
    a, b, c, d, e = (Value(TRACED, (1,), "float32", index=i) for i in range(5))
    made = Call(
        "aten::any", (a, [b, None, 3], 2.0), {"rest": (c, "mean"), "other": d, "none": None, "last": [e, a]}, ""
    )
    assert list(values_in(made)) == [a, b, c, d, e, a]


def test_calls_are_live_where_an_output_depends_on_them() -> None:
    x = Value(TRACED, (1,), "float32")
    first = call(x)
    unused = call(first)
    listed = call([first, None], weight=call(x))
    tape = Tape(inputs=[x], outputs=[listed, x])
    assert unused.call is not None
    assert id(unused.call) not in tape.live()
    assert tape.live() == {id(v.call) for v in (first, listed, listed.call.kwargs["weight"])}  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(5))
def test_live_calls_are_the_ancestors_of_the_outputs(seed: int) -> None:
    draw = random.Random(seed)
    values = [Value(TRACED, (1,), "float32")]
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    for _ in range(60):
        sources = draw.sample(values, min(2, len(values)))
        values.append(call(sources) if draw.random() < 0.5 else call(*sources))
        graph.add_edges_from((id(v), id(values[-1])) for v in sources)
    outputs = draw.sample(values[1:], 2)
    wanted = set().union(*({id(v)} | networkx.ancestors(graph, id(v)) for v in outputs))
    assert Tape(outputs=outputs).live() == {id(v.call) for v in values[1:] if id(v) in wanted}


def test_long_chains_need_no_recursion() -> None:
    value = Value(TRACED, (1,), "float32")
    for _ in range(20_000):
        value = call(value)
    assert len(Tape(outputs=[value]).live()) == 20_000


@pytest.mark.parametrize(
    ("dtype", "held"), [("float32", (2, 3)), ("complex64", (2, 3, 2)), ("complex32", (2, 3, 2)), ("bool", (2, 3))]
)
def test_complex_numbers_are_held_as_pairs(dtype: str, held: tuple[int, ...]) -> None:
    assert Value(TRACED, (2, 3), dtype).held == held
