from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from toy_plugin import ToyScorer, worth

from cg_evolve import ALGORITHMS, Candidate, Exhausted, Search, SearchError
from cg_evolve.algorithms.candidates import Made
from cg_ir import PluginError, get_space

FAST = {
    "pool": [
        "".join(p)
        for p in (f"{a}{b}{c}" for a in ("cc", "kw", "ip") for b in ("ck", "wp", "ii") for c in ("kk", "wc", "pi"))
    ]
}


def finish(search: Search, budget: int, window: int = 1, shuffle: int | None = None) -> list[tuple[str, float | None]]:
    """Run with up to `window` evaluations at once, ending in a random order."""
    order = random.Random(shuffle)
    running: list[Candidate] = []
    while len(search.history) < budget or running:
        while len(running) < window and len(search.history) < budget and search.ready():
            try:
                running += search.ask(1)
            except Exhausted:
                budget = len(search.history)
        if running:
            done = running.pop(order.randrange(len(running)) if shuffle is not None else 0)
            search.tell([done], [worth(done.arch)])
    return [(row.arch, row.value) for row in search.history]


def small_bayesian(**options: object) -> object:
    return ALGORITHMS["bayesian"]("toy-gp", made=Made(40), **options)


def make(name: str, **options: object) -> Search:
    """A search in which every algorithm is fast: the large space is not listed."""
    if name == "bayesian":
        return Search(Large(), algorithm=small_bayesian(), **options)  # type: ignore[arg-type]
    if name == "guided":
        return Search(Large(), algorithm=ALGORITHMS["guided"]("toy-gp", children=40), **options)  # type: ignore[arg-type]
    return Search(Large(), algorithm=name, **options)  # type: ignore[arg-type]


class Large:
    """The toy space as if it were too large to list."""

    def __init__(self) -> None:
        self._space = get_space("toy")
        self.name = "large"
        self.size = 10**12

    def __getattr__(self, name: str) -> object:
        if name in ("enumerate", "canonical"):
            raise AttributeError(name)
        return getattr(self._space, name)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
class TestEveryAlgorithm:
    def test_is_seeded_and_proposes_each_network_once(self, name: str) -> None:
        first, again, other = (make(name, seed=seed, q=3) for seed in (5, 5, 6))
        assert finish(first, 45) == finish(again, 45) != finish(other, 45)
        assert len({row.hash for row in first.history}) == 45

    def test_does_not_depend_on_the_order_in_which_results_come(self, name: str) -> None:
        alone = finish(make(name, seed=1, q=4), 50)
        assert finish(make(name, seed=1, q=4), 50, window=4, shuffle=3) == alone
        assert finish(make(name, seed=1, q=4), 50, window=2, shuffle=8) == alone

    def test_goes_on_where_it_was_interrupted(self, name: str) -> None:
        whole = make(name, seed=2, q=2)
        expected = finish(whole, 48)
        begun = make(name, seed=2, q=2)
        finish(begun, 37)
        resumed = make(name, seed=2, q=2)
        resumed.restore(begun.history)
        assert finish(resumed, 48) == expected

    def test_stays_in_the_pool_and_ends_when_it_is_used_up(self, name: str) -> None:
        search = Search("toy", algorithm=name, scorer="toy-gp", q=2, **FAST)
        finish(search, 1000)
        hashes = {get_space("toy").graph(arch).hash for arch in FAST["pool"]}
        assert {row.hash for row in search.history} == hashes
        assert {row.arch for row in search.history} <= set(FAST["pool"])
        with pytest.raises(Exhausted):
            search.ask()

    def test_keeps_to_the_constraints(self, name: str) -> None:
        search = make(name, seed=0, constraints=["params<2500"])
        finish(search, 40)
        assert max(row.graph.params for row in search.history) < 2500

    def test_survives_failures(self, name: str) -> None:
        search = make(name, seed=0)
        for number in range(45):
            candidates = search.ask()
            search.tell(candidates, [None if number % 3 == 0 else worth(candidates[0].arch)])
        assert len(search.history.finished()) == 45
        assert search.best is not None


@pytest.mark.parametrize("name", ["nsga2", "regularized", "random", "guided", "bayesian"])
def test_several_objectives(name: str) -> None:
    pytest.importorskip("moocore")
    search = make(name, seed=0, objectives=["worth", "macs"], q=2)
    for _ in range(60):
        candidates = search.ask(1)
        search.tell(candidates, [worth(c.arch) for c in candidates])
    front = search.front
    assert 1 < len(front) < 60
    for a in front:
        assert not any(
            b.utilities != a.utilities and all(x >= y for x, y in zip(b.utilities, a.utilities, strict=True))
            for b in search.history
        )


def best_of(search: Search, budget: int) -> float:
    return max(value for _, value in finish(search, budget) if value is not None)


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"random"}))
def test_each_algorithm_beats_random_search(name: str) -> None:
    budget, seeds = 70, range(6)
    mine = np.array([best_of(make(name, seed=s, q=2), budget) for s in seeds])
    plain = np.array([best_of(make("random", seed=s, q=2), budget) for s in seeds])
    assert (mine >= plain).sum() >= 5
    assert mine.mean() > plain.mean()


