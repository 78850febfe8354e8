"""Hypothesis strategies: random valid graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from operator_samples import SAMPLES

from cg_ir.builder import GraphBuilder
from cg_ir.graph import Graph

__all__ = ["graphs", "networks", "sample_graphs"]

Draw = Callable[[Any], Any]

_UNARY = ("Relu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Silu", "Gelu", "Abs", "Softplus", "LeakyRelu", "Neg")
_REGIONS = ("", "stem", "stage_0.cell_0", "stage_0.cell_1", "stage_1", "a.b.c", "größe")


#: Kinds of steps; frequent ones stand more than once.
_STEPS = [
    *["conv"] * 4,
    *["unary"] * 3,
    *["add", "gemm"] * 2,
    *[
        "norm",
        "pool",
        "global_",
        "mul",
        "concat",
        "slice",
        "pad",
        "transpose",
        "flatten",
        "layer_norm",
        "softmax",
        "matmul",
    ],
    *["reduce", "split", "scalar", "parameter", "clip", "unsqueeze"],
]


class _Grower:
    """Adds one random operator after the other, each to nodes whose shapes it takes."""

    def __init__(self, draw: Draw, canonical: bool) -> None:
        self.draw = draw
        self.b = GraphBuilder(draw(st.sampled_from(("", "net", "größe"))), canonical=canonical)
        self.nodes: list[int] = []
        self.shared: dict[tuple[object, ...], str] = {}

    def pick(self, condition: Callable[[tuple[int, ...]], bool] = lambda shape: True) -> int | None:
        fitting = [n for n in self.nodes if condition(self.b.shape(n))]
        return self.draw(st.sampled_from(fitting[-6:])) if fitting else None

    def whole(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def grow(self) -> None:
        step = self.draw(st.sampled_from(_STEPS))
        node: int | None = getattr(self, step)()
        if node is not None:
            self.nodes.append(node)

    def region(self) -> str:
        return str(self.draw(st.sampled_from(_REGIONS)))

    def image(self) -> int | None:
        return self.pick(lambda s: len(s) == 4 and min(s[2:]) >= 2)

    def conv(self) -> int | None:
        x = self.image()
        if x is None:
            return None
        shape = self.b.shape(x)
        kernel = self.whole(1, min(3, *shape[2:]))
        group = self.draw(st.sampled_from([g for g in (1, 2, shape[1]) if shape[1] % g == 0]))
        attrs: dict[str, Any] = {
            "kernel_shape": (kernel, kernel),
            "strides": (self.whole(1, 2),) * 2,
            "pads": tuple(self.whole(0, 1) for _ in range(4)),
            "group": group,
            "bias": self.draw(st.booleans()),
        }
        channels = group * self.whole(1, 3)
        weights = None
        if self.draw(st.booleans()):
            key = (shape[1], channels, *attrs.items())
            weights = self.shared.setdefault(key, f"w{len(self.shared)}")
        return self.b.add("Conv", x, channels=channels, weights=weights, region=self.region(), **attrs)

    def unary(self) -> int | None:
        x = self.pick()
        return None if x is None else self.b.add(self.draw(st.sampled_from(_UNARY)), x, region=self.region())

    def clip(self) -> int | None:
        x = self.pick()
        return None if x is None else self.b.add("Clip", x, min=self.draw(st.sampled_from((None, 0.0, -1.0))), max=6.0)

    def norm(self) -> int | None:
        x = self.pick(lambda s: len(s) == 4)
        return None if x is None else self.b.add("BatchNormalization", x, affine=self.draw(st.booleans()))

    def pool(self) -> int | None:
        x = self.image()
        if x is None:
            return None
        pads = tuple(self.whole(0, 1) for _ in range(4))
        if self.draw(st.booleans()):
            return self.b.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), pads=pads)
        return self.b.add("AveragePool", x, kernel_shape=(2, 2), pads=pads, count_include_pad=self.draw(st.booleans()))

    def global_(self) -> int | None:
        x = self.pick(lambda s: len(s) == 4)
        return None if x is None else self.b.add("GlobalAveragePool", x)

    def add(self) -> int | None:
        return self.joined("Add", self.whole(2, 3))

    def mul(self) -> int | None:
        return self.joined("Mul", 2)

    def joined(self, op: str, count: int) -> int | None:
        x = self.pick()
        if x is None:
            return None
        shape = self.b.shape(x)
        others = [self.pick(lambda s: s == shape) for _ in range(count - 1)]
        return self.b.add(op, x, *(o for o in others if o is not None), region=self.region())

    def concat(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 2)
        if x is None:
            return None
        shape = self.b.shape(x)
        axis = self.whole(1, len(shape) - 1)
        other = self.pick(lambda s: s[:axis] == shape[:axis] and s[axis + 1 :] == shape[axis + 1 :] and len(s) > axis)
        return None if other is None else self.b.add("Concat", x, other, axis=axis)

    def slice(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 2)
        if x is None:
            return None
        shape = self.b.shape(x)
        axis = self.whole(1, len(shape) - 1)
        step = self.draw(st.sampled_from((1, 2, -1)))
        bounds = [(0, size, 1) for size in shape]
        low = self.whole(0, shape[axis] - 1)
        bounds[axis] = (low, shape[axis], step) if step > 0 else (low, -1, step)
        starts, ends, steps = zip(*bounds, strict=True)
        return self.b.add("Slice", x, starts=starts, ends=ends, steps=steps)

    def pad(self) -> int | None:
        x = self.pick(lambda s: len(s) == 4 and max(s) < 12)
        if x is None:
            return None
        pads = [0, 0, self.whole(0, 1), self.whole(0, 1), 0, 0, self.whole(0, 1), 1]
        return self.b.add("Pad", x, pads=pads)

    def transpose(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 3)
        if x is None:
            return None
        rank = len(self.b.shape(x))
        perm = [0, *self.draw(st.permutations(range(1, rank)))]
        return self.b.add("Transpose", x, perm=perm)

    def flatten(self) -> int | None:
        x = self.pick(lambda s: len(s) > 2)
        if x is None:
            return None
        shape = self.b.shape(x)
        count = 1
        for size in shape[1:]:
            count *= size
        return self.b.add("Flatten", x, shape=(shape[0], count))

    def unsqueeze(self) -> int | None:
        x = self.pick(lambda s: len(s) == 2)
        return None if x is None else self.b.add("Unsqueeze", x, shape=(*self.b.shape(x), 1, 1))

    def gemm(self) -> int | None:
        x = self.pick(lambda s: 2 <= len(s) <= 3)
        return None if x is None else self.b.add("Gemm", x, channels=self.whole(1, 5), bias=self.draw(st.booleans()))

    def layer_norm(self) -> int | None:
        x = self.pick(lambda s: len(s) == 3)
        return None if x is None else self.b.add("LayerNormalization", x, axis=2)

    def softmax(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 2)
        return None if x is None else self.b.add("Softmax", x, axis=len(self.b.shape(x)) - 1)

    def matmul(self) -> int | None:
        x = self.pick(lambda s: len(s) == 3)
        if x is None:
            return None
        shape = self.b.shape(x)
        turned = self.b.add("Transpose", x, perm=(0, 2, 1))
        other = self.pick(lambda s: s == shape)
        return None if other is None else self.b.add("MatMul", other, turned)

    def reduce(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 3)
        if x is None:
            return None
        axis = self.whole(1, len(self.b.shape(x)) - 1)
        op = self.draw(st.sampled_from(("ReduceMean", "ReduceSum", "ReduceMax")))
        return self.b.add(op, x, axes=[axis], keepdims=self.draw(st.booleans()))

    def split(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 2 and s[1] >= 2)
        if x is None:
            return None
        shape = self.b.shape(x)
        first = self.whole(1, shape[1] - 1)
        node = self.b.add("Split", x, axis=1, split=[first, shape[1] - first])
        self.nodes.append(node)
        return self.b.add("Select", node, index=1, shape=(shape[0], shape[1] - first, *shape[2:]))

    def scalar(self) -> int | None:
        x = self.pick()
        if x is None:
            return None
        number = self.b.constant((), [self.draw(st.sampled_from((0.0, 0.5, 1.0, 3.0, 6.0)))])
        return self.b.add(self.draw(st.sampled_from(("Add", "Mul", "Div", "Sub"))), x, number)

    def parameter(self) -> int | None:
        x = self.pick(lambda s: len(s) >= 2)
        if x is None:
            return None
        shape = self.b.shape(x)
        return self.b.add("Add", x, self.b.parameter(shape if self.draw(st.booleans()) else shape[-1:]))


@st.composite
def networks(draw: Draw, max_operators: int = 14, canonical: bool = True) -> Graph:
    """Random networks of convolutions, poolings, matrix products and what joins them.

    Args:
        max_operators: operators at most, sources and sinks not counted.
        canonical: whether the graphs are in canonical form.
    """
    grower = _Grower(draw, canonical)
    for _ in range(draw(st.integers(1, 2))):
        channels, size = draw(st.integers(1, 4)), draw(st.integers(2, 8))
        shape = draw(st.sampled_from(((1, channels, size, size), (1, size, channels), (1, channels))))
        grower.nodes.append(grower.b.input(shape))
    for _ in range(draw(st.integers(1, max_operators))):
        grower.grow()
    for _ in range(draw(st.integers(0, 1))):
        grower.b.output(draw(st.sampled_from(grower.nodes)))
    grower.b.output(grower.nodes[-1])
    return grower.b.build()


def sample_graphs() -> st.SearchStrategy[Graph]:
    """One of the small graphs that use every operator of the table."""
    return st.sampled_from(SAMPLES).map(lambda sample: sample.graph())


def graphs() -> st.SearchStrategy[Graph]:
    """Any graph: a random network, canonical or not, or a sample of an operator."""
    return st.one_of(networks(), networks(canonical=False), sample_graphs())
