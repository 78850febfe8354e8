"""Hyperband: how many trainings each bracket begins, against the paper's table, and how it ends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from toy_plugin import ToySpace, worth

from cg_evolve import Exhausted, Search
from cg_evolve.algorithms.hyperband import Hyperband

STEPS = (1, 3, 9, 27)


def searched(steps: float, pool: list[str], **options: object) -> Search:
    found = Search("toy", Hyperband(STEPS, **options), steps=STEPS, pool=pool, q=1)  # type: ignore[arg-type]
    while found.spent < steps:
        (candidate,) = found.ask()
        found.tell(candidate, worth(candidate.arch) - 1.0 / (candidate.step or 1))
    return found


def begun(search: Search) -> dict[str, int]:
    """Step at which each training began, by network."""
    first: dict[str, int] = {}
    for row in search.history:
        first.setdefault(row.hash, row.candidate.step)
    return first


def test_brackets_begin_as_many_trainings_as_in_the_paper() -> None:
    """Li et al. 2018, table 1 for R = 27: brackets 3 to 0 begin 27, 12, 6 and 4 trainings with 1, 3, 9 and 27 steps.

    There a rung trains from nothing, here it goes on, so that a bracket of as many steps begins a few fewer where it begins later.
    """
    pool = sorted({"".join(letters) for letters in np.random.default_rng(0).choice(list("ickwp"), (500, 6))})
    search = searched(3 * 4 * 81, pool)
    found = Counter(begun(search).values())
    for step, count in zip(STEPS, (27, 12, 6, 4), strict=True):
        assert found[step] / 3 == pytest.approx(count, abs=1 + 0.1 * count)


def test_a_training_goes_on_within_its_bracket_rung_by_rung() -> None:
    pool = sorted({"".join(letters) for letters in np.random.default_rng(1).choice(list("ickwp"), (200, 6))})
    search = searched(300, pool)
    reached: dict[str, list[int]] = {}
    for row in search.history:
        reached.setdefault(row.hash, []).append(row.candidate.step)
    for steps in reached.values():
        place = STEPS.index(steps[0])
        assert tuple(steps) == STEPS[place : place + len(steps)]
    for first in STEPS[:-1]:  # one in three goes on
        own = [steps for steps in reached.values() if steps[0] == first]
        assert sum(len(steps) > 1 for steps in own) == pytest.approx(len(own) / 3, abs=0.15 * len(own) + 1)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_it_ends_when_every_training_has_ended(count: int) -> None:
    """A bracket that has nothing left gives its turn to another."""
    pool = ["cccccc", "kkkkkk", "wwwwww", "pppppp", "ckckck", "wkwkwk", "cwcwcw"][:count]
    search = Search("toy", Hyperband(STEPS), steps=STEPS, pool=pool, q=1)
    while sum(row.candidate.step == 27 for row in search.history) < count:
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    with pytest.raises(Exhausted, match=f"all {count} distinct networks"):
        search.ask()
    assert sorted(row.hash for row in search.history if row.candidate.step == 27) == sorted(
        ToySpace().graph(arch).hash for arch in pool
    )
