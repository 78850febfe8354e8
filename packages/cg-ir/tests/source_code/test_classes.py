"""From bodies to classes: names, what is shared, and which numbers become arguments."""

from __future__ import annotations

import ast
import re

import pytest

from cg_ir import Graph, GraphBuilder, to_source
from cg_ir.source_code.classes import Classes, _wrapped


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (["stem"], "Stem"),
        (["stage", "3"], "StageBlock"),
        (["3"], "BlockBlock"),
        (["layer1"], "Layer"),
        (["dense_block_12"], "DenseBlock"),
        (["a-b c"], "ABC"),
        (["größe"], "Größe"),
        (["ﬁne"], "Fine"),
        (["None"], "Block"),
        (["f"], "Block"),
        (["__"], "Block"),
        (["1x1"], "Block"),
        (["x", "class"], "Class"),
    ],
)
def test_a_class_is_called_as_its_region(path: list[str], name: str) -> None:
    assert Classes().choose(path) == name


def test_names_of_classes_are_taken_once() -> None:
    classes = Classes()
    assert [classes.choose(["cell"]) for _ in range(3)] == ["Cell", "Cell2", "Cell3"]
    assert classes.choose(["network"]) == "Network2"


def cells(*widths: int, kernels: tuple[int, ...] = ()) -> Graph:
    """Cells of two convolutions, which differ in numbers alone."""
    b = GraphBuilder("cells")
    x = b.input((1, 3, 16, 16))
    for i, width in enumerate(widths):
        kernel = kernels[i] if kernels else 1
        region = f"cell_{i}"
        x = b.add("Conv", x, channels=width, kernel_shape=(kernel, kernel), pads=(kernel // 2,) * 4, region=region)
        x = b.add("Relu", b.add("Conv", x, channels=width, kernel_shape=(1, 1), region=region), region=region)
        x = b.add("Add", x, b.add("Tanh", x, region=region), region=region)
    b.output(x)
    return b.build()


def classes_of(graph: Graph) -> dict[str, list[str]]:
    """The arguments of each class's ``__init__``."""
    found = {}
    for node in ast.parse(to_source(graph).text).body:
        if isinstance(node, ast.ClassDef):
            inits = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
            found[node.name] = [a.arg for f in inits for a in f.args.args[1:]]
    return found


def test_numbers_that_differ_become_arguments_and_those_that_agree_one() -> None:
    found = classes_of(cells(4, 8))
    assert list(found) == ["Cell", "Network"]
    assert len(found["Cell"]) == 2  # what comes in (3, 4), and one for the three that are 4, then 8
    assert classes_of(cells(3, 3))["Cell"] == []


def test_equal_cells_in_a_row_are_one_line() -> None:
    text = to_source(cells(3, 3, 3, 3)).text
    assert re.search(r"self\.cells = nn\.Sequential\(\*\(Cell\(\) for _ in range\(4\)\)\)", text)
    assert "Sequential" not in to_source(cells(4, 8, 16)).text


def test_bodies_that_differ_in_more_than_numbers_are_classes_of_their_own() -> None:
    assert list(classes_of(cells(3, 3, kernels=(1, 3)))) == ["Cell", "Cell2", "Network"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("x = f([1, 2])", 1),
        ("x" * 200, 1),
        ("x = f([" + ", ".join(["10"] * 37) + "])", 1),
        ("x = f([" + ", ".join(["10"] * 39) + "])", 4),
    ],
)
def test_long_lists_are_broken_into_lines(text: str, lines: int) -> None:
    found = _wrapped(text)
    assert len(found) == lines
    assert " ".join(line.strip() for line in found).replace("[ ", "[").replace(" ]", "]") == text
    assert all(len(line) <= 160 for line in found) or lines == 1
