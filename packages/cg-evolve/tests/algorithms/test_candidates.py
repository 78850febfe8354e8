"""Where candidates come from."""

import numpy as np
import pytest
from toy_plugin import ToyScorer, ToySpace, worth

from cg_evolve import Search
from cg_evolve.algorithms.base import View
from cg_evolve.algorithms.belief import Model
from cg_evolve.algorithms.candidates import Listed, Made
from cg_evolve.surrogate import Surrogate


def searched(count, pool=None):
    search = Search(ToySpace(), "random", q=1, pool=pool)
    for _ in range(count):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    return View(count, 0, search.domain, search.problem, search.history, list(search.history))


def model_of(view, source, remembered=128):
    return Model(Surrogate(ToyScorer(), (), view.problem), remembered, source.first)


def test_the_listed_are_those_without_a_result(toy_pool):
    view = searched(8, toy_pool)
    source = Listed()
    belief = source.believe(view, 8, model_of(view, source))
    evaluated = {row.hash for row in view.results}
    assert set(belief.archs) == {a for a in view.domain.members if view.domain.graph(a).hash not in evaluated}
    assert belief.means.shape == belief.stds.shape == (len(belief.archs), 1)
    assert belief.incumbents.shape == (8, 1)


def test_between_two_doublings_a_shortlist_is_scored(toy_pool):
    view = searched(11, toy_pool)
    source = Listed(shortlist=12)
    model = model_of(view, source)
    everything = source.believe(view, 8, model)
    best = np.argsort(-(everything.means + 2 * everything.stds)[:, 0], kind="stable")[:12]
    evaluated = {row.hash for row in view.results[:11]}
    short = [a for i, a in enumerate(everything.archs) if i in best and view.domain.graph(a).hash not in evaluated]
    assert source.believe(view, 11, model).archs == short


def test_equal_results_say_too_little(toy_pool):
    view = searched(8, toy_pool)
    for row in view.results:
        row.utilities = (1.0,)
    for source in (Listed(), Made(10)):
        assert source.believe(view, 8, model_of(view, source)) is None


def test_what_is_made_descends_from_results_in_two_generations():
    search = Search(ToySpace(), "random", q=1)
    search.domain.__dict__["members"] = None
    for _ in range(12):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    view = View(12, 0, search.domain, search.problem, search.history, list(search.history))
    source = Made(30)
    belief = source.believe(view, 12, model_of(view, source))
    assert 30 < len(belief.archs) == len(set(belief.archs)) <= 60
    assert {i for ids in belief.parents for i in ids} <= set(range(12))


@pytest.mark.parametrize(("remembered", "expected"), [(128, 20), (10, 10)])
def test_a_model_remembers_the_best_and_the_latest(toy_pool, remembered, expected):
    view = searched(20, toy_pool)
    model = model_of(view, Listed(), remembered)
    rows = model._rows(view, 20)
    assert len(rows) == expected
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    best = sorted(view.results, key=lambda row: -row.value)[: expected // 2]
    assert {row.id for row in best} <= {row.id for row in rows}
    assert rows[-1].id == 19
