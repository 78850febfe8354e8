"""Ageing evolution against its pseudo-code (Real et al. 2019, algorithm 1)."""

from __future__ import annotations

from collections import deque

import pytest
from toy_plugin import worth

from cg_evolve import Search
from cg_evolve.algorithms import RegularizedEvolution
from cg_evolve.history import Evaluation


def searched(algorithm: RegularizedEvolution, budget: int, failing: int = 0) -> list[Evaluation]:
    search = Search("toy", algorithm, seed=3, q=1)
    for number in range(budget):
        (candidate,) = search.ask()
        search.tell(candidate, None if failing and number % failing == 1 else worth(candidate.arch))
    return list(search.history)


@pytest.mark.parametrize("failing", [0, 3])
def test_the_parent_is_the_best_of_those_alive_and_the_oldest_dies(failing: int) -> None:
    """Where the sample is the whole population nothing is left to chance."""
    population: deque[Evaluation] = deque(maxlen=6)
    died = 0
    for number, row in enumerate(searched(RegularizedEvolution(population=6, sample=6), 50, failing)):
        if number < 6:
            assert (row.candidate.origin, row.candidate.parents) == ("sample", ())
        else:
            best = max(population, key=lambda alive: alive.value)
            assert (row.candidate.origin, row.candidate.parents) == ("mutation", (best.id,))
        if row.value is not None:
            best_ever = max((r.value for r in population), default=-1.0)
            died += len(population) == 6 and population[0].value == best_ever
            population.append(row)
    assert died > 2  # the best, too, has died of age


def test_children_are_one_mutation_away_while_one_is_free() -> None:
    rows = searched(RegularizedEvolution(population=8, sample=3), 40)
    children = [row for row in rows if row.candidate.origin == "mutation"]
    apart = [
        sum(a != b for a, b in zip(row.arch, rows[row.candidate.parents[0]].arch, strict=True)) for row in children
    ]
    assert len(children) == 32
    assert apart.count(1) >= 30  # some neighbourhoods may be used up
    assert max(apart) <= 3


def test_the_worst_of_a_sample_is_no_parent() -> None:
    """Two or more are compared, so the worst of those alive never wins."""
    rows = searched(RegularizedEvolution(population=5, sample=2), 60)
    for row in rows[5:]:
        alive = rows[row.id - 5 : row.id]
        assert row.candidate.parents[0] in {r.id for r in alive}
        assert rows[row.candidate.parents[0]].value > min(r.value for r in alive)  # type: ignore[type-var]
