"""A search space made of what a run proposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cg_ir import ArchError

if TYPE_CHECKING:
    from cg_evolve.history import Evaluation
    from cg_evolve.store import Store
    from cg_ir.graph import Graph

__all__ = ["StoredNetworks"]


class StoredNetworks:
    """The networks of a run as its history holds them: what the run searched, without anything that could build another.

    Args:
        store: the history; it is read at once.
        rows: its evaluations.
    """

    name = "stored"

    def __init__(self, store: Store, rows: Sequence[Evaluation]) -> None:
        self._store = store
        self._numbers = {row.arch: row.id for row in reversed(rows)}
        self.size = len(self._numbers)

    def graph(self, arch: str) -> Graph:
        """The network of an architecture that the run proposed.

        Raises:
            ArchError: it did not, or the history holds no network of it.
        """
        graph = self._store.network(self._numbers[arch]) if arch in self._numbers else None
        if graph is None:
            raise ArchError(f"the run holds no network '{arch[:60]}'")
        return graph

    def sample(self, rng: np.random.Generator) -> str:
        """A random one of them."""
        return str(rng.choice(list(self._numbers)))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """Any other."""
        return self.sample(rng)

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Any other."""
        return self.sample(rng)

    def neighbors(self, arch: str) -> list[str]:
        """All of them."""
        return list(self._numbers)
