"""What a predictor says of candidates."""

from __future__ import annotations

import numpy as np
import pytest
from toy_plugin import ToyScorer, ToySpace, worth

from cg_evolve import Search
from cg_evolve.algorithms import belief
from cg_evolve.algorithms.base import View
from cg_evolve.algorithms.belief import Belief, Model
from cg_evolve.surrogate import Surrogate


def view_of(count: int, pool: list[str], **options: object) -> View:
    search = Search(ToySpace(), "random", q=1, pool=pool, **options)  # type: ignore[arg-type]
    for _ in range(count):
        (candidate,) = search.ask()
        search.tell(candidate, {"worth": worth(candidate.arch)})
    return View(count, 0, search.domain, search.problem, search.history, list(search.history))


def model_of(view: View, remembered: int = 100) -> Model:
    return Model(Surrogate(ToyScorer(), (), view.problem), remembered, lambda view: view.domain.members or [])


def test_a_candidate_has_its_mean_and_deviation_and_no_other_has() -> None:
    made = Belief(2, ["a", "b"], [(), (1,)], np.array([[1.0], [2.0]]), np.array([[0.1], [0.2]]), np.zeros((1, 1)))
    assert made.of("b") == (2.0, 0.2)
    assert made.of("c") == (None, None)
    more = made.joined(["c"], [(0, 1)], np.array([[3.0]]), np.array([[0.3]]))
    assert (more.of("c"), more.of("a"), more.parents) == ((3.0, 0.3), (1.0, 0.1), [(), (1,), (0, 1)])
    assert made.of("c") == (None, None)  # the first one is as it was


def test_what_is_believed_is_what_the_scorer_says_after_the_first_results(toy_pool: list[str]) -> None:
    view = view_of(12, toy_pool)
    model = model_of(view)
    assert model.fit(view, 9)
    archs = [arch for arch in (view.domain.members or []) if arch not in {row.arch for row in view.results}]
    found = model.believe(view, 9, archs, [()] * len(archs))
    rows = view.results[:9]
    scorer = ToyScorer().fit([row.graph for row in rows], np.array([row.value for row in rows]))
    mean, std = scorer.predict([view.domain.graph(arch) for arch in archs], return_std=True)
    np.testing.assert_allclose(found.means[:, 0], mean)
    np.testing.assert_allclose(found.stds[:, 0], std)
    known = dict(zip([row.hash for row in rows], scorer.predict([row.graph for row in rows]), strict=True))
    assert found.known == pytest.approx(known)
    assert sorted(found.incumbents[:, 0]) == pytest.approx(sorted(known.values()))


def test_of_several_objectives_the_incumbents_are_a_front(toy_pool: list[str]) -> None:
    pytest.importorskip("moocore")
    view = view_of(20, toy_pool, objectives=("worth", "macs:min"))
    model = model_of(view)
    assert model.fit(view, 20)
    found = model.believe(view, 20, ["cccccc"], [()])
    points = found.incumbents
    assert 1 < len(points) < 20
    assert not any((a >= b).all() and (a > b).any() for a in points for b in points)
    np.testing.assert_array_equal(found.stds[:, 1], 0)  # the graph tells the second one


def test_it_ranks_among_the_same_networks_every_time(toy_pool: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belief, "_REFERENCE", 7)
    view = view_of(3, toy_pool)
    model = model_of(view)
    found = model.among(view)
    hashes = sorted(view.domain.graph(arch).hash for arch in view.domain.members or [])
    places = [hashes.index(graph.hash) for graph in found]
    assert (len(places), places[0], places[-1]) == (7, 0, len(hashes) - 1)
    assert np.ptp(np.diff(places)) <= 1  # evenly along the hashes
    assert model.among(view_of(5, toy_pool)) is found
