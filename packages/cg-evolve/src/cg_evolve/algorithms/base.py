"""What an algorithm sees and what it returns.

A proposal is a function of the seed, its number, the architectures proposed before it and the results that are visible to it. An
algorithm may remember what it computed, but only what it would compute again from the same view: that makes a search the same
whatever the number of workers, and lets it be resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cg_evolve import pareto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_evolve.domain import Domain
    from cg_evolve.history import Evaluation, History, Proposal
    from cg_evolve.objectives import Problem

__all__ = ["Algorithm", "View", "fitness"]


@dataclass(frozen=True)
class View:
    """What proposal ``number`` may depend on.

    Attributes:
        number: of the proposal, from 0.
        seed: of the search.
        domain: what may be proposed.
        problem: objectives and constraints.
        history: all proposals so far; only what they are, their results are in ``results``.
        results: the finished evaluations that this proposal may use, by proposal number.
    """

    number: int
    seed: int
    domain: Domain
    problem: Problem
    history: History
    results: Sequence[Evaluation]

    def rng(self, *key: int) -> np.random.Generator:
        """A generator of this proposal's own, or of what ``key`` stands for."""
        return np.random.default_rng([self.seed, *(key or (0, self.number))])

    def rows(self, used: int) -> list[Evaluation]:
        """What the first ``used`` results say, one evaluation a network."""
        return list(self.results[:used])

    @property
    def good(self) -> list[Evaluation]:
        """The results within the constraints."""
        return [row for row in self.rows(len(self.results)) if row.good]


class Algorithm(Protocol):
    """Proposes architectures."""

    name: str

    def propose(self, view: View) -> Proposal:
        """The next architecture, one whose network was not proposed before.

        Raises:
            Exhausted: there is none.
        """
        ...


def fitness(rows: Sequence[Evaluation]) -> NDArray[np.float64]:
    """A number by which evaluations are selected, higher is better, (n,).

    One objective: its utility. Several: minus the Pareto rank, ties broken by crowding distance. Failed and infeasible ones come last.
    """
    result = np.full(len(rows), -np.inf)
    good = [i for i, row in enumerate(rows) if row.good]
    if not good:
        return result
    utilities = np.array([rows[i].utilities for i in good])
    if utilities.shape[1] == 1:
        result[good] = utilities[:, 0]
        return result
    rank = pareto.ranks(utilities)
    spread = np.zeros(len(good))
    for r in np.unique(rank):
        members = np.flatnonzero(rank == r)
        distance = pareto.crowding(utilities[members])
        spread[members] = np.argsort(np.argsort(distance, kind="stable"), kind="stable") / (len(members) + 1)
    result[good] = spread - rank
    return result
