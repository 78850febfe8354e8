"""The space around a given network: ``graph?file=net.cg.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cg_ir
from cg_evolve.graph_sites import Sites, rebuild
from cg_ir import ArchError, Graph, GraphError, SourceError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["GraphSpace"]

BASE = "base"
_TRIES = 200


class GraphSpace:
    """Networks that differ from a given one in kernels, widths, heads, groups, activations, depth and skip connections.

    An architecture lists what differs, sorted: ``a7=silu,d21=2,k12=5,w12=1.5``; ``base`` is the network itself. :mod:`cg_evolve.graph_sites` says
    what the letters mean; numbers are nodes of the given graph (``cg info``, ``cg draw``).

    Args:
        file: a graph document, or any SOURCE that the installed frontends read.
        edits: the most sites at which a sample differs from the network.
        input: where ``file`` is Python code, ``own.py:net``, the shapes of its inputs without the batch, between commas: ``3x32x32``.
    """

    name = "graph"

    def __init__(self, file: str = "", edits: str | int = 6, input: str = "") -> None:
        if not file:
            raise SourceError("the space 'graph' needs a network: graph?file=net.cg.json")
        try:
            self.edits = int(edits)
        except ValueError:
            raise SourceError(f"edits should be a number, not '{edits}'") from None
        if self.edits < 1:
            raise SourceError(f"edits should be at least 1, not {self.edits}")
        self.family = f"graph:{Path(file).name}"
        self.base: Graph = cg_ir.graph_of(file, input=tuple(filter(None, input.split(",")))).canonicalize()
        self._sites = Sites(self.base)
        if not self._sites.by_name:
            raise SourceError(f"{file}: has nothing that this space knows how to change")
        self._prepare()

    def _prepare(self) -> None:
        self._names = sorted(self._sites.by_name)
        self._kinds = sorted({site.kind for site in self._sites.by_name.values()})
        self.size = math.prod(len(site.options) for site in self._sites.by_name.values())
        self._graph = lru_cache(maxsize=4096)(self._build)

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.base.to_dict(), self.family, self.edits)

    @property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """What can be changed: site -> values."""
        return {name: site.options for name, site in self._sites.by_name.items()}

    # --- strings ------------------------------------------------------------------------------------------------------

    def parse(self, arch: str) -> dict[str, str]:
        """Site -> value, those that differ from the network.

        Raises:
            ArchError: an unknown site or value.
        """
        settings: dict[str, str] = {}
        if arch == BASE:
            return settings
        for part in arch.split(","):
            site, equals, value = part.partition("=")
            if not equals or site not in self._sites.by_name:
                raise ArchError(
                    f"'{part[:60]}' names no site of this network; an architecture looks like 'k12=5,w12=1.5' or 'base'"
                )
            if value not in self._sites.by_name[site].options:
                raise ArchError(
                    f"the site {site} takes {', '.join(self._sites.by_name[site].options)}, not '{value[:60]}'"
                )
            if site in settings:
                raise ArchError(f"the site {site} is set twice")
            settings[site] = value
        return {site: v for site, v in settings.items() if v != self._sites.by_name[site].default}

    @staticmethod
    def _text(settings: dict[str, str]) -> str:
        return ",".join(f"{site}={settings[site]}" for site in sorted(settings)) or BASE

    def canonical(self, arch: str) -> str:
        """Sorted, without what leaves the network as it is."""
        return self._text(self.parse(arch))

    # --- networks -----------------------------------------------------------------------------------------------------

    def _build(self, arch: str) -> Graph:
        try:
            return rebuild(self._sites, self.parse(arch), f"{self.base.name or self.family}/{arch}")
        except GraphError as error:
            raise ArchError(f"{arch}: {error}") from None

    def graph(self, arch: str) -> Graph:
        """The network of an architecture."""
        return self._graph(self.canonical(arch))

    def _valid(self, settings: dict[str, str]) -> bool:
        try:
            self._graph(self._text(settings))
        except ArchError:
            return False
        return True

    # --- moves --------------------------------------------------------------------------------------------------------

    def _with(self, settings: dict[str, str], site: str, value: str) -> dict[str, str]:
        result = {**settings, site: value}
        if value == self._sites.by_name[site].default:
            del result[site]
        return result

    def _changed(self, settings: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
        for _ in range(_TRIES):
            kind = self._kinds[int(rng.integers(len(self._kinds)))]  # every kind alike, however many sites it has
            names = [name for name in self._names if self._sites.by_name[name].kind == kind]
            site = names[int(rng.integers(len(names)))]
            now = settings.get(site, self._sites.by_name[site].default)
            others = [value for value in self._sites.by_name[site].options if value != now]
            child = self._with(settings, site, others[int(rng.integers(len(others)))])
            if self._valid(child):
                return child
        raise ArchError(f"{self._text(settings)}: no valid change was found")

    def sample(self, rng: np.random.Generator) -> str:
        """The network with 1 to ``edits`` random changes."""
        settings: dict[str, str] = {}
        for _ in range(int(rng.integers(1, self.edits + 1))):
            settings = self._changed(settings, rng)
        return self._text(settings)

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """One change."""
        return self._text(self._changed(self.parse(arch), rng))

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each site from one parent or the other."""
        first, second = self.parse(a), self.parse(b)
        for _ in range(20):
            child = {}
            for site in sorted({*first, *second}):
                source = first if rng.random() < 0.5 else second
                if site in source:
                    child[site] = source[site]
            if self._valid(child):
                return self._text(child)
        return a

    def _neighbors(self, arch: str) -> Iterator[str]:
        settings = self.parse(arch)
        for site in self._names:
            now = settings.get(site, self._sites.by_name[site].default)
            for value in self._sites.by_name[site].options:
                child = self._with(settings, site, value)
                if value != now and self._valid(child):
                    yield self._text(child)

    def neighbors(self, arch: str) -> list[str]:
        """All valid architectures one change away."""
        return list(self._neighbors(arch))


def _restored(document: dict[str, object], family: str, edits: int) -> GraphSpace:
    space = GraphSpace.__new__(GraphSpace)
    space.edits, space.family = edits, family
    space.base = cg_ir.from_dict(document)
    space._sites = Sites(space.base)
    space._prepare()
    return space
