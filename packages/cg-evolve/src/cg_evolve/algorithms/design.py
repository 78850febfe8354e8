"""The first networks of a search, chosen without a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.algorithms.candidates import CandidateSource
    from cg_evolve.surrogate import Surrogate

__all__ = ["InitialDesign"]

#: Most networks among which the first are chosen.
_WEIGHED = 2000


class InitialDesign:
    """Half are the networks whose labels say most about the others (the scorer's own ``suggest``), half those that the zero-shot prior ranks highest.

    Args:
        count: proposals before the first fit; half as many with several objectives, for the design looks for the best of one.
        chosen: whether they are chosen; otherwise they are random.
    """

    def __init__(self, count: int = 16, chosen: bool = True) -> None:
        self.count = count
        self.chosen = chosen
        self._proposals: list[Proposal] | None = None

    def size(self, view: View) -> int:
        """Proposals that no result decides."""
        return self.count if len(view.problem.objectives) == 1 else self.count // 2

    def next(self, view: View, surrogate: Surrogate, source: CandidateSource) -> Proposal | None:
        """The first network of the design that may be proposed; none where all are used up.

        Args:
            view: of the proposal.
            surrogate: the scorers, not fitted when the design is made.
            source: of the networks to choose among.
        """
        if self._proposals is None:
            self._proposals = self._made(view, surrogate, source.first(view)) if self.chosen else []
        fresh = (p for p in self._proposals if view.domain.fresh(p.arch, view.history))
        return next(fresh, None)

    def _made(self, view: View, surrogate: Surrogate, archs: Sequence[str]) -> list[Proposal]:
        """Interleaved: coverage, prior, coverage, ..."""
        count = self.size(view)
        subset = view.rng(1).permutation(len(archs))[:_WEIGHED].tolist()
        graphs = [view.domain.graph(archs[i]) for i in subset]
        prior = surrogate.prior(graphs, pool=graphs)
        covering = surrogate.suggest(graphs, min(count, len(graphs))) or []
        best = [] if prior is None else np.argsort(-prior, kind="stable")[:count].tolist()
        result = []
        for k in range(count):
            for source, origin in ((covering, "coverage"), (best, "prior")):
                if k < len(source):
                    i = source[k]
                    mean = None if prior is None else float(prior[i])
                    result.append(Proposal(archs[subset[i]], (), origin, mean))
        return result
