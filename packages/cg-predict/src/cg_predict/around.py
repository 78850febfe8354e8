"""Networks around a given one: the space ``graph?file=...``, which another package brings, and regions made narrower in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cg_ir import get_space
from cg_ir.bypass import Bypass, bypasses
from cg_ir.errors import ArchError, CgError, PluginError, SourceError
from cg_ir.graph import Graph


def space_around(graph: Graph) -> Any:
    """The space of networks that differ from a given one in kernels, widths, depth and the like.

    Raises:
        CgError: the package that brings the space is not installed.
        SourceError: the space knows no change to the network.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.cg.json"
        graph.canonicalize().save(file)
        try:
            return get_space("graph", file=str(file))
        except PluginError as error:
            raise CgError(f"changes to a network need the space 'graph' of cg-evolve: {error}") from None
        except SourceError:
            raise SourceError(
                f"{graph.name or 'the network'} has nothing that the space 'graph' knows how to change"
            ) from None


class Narrower:
    """A network with half the inner width of some of its regions.

    Inner are the channels and features that no node outside the region has, nor its result: the middle of a bottleneck, the hidden features of a
    feed-forward part.

    Attributes:
        regions: those of ``cg_ir.bypass.bypasses`` that have any, by dotted path.

    Raises:
        CgError: see `space_around`; or no region has an inner width.
    """

    def __init__(self, graph: Graph) -> None:
        self._space = space_around(graph)
        self._base: Graph = self._space.graph("base")
        widths = {int(name[1:]): name for name in self._space.sites if name.startswith("w")}
        found = {part.region: self._inner(part, widths) for part in bypasses(self._base)}
        self._sites = [sites for sites in found.values() if sites]
        self.regions = tuple(region for region, sites in found.items() if sites)
        if not self.regions:
            raise CgError("no region of the network has a width that it does not share with others")

    def without(self, chosen: Sequence[int]) -> Graph:
        """The network with the regions of these numbers narrower."""
        return self._halved(name for i in chosen for name in self._sites[i])

    def _halved(self, sites: Iterable[str]) -> Graph:
        made: Graph = self._space.graph(",".join(f"{name}=0.5" for name in sites) or "base")
        return made

    def _inner(self, part: Bypass, widths: dict[int, str]) -> list[str]:
        """The sites of a region that change its inner nodes alone, also together."""
        kept: list[str] = []
        for node in sorted(part.nodes & widths.keys()):
            try:
                changed = self._changed(self._halved([*kept, widths[node]]))
            except ArchError:  # channels that do not divide into groups
                continue
            if changed and changed <= part.nodes - {part.result} and changed != self._changed(self._halved(kept)):
                kept.append(widths[node])
        return kept

    def _changed(self, other: Graph) -> set[int]:
        """The nodes of another shape; all, where the networks differ in more than sizes."""
        if [node.op for node in other.nodes] != [node.op for node in self._base.nodes]:
            return set(range(len(self._base)))
        return {a.index for a, b in zip(self._base.nodes, other.nodes, strict=True) if a.shape != b.shape}
