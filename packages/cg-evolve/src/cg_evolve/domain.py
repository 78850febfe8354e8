"""What a search may propose: the architectures of a space, within a pool and the constraints, each network once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cg_evolve.errors import Exhausted, SearchError
from cg_evolve.pool import Pool
from cg_ir.identity import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cg_evolve.history import History
    from cg_ir.graph import Graph
    from cg_ir.plugins import SearchSpace

__all__ = ["ENUMERABLE", "Domain"]

#: Up to this many architectures a space is enumerated, so that every one can be a candidate.
ENUMERABLE = 50_000
_GRAPHS_KEPT = 60_000
_TRIES = 60


class Domain:
    """A space, restricted.

    Args:
        space: the search space.
        pool: architectures to which the search is restricted; a ready ``Pool`` may serve several searches.
        admits: whether a network is within the constraints that its graph alone decides.
    """

    def __init__(self, space: SearchSpace, pool: Iterable[str] | Pool | None, admits: Callable[[Graph], bool]) -> None:
        self.space = space
        self._admits = admits
        self._graphs: OrderedDict[str, Graph] = OrderedDict()
        canonical: Callable[[str], str] = getattr(space, "canonical", str)
        self.pool = pool if pool is None or isinstance(pool, Pool) else Pool(list(pool), space.graph, canonical)
        self._canonical = canonical

    def graph(self, arch: str) -> Graph:
        """The network of an architecture; recent ones are kept."""
        graph = self._graphs.get(arch)
        if graph is None:
            shared = None if self.pool is None else self.pool.graph(arch)
            graph = self._graphs[arch] = self.space.graph(arch) if shared is None else shared
            if len(self._graphs) > _GRAPHS_KEPT:
                self._graphs.popitem(last=False)
        return graph

    # --- all of them --------------------------------------------------------------------------------------------------

    @cached_property
    def members(self) -> list[str] | None:
        """Every admissible network, in its first spelling, where they are few enough to list."""
        if self.pool is not None:
            archs = self.pool.archs
        else:
            enumerate_all: Callable[[], Iterable[str]] | None = getattr(self.space, "enumerate", None)
            if enumerate_all is None or self.space.size > ENUMERABLE:
                return None
            archs = list(enumerate_all())
        firsts, _ = distinct([self.graph(arch) for arch in archs])
        members = [archs[i] for i in firsts if self._admits(self.graph(archs[i]))]
        if not members:
            raise SearchError(
                f"no architecture {'of the pool' if self.pool else 'of the space'} is within the constraints"
            )
        return members

    @cached_property
    def _listing(self) -> Pool | None:
        """The members, with their distances."""
        members = self.members
        if members is None:
            return None
        return self.pool if self.pool is not None and self.pool.archs == members else Pool(members, self.graph)

    def around(self, arch: str, count: int) -> list[str]:
        """The ``count`` members nearest to an architecture, itself left out, nearest first; none where the space is too large to list."""
        listing = self._listing
        if listing is None:
            return []
        graph = self.graph(arch)
        nearest = np.argsort(listing.distances(graph), kind="stable")[: count + 1].tolist()
        return [listing.archs[i] for i in nearest if self.graph(listing.archs[i]).hash != graph.hash][:count]

    @cached_property
    def _admissible(self) -> NDArray[np.bool_]:
        """Pool members within the constraints."""
        assert self.pool is not None
        admissible = set(self.members or ())
        return np.array([arch in admissible for arch in self.pool.archs])

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        """Pool members within the constraints that were not found proposed yet."""
        return self._admissible.copy()

    # --- one of them --------------------------------------------------------------------------------------------------

    def fresh(self, arch: str, history: History) -> bool:
        """Whether an architecture is admissible and its network was not proposed before."""
        graph = self.graph(arch)
        return not history.proposed(graph.hash) and self._admits(graph)

    def admit(self, arch: str, history: History, rng: np.random.Generator) -> str | None:
        """The architecture itself, or with a pool the nearest member, if it may be proposed; else nothing."""
        if self.pool is None:
            arch = self._canonical(arch)
            return arch if self.fresh(arch, history) else None
        while True:
            index = self.pool.nearest(arch, self._free, rng)
            if index is None:
                return None
            member = self.pool.archs[index]
            if not history.proposed(self.graph(member).hash):
                return member
            self._free[index] = False  # proposed before, perhaps under another spelling

    def first_fresh(
        self, make: Callable[[], str], history: History, rng: np.random.Generator, tries: int = _TRIES
    ) -> str | None:
        """The first of several tries of ``make`` that may be proposed."""
        for _ in range(tries):
            arch = self.admit(make(), history, rng)
            if arch is not None:
                return arch
        return None

    def near(self, arch: str, rng: np.random.Generator) -> str:
        """The architecture itself, or with a pool the nearest admissible member, whether or not it was proposed."""
        if self.pool is None:
            return self._canonical(arch)
        index = self.pool.nearest(arch, self._admissible, rng)
        return arch if index is None else self.pool.archs[index]

    def any(self, history: History, rng: np.random.Generator) -> str:
        """A random architecture that may be proposed.

        Raises:
            Exhausted: there is none left, or none was found.
        """
        arch = None
        if self.pool is None:
            arch = self.first_fresh(lambda: self.space.sample(rng), history, rng)
        if arch is None and self.members is not None:
            members = self.members
            for index in rng.permutation(len(members)).tolist():
                if self.fresh(members[index], history):
                    return members[index]
            raise Exhausted(f"all {len(history)} distinct networks have been proposed")
        if arch is None:
            arch = self._wander(history, rng)
        if arch is None:
            raise Exhausted(
                "no further architecture was found that is within the constraints and not proposed yet"
                if len(history)
                else "no architecture within the constraints was found; are they too tight?"
            )
        return arch

    def _wander(self, history: History, rng: np.random.Generator) -> str | None:
        """A random walk of mutations from samples, for spaces with tight constraints."""
        for _ in range(20):
            arch = self.space.sample(rng)
            for _ in range(50):
                arch = self.space.mutate(arch, rng)
                if self.fresh(arch, history):
                    return self._canonical(arch)
        return None

    def mutation(self, arch: str, history: History, rng: np.random.Generator) -> str | None:
        """A mutation that may be proposed; two steps away, then three, where the neighbourhood is used up."""
        for steps in (1, 2, 3):

            def make(steps: int = steps) -> str:
                child = arch
                for _ in range(steps):
                    child = self.space.mutate(child, rng)
                return child

            found = self.first_fresh(make, history, rng, tries=1 if self.pool is not None else 20)
            if found is not None:
                return found
        return None

    def neighbors(self, arch: str) -> Sequence[str]:
        """All architectures one change away, before restriction."""
        return self.space.neighbors(arch)
