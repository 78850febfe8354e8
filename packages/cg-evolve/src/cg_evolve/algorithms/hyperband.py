"""Hyperband: successive halving that begins at every rung."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cg_evolve.algorithms.halving import SuccessiveHalving
from cg_evolve.errors import Exhausted

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View
    from cg_evolve.history import Proposal

__all__ = ["Hyperband"]


class Hyperband:
    """Brackets of successive halving, of which each begins its trainings at another rung, with as many steps for each.

    Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization", JMLR 2018, in the asynchronous form of Li et al., MLSys 2020. A
    baseline: nothing guides it.

    Args:
        steps: of the rungs, upwards.
        eta: one in so many goes on.
        compare: a metric by which trainings are compared before the last rung; the objective by default.
    """

    name = "hyperband"

    def __init__(self, steps: Sequence[int], eta: int = 3, compare: str = "") -> None:
        self.brackets = {
            steps[rung]: SuccessiveHalving(steps[rung:], eta=eta, compare=compare) for rung in range(len(steps))
        }

    def propose(self, view: View) -> Proposal:
        begun: dict[str, int] = {}
        reached: dict[str, int] = {}
        for row in view.history:
            step = row.candidate.step or 0
            begun.setdefault(row.hash, step)
            reached[row.hash] = step
        spent = dict.fromkeys(self.brackets, 0)
        for network, first in begun.items():
            spent[first] += reached[network]
        for bracket in sorted(spent, key=lambda first: spent[first]):
            own = [row for row in view.results if begun[row.hash] == bracket]
            with contextlib.suppress(Exhausted):  # trainings of another bracket may go on
                return self.brackets[bracket].propose(replace(view, results=own))
        raise Exhausted(f"all {len(begun)} distinct networks have been proposed")
