"""What a predictor says of candidates, computed once for all proposals that use the same results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve import pareto
from cg_evolve.algorithms.base import fitness
from cg_evolve.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Evaluation
    from cg_ir.graph import Graph

__all__ = ["Belief", "Model"]

#: Most networks among which the scorer ranks; more cost time at every fit and hardly change the scale.
_REFERENCE = 1024


@dataclass(frozen=True)
class Belief:
    """Candidates with mean and deviation of their utilities.

    Attributes:
        used: how many results it rests on.
        archs: the candidates, n of them.
        parents: the proposals that each descends from.
        means: predicted utilities, (n, objectives).
        stds: their standard deviations, (n, objectives).
        incumbents: predicted utilities of the evaluated networks, of several objectives their front, (m, objectives).
        known: predicted first utility of each evaluated network, by hash.
    """

    used: int
    archs: list[str]
    parents: list[tuple[int, ...]]
    means: NDArray[np.float64]
    stds: NDArray[np.float64]
    incumbents: NDArray[np.float64]
    known: dict[str, float] = field(default_factory=dict)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {arch: i for i, arch in enumerate(self.archs)}

    def of(self, arch: str) -> tuple[float, float] | tuple[None, None]:
        """Mean and deviation of a candidate's first utility; none of what is no candidate."""
        i = self._place.get(arch)
        return (None, None) if i is None else (float(self.means[i, 0]), float(self.stds[i, 0]))

    def joined(
        self,
        archs: Sequence[str],
        parents: Sequence[tuple[int, ...]],
        means: NDArray[np.float64],
        stds: NDArray[np.float64],
    ) -> Belief:
        """The same with more candidates."""
        means, stds = np.concatenate([self.means, means]), np.concatenate([self.stds, stds])
        return Belief(
            self.used, [*self.archs, *archs], [*self.parents, *parents], means, stds, self.incumbents, self.known
        )


class Model:
    """The predictor of one search: fitted to its results, asked of candidates among the same networks every time.

    Args:
        surrogate: the scorers.
        remembered: most results that they are fitted to: the best half and the latest half.
        reference: makes the architectures among which the scorers rank; asked once.
    """

    def __init__(self, surrogate: Surrogate, remembered: int, reference: Callable[[View], Sequence[str]]) -> None:
        self.surrogate = surrogate
        self.remembered = remembered
        self._reference = reference
        self._pool: list[Graph] | None = None
        self._known: list[Graph] = []

    def _rows(self, view: View, used: int) -> list[Evaluation]:
        rows = view.rows(used)
        if len(rows) <= self.remembered:
            return rows
        half = self.remembered // 2
        best = set(np.argsort(-fitness(rows), kind="stable")[:half].tolist())
        latest = [i for i in range(len(rows)) if i not in best][-(self.remembered - half) :]
        return [rows[i] for i in sorted(best | set(latest))]

    def fit(self, view: View, used: int) -> bool:
        """Fit to the first ``used`` results; false where they say too little."""
        rows = self._rows(view, used)
        self._known = [row.graph for row in rows if row.good]
        return self.surrogate.fit(rows)

    def among(self, view: View) -> list[Graph]:
        """The unlabelled networks among which the scorer ranks: evenly many in the order of their hashes."""
        if self._pool is None:
            graphs = sorted((view.domain.graph(arch) for arch in self._reference(view)), key=lambda graph: graph.hash)
            self._pool = [graphs[i] for i in np.linspace(0, len(graphs) - 1, min(len(graphs), _REFERENCE)).astype(int)]
        return self._pool

    def believe(self, view: View, used: int, archs: list[str], parents: list[tuple[int, ...]]) -> Belief:
        """What the fit to the first ``used`` results says of candidates."""
        graphs = [view.domain.graph(arch) for arch in archs]
        means, stds = self.surrogate.predict([*graphs, *self._known], pool=self.among(view))
        means, incumbents, stds = means[: len(graphs)], means[len(graphs) :], stds[: len(graphs)]
        known = dict(zip((graph.hash for graph in self._known), incumbents[:, 0].tolist(), strict=True))
        if incumbents.shape[1] > 1:
            incumbents = incumbents[pareto.front(incumbents)]
        return Belief(used, archs, parents, means, stds, incumbents, known)

    def add(self, view: View, belief: Belief, made: dict[str, tuple[int, ...]]) -> Belief:
        """A belief with more candidates, given by the proposals that each descends from."""
        graphs = [view.domain.graph(arch) for arch in made]
        return belief.joined(list(made), list(made.values()), *self.surrogate.predict(graphs, pool=self.among(view)))
