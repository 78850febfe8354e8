"""What a search may propose: a space, within a pool and the constraints, each network once."""

from __future__ import annotations

import numpy as np
import pytest
from toy_plugin import ToySpace

from cg_evolve import Exhausted, SearchError
from cg_evolve.domain import Domain
from cg_evolve.history import Candidate, Evaluation, History
from cg_ir import Graph


def everything(graph: Graph) -> bool:
    return True


def small(graph: Graph) -> bool:
    return graph.params < 2000


def proposed(domain: Domain, archs: list[str]) -> History:
    history = History()
    for number, arch in enumerate(archs):
        history.append(Evaluation(Candidate(number, arch, domain.graph(arch).hash, 0)))
    return history


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_members_are_the_distinct_networks_in_their_first_spelling() -> None:
    space = ToySpace()
    pool = ["cckkpp", "icckkp", "ccikkp", "kkkkpp"]  # i does nothing: the first three may be one network
    domain = Domain(space, pool, everything)
    firsts = {}
    for arch in pool:
        firsts.setdefault(space.graph(arch).hash, arch)
    assert domain.members == list(firsts.values())
    assert len(domain.members) < len(pool)


def test_members_are_within_the_constraints() -> None:
    space = ToySpace()
    pool = ["cckkpp", "wwwwww", "pppppp", "kkkkww"]
    members = Domain(space, pool, small).members
    assert members == [arch for arch in pool if small(space.graph(arch))]
    assert 0 < len(members) < len(pool)


def test_constraints_that_no_network_meets_are_an_error() -> None:
    with pytest.raises(SearchError, match="no architecture of the pool is within the constraints"):
        _ = Domain(ToySpace(), ["wwwwww"], lambda graph: False).members


def test_a_space_without_enumeration_lists_no_members() -> None:
    space = ToySpace()

    class Unlisted:
        name, size = "unlisted", space.size
        sample, mutate, crossover, graph, neighbors = (
            space.sample,
            space.mutate,
            space.crossover,
            space.graph,
            space.neighbors,
        )

    domain = Domain(Unlisted(), None, everything)  # type: ignore[arg-type]
    assert domain.members is None
    assert domain.around("cckkpp", 3) == []


def test_a_network_is_fresh_once(toy_pool: list[str]) -> None:
    domain = Domain(ToySpace(), toy_pool, small)
    assert domain.members is not None
    history = proposed(domain, domain.members[:3])
    assert not any(domain.fresh(arch, history) for arch in domain.members[:3])
    assert domain.fresh(domain.members[3], history)
    outside = next(arch for arch in toy_pool if not small(domain.graph(arch)))
    assert not domain.fresh(outside, history)


def test_what_lies_outside_a_pool_goes_to_the_nearest_member(toy_pool: list[str], rng: np.random.Generator) -> None:
    domain = Domain(ToySpace(), toy_pool, everything)
    assert domain.pool is not None
    distances = domain.pool.distances(domain.graph("kkkkkk"))
    admitted = domain.admit("kkkkkk", History(), rng)
    assert admitted is not None
    assert distances[domain.pool.archs.index(admitted)] == distances.min()
    history = proposed(domain, [admitted])
    other = domain.admit("kkkkkk", history, rng)
    assert other is not None
    assert domain.graph(other).hash != domain.graph(admitted).hash
    assert domain.near("kkkkkk", rng) in toy_pool


def test_mutations_may_be_proposed(rng: np.random.Generator) -> None:
    domain = Domain(ToySpace(), None, small)
    history = proposed(domain, ["cckkpp"])
    made = domain.mutation("cckkpp", history, rng)
    assert made is not None
    assert domain.fresh(made, history)


def test_the_end_is_said(toy_pool: list[str], rng: np.random.Generator) -> None:
    domain = Domain(ToySpace(), toy_pool[:5], everything)
    history = History()
    count = len(domain.members or ())
    for number in range(count):
        arch = domain.any(history, rng)
        history.append(Evaluation(Candidate(number, arch, domain.graph(arch).hash, 0)))
    assert {row.arch for row in history} == set(domain.members or ())
    with pytest.raises(Exhausted, match=f"all {count} distinct networks have been proposed"):
        domain.any(history, rng)
    assert domain.admit(toy_pool[0], history, rng) is None


def test_tight_constraints_are_met_by_walking(rng: np.random.Generator) -> None:
    least = min(ToySpace().graph(arch).params for arch in ("pppppp", "iiiiip"))
    domain = Domain(ToySpace(), None, lambda graph: graph.params <= 2 * least)
    domain.__dict__["members"] = None
    arch = domain.any(History(), rng)
    assert domain.graph(arch).params <= 2 * least
    impossible = Domain(ToySpace(), None, lambda graph: False)
    impossible.__dict__["members"] = None
    with pytest.raises(Exhausted, match="are they too tight"):
        impossible.any(History(), rng)
