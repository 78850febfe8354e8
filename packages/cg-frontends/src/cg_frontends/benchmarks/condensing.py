"""Results of architectures, replaced by their labels while the file that holds them all is read.

The single files of NAS-Bench-201 and NATS-Bench hold every training curve of every architecture; whole, they would take tens of gigabytes of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cg_frontends.benchmarks.nats_results import MAIN_METRICS, is_results, labels_of, schedule_epochs
from cg_frontends.benchmarks.pickles import PickleReader
from cg_frontends.benchmarks.table import Rows
from cg_ir import SourceError

_LABELS = "labels"


class CondensingReader(PickleReader):
    """Replaces the results of an architecture by their labels once they are complete, and empties what they consisted of."""

    def _begin(self) -> None:
        super()._begin()
        self._condensed = 0

    def completed(self, value: dict[Any, Any]) -> None:
        """Condense a dictionary that has become the results of an architecture."""
        if not is_results(value):
            return
        labels = labels_of({"full": value})
        emptied = _containers(value)
        for part in emptied.values():
            self.emptied(len(part))
            part.clear()
        value[_LABELS] = labels
        del emptied[id(value)]
        # the memo would keep the emptied containers; nothing refers to them again
        memo = self._memo
        memo[self._condensed :] = [None if id(part) in emptied else part for part in memo[self._condensed :]]
        self._condensed = len(memo)


def _containers(value: Any) -> dict[int, Any]:
    """The dictionaries and lists inside a value, and itself, by their ids."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    parts = [value]
    while parts:
        part = parts.pop()
        kind = type(part)
        if kind not in (dict, list, tuple) or id(part) in seen:
            continue
        seen.add(id(part))
        if kind is not tuple:
            found[id(part)] = part
        members = part.values() if kind is dict else part
        parts.extend(member for member in members if type(member) in (dict, list, tuple))
    return found


def add_condensed(rows: Rows, archs: list[str], index: Any, schedules: Any, source: str) -> None:
    """Add the labels of one architecture, whose results by schedule are condensed.

    Raises:
        SourceError: the results have another layout.
    """
    if type(index) is not int or not 0 <= index < len(archs):
        raise SourceError(f"{source}: results of architecture {index!r:.20}, but there are {len(archs)}")
    if (
        not isinstance(schedules, Mapping)
        or not schedules
        or not all(isinstance(v, dict) and isinstance(v.get(_LABELS), dict) for v in schedules.values())
    ):
        raise SourceError(f"{source}: the results of architecture {index} have another layout")
    try:
        longest = max(map(schedule_epochs, schedules))
        for name, condensed in schedules.items():
            labels = condensed[_LABELS]
            epochs = schedule_epochs(name)
            if epochs != longest:
                labels = {f"{metric}_{epochs}ep": value for metric, value in labels.items() if metric in MAIN_METRICS}
            rows.add(archs[index], labels)
    except (TypeError, ValueError, ArithmeticError):
        raise SourceError(f"{source}: the results of architecture {index} have another layout") from None
