"""The file: what it says of itself, how weights are tied, and that it runs."""

from __future__ import annotations

import ast

import pytest

from cg_ir import Graph, GraphBuilder, to_source


def network(name: str = "net", *, dtype: str = "float32", shared: bool = False) -> Graph:
    b = GraphBuilder(name)
    x = b.input((1, 4), dtype=dtype)
    y = b.add("Cast", x, to="float32") if dtype != "float32" else x
    for i in range(2):
        y = b.add("Relu", b.add("Gemm", y, channels=4, region=f"layer_{i}.map", weights="w" if shared else None))
    b.output(b.add("Tanh", y))
    return b.build()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "A network"),
        ("net", "net"),
        ("  two\nlines ", "two lines"),
        ('quotes """ inside', "quotes ''' inside"),
        ("back\\slash\\", "back/slash/"),
        ("\x1b[2J", "\\x1b[2J"),
        ("größe", "größe"),
    ],
)
def test_the_name_is_the_title_and_cannot_end_it(name: str, shown: str) -> None:
    graph = network(name)
    text = to_source(graph).text
    title = ast.get_docstring(ast.parse(text), clean=False)
    raw = text.partition('"""')[2].partition('"""')[0]
    assert raw.startswith(f"{shown}: 32 parameters, 32 multiply-accumulates.\n\nGraph {graph.hash}.")
    assert title is not None


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("float32", "torch.randn(1, 4)"),
        ("int64", "torch.zeros(1, 4, dtype=torch.int64)"),
        ("uint8", "torch.zeros(1, 4, dtype=torch.uint8)"),
        ("bool", "torch.zeros(1, 4, dtype=torch.bool)"),
    ],
)
def test_the_example_input_has_the_type_of_the_input(dtype: str, given: str) -> None:
    assert f"network({given})" in to_source(network(dtype=dtype)).text


def test_inputs_stand_in_the_order_of_their_indices() -> None:
    b = GraphBuilder()
    second, first = b.input((1, 2), index=1), b.input((1, 3), index=0)
    b.output(b.add("Concat", second, first, axis=1))
    text = to_source(b.build()).text
    assert "network(torch.randn(1, 3), torch.randn(1, 2))" in text
    assert "torch.cat((y, x), dim=1)" in text


def test_weights_that_are_shared_are_tied_by_path() -> None:
    text, plain = to_source(network(shared=True)).text, to_source(network()).text
    assert "_share" not in plain
    assert text.count('_share(network, "') == 1
    torch = pytest.importorskip("torch")
    space = {"__name__": "generated"}
    exec(compile(text, "generated.py", "exec"), space)
    built = space["build"]()
    assert sum(p.numel() for p in built.parameters()) == network(shared=True).params == 16
    first, second = (m.weight for m in built.modules() if isinstance(m, torch.nn.Linear))
    assert first is second


def test_paths_name_where_each_weight_lies() -> None:
    torch = pytest.importorskip("torch")
    b = GraphBuilder()
    x = b.input((1, 3, 8, 8))
    for i in range(3):
        region = f"stage.{i}"
        y = b.add("Conv", x, channels=3, kernel_shape=(1, 1), region=region)
        x = b.add("Add", x, b.add("Relu", y, region=region), region=region)
    x = b.add("Mul", x, b.parameter((3, 1, 1), region="scale"))
    b.output(x)
    source = to_source(b.build())
    space = {"__name__": "generated"}
    exec(compile(source.text, "generated.py", "exec"), space)
    built = space["build"]()
    graph = b.build()
    assert set(source.paths) == {node.index for node in graph.nodes if node.params}
    for index, path in source.paths.items():
        head, _, leaf = path.rpartition(".")
        found = getattr(built.get_submodule(head), leaf)
        assert isinstance(found, torch.nn.Parameter if graph.nodes[index].op == "Parameter" else torch.nn.Conv2d)
