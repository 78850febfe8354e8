"""Random small networks for the tests of cg-embed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import cg_ir
from cg_ir import Graph, GraphBuilder

Recipe = list[tuple[str, tuple[int, ...]]]


def random_recipe(rng: np.random.Generator, n: int) -> Recipe:
    """Operators with their inputs; 0 is the network's input. All tensors have one shape until a concatenation is cut
    back by a convolution."""
    recipe: Recipe = []
    for i in range(1, n + 1):
        op = str(rng.choice(["conv1", "conv3", "dw", "bn", "relu", "pool", "gate", "add", "add", "cat", "mul", "max"]))
        if op in ("add", "cat", "mul", "max") and i > 1:
            k = 2 if op in ("mul", "max") else int(rng.integers(2, 4))
            recipe.append((op, tuple(int(x) for x in rng.integers(max(0, i - 5), i, k))))
        else:
            op = "conv3" if op in ("add", "cat", "mul", "max") else op
            recipe.append((op, (int(rng.integers(max(0, i - 3), i)),)))
    return recipe


def build(recipe: Recipe, order: list[int] | None = None, channels: int = 4, parameter: bool = False) -> Graph:
    """The network of a recipe, its nodes added in the given order; whatever nothing reads is added up into the output."""
    b = GraphBuilder("random")
    shape = (1, channels, 8, 8)
    place = {0: b.input(shape)}
    for i in order or range(1, len(recipe) + 1):
        op, ins = recipe[i - 1]
        xs = [place[j] for j in ins]
        if op == "conv1":
            y = b.add("Conv", *xs, channels=channels, kernel_shape=[1, 1])
        elif op == "conv3":
            y = b.add("Conv", *xs, channels=channels, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        elif op == "dw":
            y = b.add("Conv", *xs, channels=channels, kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=channels)
        elif op == "bn":
            y = b.add("BatchNormalization", *xs)
        elif op == "relu":
            y = b.add("Relu", *xs)
        elif op == "gate":
            y = b.add("Sigmoid", *xs)
        elif op == "pool":
            y = b.add(
                "AveragePool", *xs, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1], count_include_pad=False
            )
        elif op == "cat":
            y = b.add("Conv", b.add("Concat", *xs, axis=1), channels=channels, kernel_shape=[1, 1])
        else:
            y = b.add({"add": "Add", "mul": "Mul", "max": "Max"}[op], *xs)
        place[i] = y
    read = {j for _, ins in recipe for j in ins}
    ends = [place[i] for i in range(len(recipe) + 1) if i not in read]
    y = ends[0] if len(ends) == 1 else b.add("Add", *ends)
    if parameter:
        y = b.add("Mul", y, b.parameter((1, channels, 1, 1)))
    y = b.add("Flatten", b.add("GlobalAveragePool", y), shape=(1, channels))
    b.output(b.add("Gemm", y, channels=10, bias=True))
    return b.build()


def random_order(recipe: Recipe, rng: np.random.Generator) -> list[int]:
    """A random topological order of the operators."""
    done, order = {0}, []
    while len(order) < len(recipe):
        ready = [i for i, (_, ins) in enumerate(recipe, 1) if i not in done and set(ins) <= done]
        i = int(rng.choice(ready))
        done.add(i)
        order.append(i)
    return order


@pytest.fixture(scope="session")
def recipe_of() -> Callable[[np.random.Generator, int], Recipe]:
    return random_recipe


@pytest.fixture(scope="session")
def network_of() -> Callable[..., Graph]:
    return build


@pytest.fixture(scope="session")
def order_of() -> Callable[[Recipe, np.random.Generator], list[int]]:
    return random_order


@pytest.fixture(scope="session")
def networks() -> list[Graph]:
    """Sixty random networks of 3 to 40 operators, some with a bare parameter, and one that its input does not reach."""
    rng = np.random.default_rng(7)
    graphs = [
        build(random_recipe(rng, int(rng.integers(3, 40))), channels=int(rng.choice([4, 6])), parameter=i % 3 == 0)
        for i in range(60)
    ]
    b = cg_ir.GraphBuilder("unreached")
    b.output(b.add("Relu", b.constant((1, 4), value=[0.0, 1.0, 2.0, 3.0])))
    return [*graphs, b.build()]