def test_the_predictor_that_learned_from_an_excluded_family_is_refused() -> None:
    class Stubborn(ToyScorer):
        sources = ("toy",)

        def __init__(self) -> None:
            self._x = None

    search = Search("toy", algorithm="guided", scorer=Stubborn(), exclude="toy")
    with pytest.raises(PluginError, match="learned from toy"):
        finish(search, 30)


def test_ask_and_tell_in_batches_without_a_lag() -> None:
    search = Search("toy", algorithm="regularized")
    for _ in range(5):
        candidates = search.ask(4)
        search.tell(candidates, [worth(c.arch) for c in candidates])
    assert len(search.history) == 20
    assert search.best is not None
    assert search.best.value == max(row.value for row in search.history)
    assert [row.value for row in search.ranking] == sorted((row.value for row in search.history), reverse=True)
    assert candidates[0].graph.hash == candidates[0].hash


def test_a_proposal_waits_for_the_results_that_it_uses() -> None:
    search = Search("toy", algorithm="random", q=2)
    first = search.ask(5)
    assert len(first) == 2
    assert not search.ready()
    with pytest.raises(SearchError, match="proposal 2 uses the result of proposal 0"):
        search.ask()
    search.tell(first[1], 1.0)
    assert not search.ready()
    search.tell(first[0], 2.0)
    assert len(search.ask(5)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "regularised"}, "did you mean 'regularized'"),
        ({"algorithm": "xyz"}, "there are: auto, random"),
        ({"q": 0}, "q should be at least 1"),
        ({"seed": -1}, "negative"),
        ({"pool": []}, "pool is empty"),
        ({"constraints": ["macs"]}, "a constraint looks like"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Search("toy", **options)  # type: ignore[arg-type]


def told(search: Search, values: Sequence[object], candidates: Sequence[Candidate]) -> None:
    search.tell(candidates, values)  # type: ignore[arg-type]


def test_bad_results_are_refused_or_recorded_as_failures() -> None:
    search = Search("toy", algorithm="random")
    candidates = search.ask(4)
    with pytest.raises(SearchError, match="need as many values"):
        told(search, [1.0], candidates)
    told(search, [float("nan"), {"a": 1.0}, {}, None], candidates)
    assert [row.status for row in search.history] == ["failed", "done", "failed", "failed"]
    with pytest.raises(SearchError, match="already has its result"):
        told(search, [1.0], candidates[:1])
    with pytest.raises(SearchError, match="is not of this search"):
        told(search, [1.0], Search("toy", algorithm="random", seed=9).ask())


def test_auto_is_bayesian_only_with_a_predictor() -> None:
    assert Search("toy", scorer="toy-gp").algorithm.name == "bayesian"
    assert Search("toy", scorer="absent").algorithm.name == "regularized"
    pytest.importorskip("moocore")
    assert Search("toy", scorer="absent", objectives=["accuracy", "macs"]).algorithm.name == "nsga2"


def test_an_own_algorithm_plugs_in() -> None:
    from cg_evolve import Proposal
    from cg_evolve.algorithms import View

    class Backwards:
        name = "backwards"

        def propose(self, view: View) -> Proposal:
            members = view.domain.members
            assert members is not None
            return Proposal(members[-1 - view.number], origin="end")

    search = Search("toy", algorithm=Backwards(), **FAST)
    assert finish(search, 3)[0][0] == "ipiipi" or search.history[0].candidate.origin == "end"


def test_the_main_metric_is_the_first_of_the_first_result() -> None:
    search = Search("toy", algorithm="random", seed=0)
    first, second, third = search.ask(3)
    search.tell(first, {"acc": float("nan"), "loss": 5.1})
    search.tell(second, {"loss": 3.0, "acc": 0.5})
    search.tell(third, {"loss": 3.0})
    assert [row.status for row in search.history] == ["failed", "done", "failed"]
    assert search.best is not None
    assert search.best.value == 0.5
    assert "no metric 'acc'; it has loss" in search.history[2].error


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_constraints_that_nothing_keeps_are_named(algorithm: str) -> None:
    search = Search(
        "toy", algorithm=algorithm, scorer="toy-gp", constraints=["params<10"], pool=["cccccc", "kkkkkk", "wwwwww"]
    )
    with pytest.raises(SearchError, match="no architecture of the pool is within the constraints"):
        search.ask()


def test_notebooks_show_what_a_search_found() -> None:
    pytest.importorskip("moocore")
    import xml.etree.ElementTree as ElementTree

    search = Search("toy", "random", seed=1, objectives=("worth", "macs:min"))
    candidates = search.ask(12)
    search.tell(candidates, [{"worth": worth(c.arch)} for c in candidates[:11]] + [None])
    root = ElementTree.fromstring(f"<div>{search._repr_html_()}</div>")
    assert "12 proposals, 12 evaluated, 1 failed" in (root.find("div").text or "")  # type: ignore[union-attr]
    lines = [[cell.text for cell in line] for line in root.iter("tr")][1:]
    assert [line[1] for line in lines] == [row.arch for row in search.ranking[:10]]
    assert repr(search).startswith("<Search of toy: 12 of 12 proposals evaluated, best ")
    shown = candidates[0]._repr_html_()
    assert candidates[0].arch in shown
    assert "<svg" in shown
