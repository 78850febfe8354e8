"""What the Bayesian search does where the predictor is wrong, and how it spreads over a front."""

from __future__ import annotations

from typing import Any

import numpy as np
from toy_plugin import worth

from cg_evolve import ALGORITHMS, Search
from cg_evolve.algorithms.acquisition import Acquisition
from cg_evolve.algorithms.candidates import Listed, Made
from cg_evolve.algorithms.design import InitialDesign
from cg_evolve.algorithms.surroundings import Surroundings
from cg_evolve.domain import Domain
from cg_ir import get_space


def hidden_among(pool: list[str]) -> str:
    """The least of the neighbours of the pool's best network: a label above all others there contradicts the toy predictor."""
    domain = Domain(get_space("toy"), pool, lambda graph: True)
    assert domain.members is not None
    best = max(domain.members, key=worth)
    return min(domain.around(best, 8), key=worth)


def evaluations_to_the_hidden(seed: int, budget: int, **options: Any) -> int:
    """Evaluations until the network whose label its features contradict is proposed; ``budget + 1`` where it is not."""
    space = get_space("toy")
    rng = np.random.default_rng(4)
    pool = sorted({space.sample(rng) for _ in range(500)})
    hidden = space.graph(hidden_among(pool)).hash
    algorithm = ALGORITHMS["bayesian"]("toy-gp", design=InitialDesign(8), **options)
    search = Search("toy", algorithm, seed=seed, pool=pool, q=1)
    for number in range(1, budget + 1):
        candidates = search.ask()
        if candidates[0].hash == hidden:
            return number
        search.tell(candidates, [worth(candidates[0].arch)])
    return budget + 1


def test_what_lies_beside_the_best_is_found_though_the_predictor_thinks_little_of_it() -> None:
    budget = 60
    found = [evaluations_to_the_hidden(seed, budget) for seed in range(5)]
    without = [evaluations_to_the_hidden(seed, budget, acquisition=Acquisition(wander=budget)) for seed in range(5)]
    assert max(found) <= budget, (found, without)
    assert sum(number > budget for number in without) >= 2, (found, without)


def test_neighbours_are_proposals_with_their_parent() -> None:
    search = Search("toy", ALGORITHMS["bayesian"]("toy-gp"), q=1, pool=["".join(x) for x in np.random.default_rng(0).permutation(
        [a + b for a in ("cck", "kww", "ipc", "wwk", "pck") for b in ("kkw", "wcc", "pik", "ckw", "cwk")])])  # fmt: skip
    for _ in range(25):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    near = [row for row in search.history if row.candidate.origin == "neighbour"]
    assert near
    assert min(row.id for row in near) >= 16
    for row in near:
        (parent,) = row.candidate.parents
        best = sorted((r.value for r in search.history[: row.id] if r.value is not None), reverse=True)[:4]
        assert search.history[parent].value in best


def test_the_most_promising_near_the_best_are_proposals_with_their_parent() -> None:
    space = get_space("toy")
    rng = np.random.default_rng(4)
    pool = sorted({space.sample(rng) for _ in range(300)})
    algorithm = ALGORITHMS["bayesian"](
        "toy-gp", acquisition=Acquisition(shares=(0.0, 1.0, 0.0), surroundings=Surroundings(1, 2, 3))
    )
    search = Search("toy", algorithm, q=1, pool=pool)
    for _ in range(30):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    near = [row for row in search.history if row.candidate.origin == "nearby"]
    assert near
    assert min(row.id for row in near) >= 16
    for row in near:
        (parent,) = row.candidate.parents
        assert row.arch in search.domain.around(search.history[parent].arch, 3)
    # Where nothing near is left, the others follow.
    assert {row.candidate.origin for row in list(search.history)[16:]} == {"nearby", "acquisition"}


def test_candidates_of_a_large_space_include_children_of_candidates() -> None:
    """A second generation: what may be the best has children before anything of it is evaluated."""
    space = get_space("toy")

    class Large:
        name, size = "large", 10**12
        sample, mutate, crossover, graph = space.sample, space.mutate, space.crossover, space.graph

    algorithm: Any = ALGORITHMS["bayesian"]("toy-gp", design=InitialDesign(8), made=Made(40))
    large: Any = Large()
    search = Search(large, algorithm, q=1)
    for _ in range(14):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    state = algorithm.belief
    assert 40 < len(state.archs) == len(set(state.archs)) == len(state.means) == len(state.stds) == len(state.parents)
    evaluated = {row.id for row in search.history}
    assert all(set(ids) <= evaluated for ids in state.parents)
    assert np.mean([bool(ids) for ids in state.parents[40:]]) > np.mean([bool(ids) for ids in state.parents[:40]])


def test_the_fits_of_a_listed_space_come_at_every_result_for_longer() -> None:
    used: dict[str, set[int]] = {}
    for name, spaces in (("listed", "toy"), ("made", None)):
        algorithm: Any = ALGORITHMS["bayesian"](
            "toy-gp", design=InitialDesign(8), listed=Listed(eager=30), made=Made(20, eager=10)
        )
        pool = ["".join(p) for p in np.random.default_rng(0).choice(list("ickwp"), size=(90, 6))] if spaces else None
        search = Search(get_space("toy"), algorithm, q=1, pool=pool)
        if pool is None:
            search.domain.__dict__["members"] = None
        points: set[int] = set()
        for _ in range(28):
            candidates = search.ask()
            search.tell(candidates, [worth(candidates[0].arch)])
            if algorithm.belief is not None:
                points.add(algorithm.belief.used)
        used[name] = points
    assert used["listed"] >= set(range(10, 28))
    assert used["made"] < used["listed"]


def test_networks_that_were_evaluated_are_no_candidates_any_more() -> None:
    pool = ["".join(p) for p in np.random.default_rng(0).choice(list("ickwp"), size=(200, 6))]
    algorithm: Any = ALGORITHMS["bayesian"]("toy-gp", design=InitialDesign(8), listed=Listed(shortlist=12))
    search = Search(get_space("toy"), algorithm, q=1, pool=pool)
    for _ in range(60):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    assert "sample" not in {row.candidate.origin for row in search.history}, "the shortlist was used up"
    state = algorithm.belief
    evaluated = {row.hash for row in search.history[: state.used]}
    assert len(state.archs) >= 6
    assert not {search.domain.graph(arch).hash for arch in state.archs} & evaluated
