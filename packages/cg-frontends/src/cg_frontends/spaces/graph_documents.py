"""The networks in a file of graph documents, as a listed space: ``graphs?file=nets.jsonl.gz``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir import ArchError, Graph, SourceError

if TYPE_CHECKING:
    from cg_frontends.benchmarks.graph_labels import GraphTable

_NEAR = 16


class GraphDocuments:
    """The search space ``graphs``: the networks of one file, by their ids.

    Args:
        file: labelled graph documents, see :mod:`cg_frontends.benchmarks.graph_labels`.
    """

    name = "graphs"

    def __init__(self, file: str = "") -> None:
        if not file:
            raise SourceError("the space 'graphs' needs a file of graph documents: graphs?file=nets.jsonl.gz")
        from cg_frontends.benchmarks.graph_labels import read_graphs

        self.table: GraphTable = read_graphs(Path(file))
        self.family = f"graphs:{Path(file).name}"
        self._ids = list(self.table.archs())
        self._place = {name: place for place, name in enumerate(self._ids)}
        self.size = len(self._ids)
        costs = [[self.table.graph(name).params, self.table.graph(name).macs] for name in self._ids]
        self._costs = np.log1p(np.array(costs, dtype=np.float64))

    def canonical(self, arch: Any) -> str:
        """The id.

        Raises:
            ArchError: the file has none of that id.
        """
        if not isinstance(arch, str) or arch not in self._place:
            import difflib

            near = difflib.get_close_matches(str(arch)[:100], self._ids, n=1)
            hint = f"; did you mean {near[0]!r:.80}?" if near else ""
            raise ArchError(f"{self.family} has no network {arch!r:.80}{hint}")
        return arch

    def sample(self, rng: np.random.Generator) -> str:
        """A network uniformly at random."""
        return self._ids[int(rng.integers(self.size))]

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""
        options = self.neighbors(arch)
        return options[int(rng.integers(len(options)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """One of the parents: listed networks have no children."""
        return self.canonical((a, b)[int(rng.integers(2))])

    def neighbors(self, arch: str) -> list[str]:
        """The 16 networks that are nearest in the logarithms of parameters and multiply-accumulates."""
        place = self._place[self.canonical(arch)]
        distance = np.abs(self._costs - self._costs[place]).sum(1)
        distance[place] = np.inf
        nearest = np.argsort(distance, kind="stable")[: min(_NEAR, self.size - 1)]
        return [self._ids[other] for other in nearest]

    def enumerate(self) -> Iterator[str]:
        """All ids, in the order of the file."""
        return iter(self._ids)

    def graph(self, arch: Any) -> Graph:
        """The network of an id.

        Raises:
            ArchError: the file has none of that id.
        """
        return self.table.graph(self.canonical(arch))


SPACE = GraphDocuments
