"""Statements and lines of blocks: names of values and attributes, what is nested, and how further outputs are taken apart."""

from __future__ import annotations

import ast
import re

import pytest

from cg_ir import Graph, GraphBuilder, to_source
from cg_ir.source_code.bodies import letters


def forward(graph: Graph, name: str = "Network") -> list[str]:
    """The lines of a class's ``forward``."""
    for node in ast.parse(to_source(graph).text).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            (method,) = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "forward"]
            return [ast.unparse(line) for line in method.body]
    raise AssertionError(name)


def attributes(graph: Graph) -> list[str]:
    return re.findall(r"self\.(\w+) = nn", to_source(graph).text)


@pytest.mark.parametrize(
    ("text", "found"), [("a.b-c", "a_b_c"), ("größe", "größe"), ("ﬁ", "fi"), ("ℌ", "H"), ("", ""), ("1x", "1x")]
)
def test_letters_are_those_of_names(text: str, found: str) -> None:
    assert letters(text) == found


def layers(*regions: str) -> Graph:
    b = GraphBuilder()
    x = b.input((1, 4))
    for region in regions:
        x = b.add("Gemm", x, channels=4, region=region)
    b.output(x)
    return b.build()


@pytest.mark.parametrize(
    ("regions", "names"),
    [
        (("head",), ["head"]),
        (("", ""), ["linear", "linear_2"]),
        (("class", "F", "self"), ["block_class", "F_2", "self_2"]),
        (("forward", "train"), ["forward_2", "train_2"]),
        (("1", "_private"), ["block_1", "block_private"]),
        (("a.b", "a_b"), ["a_b", "a_b_2"]),
        (("x_2", "x", "x "), ["x_2", "x", "x_"]),
    ],
)
def test_layers_are_called_as_their_regions_where_python_allows(regions: tuple[str, ...], names: list[str]) -> None:
    assert attributes(layers(*regions)) == names


def test_names_of_values_are_used_again() -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    for _ in range(3):
        y = b.add("Sigmoid", x)
        x = b.add("Sub", b.add("Exp", y), y)
    b.output(x)
    names = {name for line in forward(b.build()) for name in re.findall(r"\b([a-z]\w*)\b(?= = )", line)}
    assert names <= {"x", "y"}


def test_a_value_gets_the_first_name_that_is_free() -> None:
    b = GraphBuilder()
    made = b.add("Sub", b.input((1, 4)), b.input((1, 4)))
    b.output(b.add("Sub", made, b.add("Exp", made)))
    assert forward(b.build())[0] == "x = x - y"


def test_more_values_than_letters_have_names_of_their_own() -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    held = [b.add("Exp" if i % 2 else "Sin", b.add("Mul", x, b.constant((), [float(i)]))) for i in range(20)]
    b.output(b.add("Concat", *held, axis=1))
    lines = forward(b.build())
    targets = [line.split(" = ")[0] for line in lines[:-1]]
    assert len(set(targets)) == 20
    assert {"t0", "t1"} <= set(targets)
    assert not {"t0"} & {name for name in targets if len(name) == 1}


def test_a_chain_is_one_expression_in_which_operators_keep_their_order() -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    b.output(b.add("Transpose", b.add("Add", x, b.add("Relu", x)), perm=(1, 0)))
    lines = forward(b.build())
    assert lines == ["y = F.relu(x)", "return (x + y).permute(1, 0)"] or lines[-1].startswith("return (x + ")


@pytest.mark.parametrize(("read", "first"), [((1,), "x, y = "), ((1, 0), "x, y = "), ((2,), "x, _, y = ")])
def test_outputs_that_nothing_reads_have_no_name(read: tuple[int, ...], first: str) -> None:
    b = GraphBuilder(canonical=False)
    x = b.input((1, 6))
    count = max(read) + 1
    made = b.add("Split", x, axis=1, split=(2,) * 3) if count == 3 else b.add("TopK", x, axis=1, k=2)
    for index in read:
        b.output(made if index == 0 else b.add("Select", made, index=index, shape=(1, 2)))
    line = forward(b.build())[0].replace("(", "").replace(")", "")
    assert line.startswith(first)


def test_what_a_recurrent_layer_returns_is_taken_apart_in_its_shape() -> None:
    b = GraphBuilder()
    made = b.add("LSTM", b.input((5, 1, 6)), hidden_size=4)
    b.output(b.add("Select", made, index=2, shape=(1, 1, 4)))
    (assignment,) = ast.parse(forward(b.build())[0]).body  # older Pythons write more brackets
    assert ast.unparse(assignment.targets[0]) == ast.unparse(ast.parse("x, (_, y)"))
    assert ast.unparse(assignment.value).startswith("self.lstm(")
