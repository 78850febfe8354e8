"""Random search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_evolve.history import Proposal

if TYPE_CHECKING:
    from cg_evolve.algorithms.base import View

__all__ = ["RandomSearch"]


class RandomSearch:
    """Samples of the space, each network once."""

    name = "random"

    def propose(self, view: View) -> Proposal:
        return Proposal(view.domain.any(view.history, view.rng()), origin="sample")
