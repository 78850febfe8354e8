"""A table of labels in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cg_ir import ArchError, SourceError


class LabelTable:
    """Labels by architecture and metric.

    Args:
        archs: the architectures, all different.
        metrics: names of the columns, the main one first.
        values: labels, (architectures, metrics); nan where there is none.
        canonical: the spelling under which other spellings of an architecture are found; None for no other spellings.
        groups: group of each architecture where the table knows relatives (a module family, a laboratory): what is left out together.
    """

    def __init__(
        self,
        archs: Sequence[str],
        metrics: Sequence[str],
        values: NDArray[np.float64],
        canonical: Callable[[str], str] | None = None,
        groups: Sequence[str] = (),
    ) -> None:
        self.metrics = tuple(metrics)
        self.values = values
        self._archs = list(archs)
        self._rows = {arch: row for row, arch in enumerate(self._archs)}
        self._columns = {metric: column for column, metric in enumerate(self.metrics)}
        self._canonical = canonical
        self._spellings: dict[str, int] | None = None
        self.groups = tuple(groups)

    def __len__(self) -> int:
        return len(self._archs)

    def __repr__(self) -> str:
        return f"LabelTable({len(self):,} architectures, {', '.join(self.metrics)})"

    def archs(self) -> Iterator[str]:
        """The architectures, in the order of the file."""
        return iter(self._archs)

    def group(self, arch: str) -> str:
        """Group of an architecture, whichever way it is spelled; '' where the table knows none.

        Raises:
            KeyError: the table has no such architecture.
        """
        row = self._row(arch)
        return self.groups[row] if self.groups else ""

    def column(self, metric: str) -> NDArray[np.float64]:
        """All labels of a metric, in the order of ``archs``; nan where there is none.

        Raises:
            KeyError: there is no such metric.
        """
        return self.values[:, self._columns[metric]]

    def query(self, arch: str, metric: str) -> float:
        """One label, whichever way the architecture is spelled.

        Raises:
            KeyError: the table has no such label.
        """
        column = self._columns[metric]
        value = float(self.values[self._row(arch), column])
        if math.isnan(value):
            raise KeyError(f"no {metric} of {arch}")
        return value

    def _row(self, arch: str) -> int:
        row = self._rows.get(arch)
        if row is not None:
            return row
        if self._canonical is None:
            raise KeyError(arch)
        if self._spellings is None:
            self._spellings = {}
            for i, other in enumerate(self._archs):
                self._spellings.setdefault(self._canonical(other), i)
        try:
            return self._spellings[self._canonical(arch)]
        except ArchError:
            raise KeyError(arch) from None


class Rows:
    """Collects labels row by row; several rows of one architecture are averaged, label by label."""

    def __init__(self) -> None:
        self._place: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        self._sums: list[dict[int, float]] = []
        #: Labels behind each sum; None where every one is one.
        self._counts: list[dict[int, int] | None] = []

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, arch: str, labels: Mapping[str, float]) -> None:
        """Add a row; labels that are nan count as missing."""
        columns = self._columns
        try:
            found = {columns[metric]: value for metric, value in labels.items()}
        except KeyError:
            found = {columns.setdefault(metric, len(columns)): value for metric, value in labels.items()}
        if any(map(math.isnan, found.values())):
            found = {column: value for column, value in found.items() if not math.isnan(value)}
        place = self._place.setdefault(arch, len(self._sums))
        if place == len(self._sums):
            self._sums.append(found)
            self._counts.append(None)
            return
        sums = self._sums[place]
        counts = self._counts[place]
        if counts is None:
            counts = self._counts[place] = dict.fromkeys(sums, 1)
        for column, value in found.items():
            sums[column] = sums.get(column, 0.0) + value
            counts[column] = counts.get(column, 0) + 1

    def table(
        self, source: str, order: Sequence[str] = (), canonical: Callable[[str], str] | None = None
    ) -> LabelTable:
        """The table of all rows.

        Args:
            source: the file, for messages.
            order: metrics that come first, where they exist.
            canonical: see :class:`LabelTable`.

        Raises:
            SourceError: there is no row or no metric.
        """
        if not self._sums or not self._columns:
            raise SourceError(f"{source}: the table has no {'rows' if not self._sums else 'labels'}")
        values = np.full((len(self._sums), len(self._columns)), np.nan)
        sizes = np.fromiter(map(len, self._sums), np.intp, len(self._sums))
        columns = np.fromiter(chain.from_iterable(self._sums), np.intp, sizes.sum())
        sums = np.fromiter(chain.from_iterable(map(dict.values, self._sums)), float, sizes.sum())
        values[np.repeat(np.arange(len(self._sums)), sizes), columns] = sums
        for row, counts in enumerate(self._counts):
            if counts is not None:
                values[row, list(counts)] /= list(counts.values())
        metrics = list(self._columns)
        first = [metric for metric in order if metric in self._columns]
        names = first + [metric for metric in metrics if metric not in first]
        return LabelTable(list(self._place), names, values[:, [self._columns[name] for name in names]], canonical)
