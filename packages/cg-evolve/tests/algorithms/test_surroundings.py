"""What lies beside the best results."""

import numpy as np
from toy_plugin import ToySpace, worth

from cg_evolve import Search
from cg_evolve.algorithms.base import View
from cg_evolve.algorithms.belief import Belief
from cg_evolve.algorithms.surroundings import Surroundings


def searched(pool, count):
    search = Search(ToySpace(), "random", q=1, pool=pool)
    for _ in range(count):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    return View(count, 0, search.domain, search.problem, search.history, list(search.history))


def nothing_known(view):
    return Belief(len(view.results), [], [], np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((1, 1)))


def test_the_nearest_to_the_best_comes_first(toy_pool):
    view = searched(toy_pool, 10)
    best = max(view.results, key=lambda row: row.value)
    free = [arch for arch in view.domain.around(best.arch, 16) if view.domain.fresh(arch, view.history)]
    proposal = Surroundings().neighbour(view, nothing_known(view))
    assert (proposal.arch, proposal.parents, proposal.origin) == (free[0], (best.id,), "neighbour")
    assert proposal.mean is None


def test_a_candidate_carries_what_is_predicted_of_it(toy_pool):
    view = searched(toy_pool, 10)
    arch = Surroundings().neighbour(view, nothing_known(view)).arch
    belief = Belief(10, [arch], [()], np.array([[1.5]]), np.array([[0.5]]), np.zeros((1, 1)))
    proposal = Surroundings().neighbour(view, belief)
    assert (proposal.mean, proposal.std) == (1.5, 0.5)


def test_parents_are_the_best_results_that_are_near(toy_pool):
    view = searched(toy_pool, 12)
    parents = Surroundings(best=2, near=5).parents(view)
    best = sorted(view.results, key=lambda row: -row.value)[:2]
    assert set(parents) == {arch for row in best for arch in view.domain.around(row.arch, 5)}
    assert set(parents.values()) <= {(row.id,) for row in best}
