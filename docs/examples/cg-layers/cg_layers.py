"""Text files with one layer a line become graphs, and a scorer that prefers networks of a given size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_ir import CgError, GraphBuilder, SourceError
from cg_ir.plugins import hookimpl

if TYPE_CHECKING:
    import numpy as np
    from cg_ir import Graph


class Layers:
    """Reads `.layers` files."""

    name = "layers"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, (str, Path)) and str(source).endswith(".layers")

    def convert(self, source: Any, **options: Any) -> Graph:
        try:
            lines = Path(source).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise SourceError(f"{str(source)[:200]!r} cannot be read: {type(error).__name__}") from None
        builder = GraphBuilder(Path(source).stem)
        x = None
        for number, line in enumerate(lines, 1):
            try:
                x = _layer(builder, x, line.split()) if line.split() else x
            except (CgError, ValueError, IndexError) as error:
                raise SourceError(f"{source}, line {number}: {error}") from None
        if x is None:
            raise SourceError(f"{source}: has no layer")
        builder.output(x)
        return builder.build()


def _layer(builder: GraphBuilder, x: int | None, words: list[str]) -> int:
    kind, numbers = words[0], [int(word) for word in words[1:]]
    if kind == "input":
        return builder.input((1, *numbers))
    if x is None:
        raise ValueError("the first layer should be an input, such as 'input 3 32 32'")
    if kind == "conv":
        k, channels = numbers
        return builder.add("Conv", x, channels=channels, kernel_shape=(k, k), pads=(k // 2,) * 4)
    if kind == "relu":
        return builder.add("Relu", x)
    if kind == "pool":
        return builder.add("MaxPool", x, kernel_shape=(numbers[0],) * 2, strides=(numbers[0],) * 2)
    if kind == "linear":
        x = builder.add("GlobalAveragePool", x)
        x = builder.add("Flatten", x, shape=builder.shape(x)[:2])
        return builder.add("Gemm", x, channels=numbers[0], bias=True)
    raise ValueError(f"no layer is called {kind[:40]!r}; there are input, conv, relu, pool and linear")


class NearSize:
    """Scores a network by how near its parameter count is to a target; higher is better."""

    name = "near-size"

    def __init__(self, params: int | str = 100_000) -> None:
        self.params = int(params)

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> np.ndarray:
        import numpy as np

        return np.array([-abs(math.log((1 + graph.params) / (1 + self.params))) for graph in graphs])


@hookimpl
def cg_frontends() -> list[Any]:
    return [Layers]


@hookimpl
def cg_scorers() -> list[Any]:
    return [NearSize]
