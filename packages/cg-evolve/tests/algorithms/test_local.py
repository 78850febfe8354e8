"""Local search: neighbours of the best until one is better, then its neighbours; a new start where none is left."""

from __future__ import annotations

import numpy as np
import pytest
from toy_plugin import ToySpace, worth

from cg_evolve import Search
from cg_evolve.history import Evaluation


def searched(budget: int, **options: object) -> Search:
    search = Search(options.pop("space", "toy"), "local", q=1, **options)  # type: ignore[arg-type]
    for _ in range(budget):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    return search


def climbs(search: Search) -> list[list[Evaluation]]:
    found: list[list[Evaluation]] = []
    for row in search.history:
        if not row.candidate.parents:
            found.append([])
        found[-1].append(row)
    return found


def test_a_climb_moves_at_the_first_improvement_and_tries_neighbours_of_its_best_alone() -> None:
    for climb in climbs(searched(120, seed=2)):
        best = climb[0]
        for row in climb[1:]:
            assert row.candidate.parents == (best.id,)
            assert row.arch in ToySpace().neighbors(best.arch)
            if row.value > best.value:  # type: ignore[operator]
                best = row


def test_a_new_climb_starts_where_every_neighbour_was_tried() -> None:
    search = searched(120, seed=2)
    found = climbs(search)
    assert len(found) > 2
    space = ToySpace()
    for number, climb in enumerate(found[:-1]):
        assert {row.candidate.origin for row in climb} == {f"climb {number}"}
        top = max(climb, key=lambda row: row.value)  # type: ignore[arg-type, return-value]
        before = {row.hash for row in search.history[: climb[-1].id + 1]}
        assert {space.graph(arch).hash for arch in space.neighbors(top.arch)} <= before
        assert all(worth(arch) <= top.value for arch in space.neighbors(top.arch))  # a local optimum


def test_neighbours_come_in_an_order_that_belongs_to_the_centre() -> None:
    first, again, other = ([row.arch for row in searched(12, seed=seed).history] for seed in (4, 4, 5))
    assert first == again != other
    tried = [row.arch for row in climbs(searched(24, seed=4))[0]]
    assert tried[1:] != [arch for arch in ToySpace().neighbors(tried[0]) if arch in tried]


class Spelled(ToySpace):
    """Small and capital letters are one spelling."""

    def canonical(self, arch: str) -> str:
        return arch.lower()

    def graph(self, arch: str):
        return super().graph(arch.lower())


@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_proposals_are_spelled_as_in_the_pool(spell) -> None:
    rng, space = np.random.default_rng(0), ToySpace()
    start = "cckkww"
    pool = [spell(arch) for arch in [start, *space.neighbors(start), *(space.sample(rng) for _ in range(10))]]
    search = Search(Spelled(), "local", pool=pool, q=1)
    for _ in range(25):
        (candidate,) = search.ask()
        assert candidate.arch in pool
        search.tell(candidate, worth(candidate.arch.lower()))
    assert sum(bool(row.candidate.parents) for row in search.history) > 15


def test_beside_a_pool_the_nearest_members_stand_in_for_neighbours(toy_pool: list[str]) -> None:
    search = searched(len({ToySpace().graph(arch).hash for arch in toy_pool}), pool=toy_pool)
    assert {row.arch for row in search.history} <= set(toy_pool)
    for climb in climbs(search):
        by_centre = [row.candidate.parents for row in climb[1:]]
        limit = len(ToySpace().neighbors("cccccc"))
        assert all(by_centre.count(parents) <= limit for parents in by_centre)
