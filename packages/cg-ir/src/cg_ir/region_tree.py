"""The regions of a graph as a tree: what a drawing frames, a page folds and source code makes a class of."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from cg_ir.graph import Graph

Path = tuple[str, ...]
#: Levels of regions that are told apart.
_MAX_LEVELS = 64


@dataclass(eq=False)
class Region:
    """A run of operators that lie in one region, in an order in which they can run. A region that is left and entered again is two.

    Attributes:
        path: the region's name, in parts; empty for the whole.
        items: node numbers and the regions inside, in order.
    """

    path: Path
    items: list[int | Region] = field(default_factory=list)

    def nodes(self) -> Iterator[int]:
        """All nodes inside, in order."""
        for item in self.items:
            if isinstance(item, Region):
                yield from item.nodes()
            else:
                yield item


def region_path(name: str) -> Path:
    """The parts of a region's name; those below 64 levels stay one part."""
    parts = [part for part in name.split(".", 2 * _MAX_LEVELS) if part]
    return (*parts[: _MAX_LEVELS - 1], *[".".join(parts[_MAX_LEVELS - 1 :])][: len(parts) >= _MAX_LEVELS])


def region_paths(graph: Graph) -> list[Path]:
    """The region of each node."""
    known = [region_path(name) for name in graph.region_names]
    return [known[code] for code in graph.region_codes.tolist()]


def region_depth(graph: Graph) -> int:
    """Levels of the deepest region."""
    return max((len(path) for path in region_paths(graph)), default=0)


def region_order(inputs: list[list[int]], paths: list[Path]) -> list[int]:
    """A topological order that leaves a region only when nothing in it is ready."""
    n = len(inputs)
    waiting = [len(set(ins)) for ins in inputs]
    consumers: list[list[int]] = [[] for _ in range(n)]
    for i, ins in enumerate(inputs):
        for j in set(ins):
            consumers[j].append(i)
    ready: dict[Path, list[int]] = {}

    def push(i: int) -> None:
        # a node is looked for under its region and every region above
        for depth in range(len(paths[i]) + 1):
            heapq.heappush(ready.setdefault(paths[i][:depth], []), i)

    for i in range(n):
        if waiting[i] == 0:
            push(i)
    done = [False] * n
    result: list[int] = []
    here: Path = ()
    while len(result) < n:
        found = None
        for depth in range(len(here), -1, -1):
            heap = ready.get(here[:depth], [])
            while heap and done[heap[0]]:
                heapq.heappop(heap)
            if heap:
                found = heapq.heappop(heap)
                break
        assert found is not None
        done[found] = True
        here = paths[found]
        result.append(found)
        for c in consumers[found]:
            waiting[c] -= 1
            if waiting[c] == 0:
                push(c)
    return result


def region_tree(order: list[int], paths: list[Path], path: Path = ()) -> Region:
    """Nodes of a region as a tree.

    A region around one node says nothing that the node does not, one that only holds another region is that one: neither is in it.

    Args:
        order: the nodes, in the order of :func:`region_order`.
        paths: the region of each node of the graph.
        path: the region that all of them lie in.
    """
    region, level = Region(path), len(path)
    for own, run in groupby(order, lambda i: paths[i][: level + 1]):
        members = list(run)
        if len(members) == 1 or own == path:
            region.items += members
            continue
        inner = region_tree(members, paths, own)
        region.items.append(inner.items[0] if len(inner.items) == 1 else inner)
    return region
