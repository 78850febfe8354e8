"""Look architectures up in a table of labels."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError
from cg_ir import ArchError, CgError, get_benchmark, get_space, registry
from cg_ir.plugin_registry import split_options

if TYPE_CHECKING:
    from cg_ir.graph import Graph
    from cg_ir.plugins import BenchmarkTable

__all__ = ["BenchmarkEvaluator"]


class BenchmarkEvaluator:
    """Labels of a table instead of training.

    Args:
        target: ``NAME=PATH`` (a benchmark that a plugin reads, and its file), ``NAME`` (the same, in the folder that ``CG_DATA`` names) or
            ``FILE.csv``, which the benchmark reader ``csv`` reads.
        space: the space that is searched, to check that the table is of it.
        metric: the main metric; the table's first by default.
    """

    name = "benchmark"

    def __init__(self, target: str, space: str = "", metric: str = "") -> None:
        self.table = _open(target, space)
        self.metrics = list(self.table.metrics)
        if metric:
            if metric not in self.metrics:
                raise SearchError(f"the table has no column '{metric}'; it has {', '.join(self.metrics)}")
            self.metrics.remove(metric)
            self.metrics.insert(0, metric)
        self._canonical = getattr(get_space(space), "canonical", str) if space else str
        self._space = space
        self._spelling: dict[str, str] | None = None

    def archs(self) -> list[str]:
        """The architectures that have a label of the main metric: the pool of a search on this table.

        Those that the space has, but not with its options (``transnas?level=micro``), are left out.

        Raises:
            SearchError: none is left.
        """
        found = [arch for arch in self.table.archs() if self._has(arch)]
        if "?" not in self._space:
            return found
        inside = [arch for arch in found if self._inside(arch)]
        if found and not inside:
            raise SearchError(
                f"the table has nothing of the space '{self._space}'; its first architecture is {found[0]}"
            )
        return inside

    def _inside(self, arch: str) -> bool:
        try:
            self._canonical(arch)
        except ArchError as error:
            try:
                self._anywhere(arch)
            except CgError:
                raise error from None  # wrong with any options, and to be told
            return False
        return True

    @cached_property
    def _anywhere(self) -> Callable[[str], str]:
        """Reads architectures of the space, whatever its options."""
        return getattr(get_space(split_options(self._space)[0]), "canonical", str)

    def _has(self, arch: str) -> bool:
        try:
            return math.isfinite(self.table.query(arch, self.metrics[0]))
        except KeyError:
            return False

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        """The labels of an architecture, the main one first.

        Raises:
            SearchError: the table has no label of it.
        """
        labels = self._labels(arch)
        if self.metrics[0] not in labels:
            if self._spelling is None:
                self._spelling = {self._canonical(other): other for other in self.table.archs()}
            labels = self._labels(self._spelling.get(self._canonical(arch), arch))
        if self.metrics[0] not in labels:
            raise SearchError(f"the table has no {self.metrics[0]} of {arch}")
        return labels

    def _labels(self, arch: str) -> dict[str, float]:
        labels = {}
        for metric in self.metrics:
            try:
                value = float(self.table.query(arch, metric))
            except KeyError:
                continue
            if math.isfinite(value):
                labels[metric] = value
        return labels


def _open(target: str, space: str) -> BenchmarkTable:
    name, equals, path = target.partition("=")
    if not equals and target.endswith((".csv", ".csv.gz")):
        if "csv" not in registry().entries("benchmark"):
            raise SearchError(f"{target}: no installed plugin reads CSV tables; pip install cg-frontends")
        return get_benchmark("csv", space=split_options(space)[0] if space else "").open(target)
    benchmark = get_benchmark(name)
    if space and benchmark.space and split_options(space)[0] != benchmark.space:
        raise SearchError(f"the benchmark '{name}' is of the space '{benchmark.space}', not '{space}'")
    if not equals:
        path = os.environ.get("CG_DATA", "")
        if not path:
            raise SearchError(
                f"where is the table? benchmark:{name}=PATH, or name its folder in the environment variable CG_DATA"
            )
    return benchmark.open(path)
