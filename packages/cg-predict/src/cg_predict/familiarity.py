"""How well a network is known, and the warning where it is not."""

from __future__ import annotations

from dataclasses import dataclass

from cg_predict.settings import Settings


class UnfamiliarWarning(UserWarning):
    """A pool on which the ranking without labels is expected to tell little."""


@dataclass(frozen=True)
class Familiarity:
    """How well one network is known.

    Args:
        family: of the nearest network that was learned from.
        distance: root mean square difference of descriptors, in standard deviations over all families together.
        limit: distance up to which trees on absolute descriptors are asked.
    """

    family: str
    distance: float
    limit: float = Settings().nearness_limit

    @property
    def known(self) -> bool:
        """Whether something like it was learned from."""
        return self.distance <= self.limit
