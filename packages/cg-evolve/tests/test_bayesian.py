"""What the Bayesian search does where the predictor is wrong, and how it spreads over a front."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy_plugin import worth

from cg_evolve import ALGORITHMS, Search
from cg_evolve.algorithms.acquisition import expected_improvement, level_order
from cg_evolve.algorithms.offspring import leading
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
    algorithm = ALGORITHMS["bayesian"]("toy-gp", initial=8, **options)
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
    without = [evaluations_to_the_hidden(seed, budget, wander=budget) for seed in range(5)]
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
    algorithm = ALGORITHMS["bayesian"]("toy-gp", around=(1, 2, 3), kinds=(0.0, 1.0, 0.0))
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


def test_around_lists_the_nearest_first_and_neither_itself_nor_a_twin() -> None:
    space = get_space("toy")
    domain = Domain(space, ["cckkpp", "icckkp", "cckkpc", "kkkkpp", "pppppp", "cikkpp"], lambda graph: True)
    near = domain.around("cckkpp", 3)
    assert len(near) == 3
    distances = [domain._listing.distances(space.graph("cckkpp"))[domain.members.index(arch)] for arch in near]  # type: ignore[union-attr]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_around_keeps_to_the_constraints() -> None:
    space = get_space("toy")
    domain = Domain(space, ["cckkpp", "cckkpc", "wwwwww", "pppppp"], lambda graph: graph.params < 2500)
    assert "wwwwww" not in domain.around("cckkpp", 3)


def test_at_a_level_the_best_within_it_comes_first() -> None:
    """Utilities (score, minus cost): whatever level is drawn, no candidate that costs more than it comes before one that does not."""
    rng = np.random.default_rng(0)
    cost = rng.uniform(0, 1, 200)
    means = np.stack([cost + 0.1 * rng.standard_normal(200), -cost], axis=1)
    stds = np.stack([np.full(200, 0.1), np.zeros(200)], axis=1)
    incumbents = np.array([[0.05, -0.1], [0.1, -0.2], [0.9, -0.95]])
    firsts = []
    for seed in range(60):
        order = level_order(means, stds, incumbents, np.random.default_rng(seed))
        assert sorted(order.tolist()) == list(range(200))
        firsts.append(cost[order[0]])
    # The cheap fifth, that between the members, and the dear end: every stretch has its turn.
    counts = np.histogram(firsts, bins=[0.0, 0.2, 0.5, 0.8, 1.0])[0]
    assert counts.min() >= 5, counts


def test_cheap_levels_have_their_turn_as_often_as_dear_ones() -> None:
    """Of a front from 10 to 1,000 operations, about as many levels lie below 100 as above."""
    cost = np.geomspace(5, 1500, 400)
    means = np.stack([cost, -cost], axis=1)
    stds = np.stack([np.full(400, 0.1), np.zeros(400)], axis=1)
    incumbents = np.array([[9.0, -10.0], [99.0, -100.0], [999.0, -1000.0]])
    levels = [cost[level_order(means, stds, incumbents, np.random.default_rng(seed))[0]] for seed in range(200)]
    assert 0.4 < np.mean(np.array(levels) < 100) < 0.6


def test_improvement_over_an_incumbent_is_ordered_by_mean_and_deviation() -> None:
    values = expected_improvement(np.array([0.0, 1.0, 0.0]), np.array([0.1, 0.1, 1.0]), 0.5)
    assert values.argsort().tolist() == [0, 2, 1]


def test_candidates_of_a_large_space_include_children_of_candidates() -> None:
    """A second generation: what may be the best has children before anything of it is evaluated."""
    space = get_space("toy")

    class Large:
        name, size = "large", 10**12
        sample, mutate, crossover, graph = space.sample, space.mutate, space.crossover, space.graph

    algorithm: Any = ALGORITHMS["bayesian"]("toy-gp", initial=8, candidates=40)
    large: Any = Large()
    search = Search(large, algorithm, q=1)
    for _ in range(14):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    state = algorithm._state
    assert 40 < len(state.archs) == len(set(state.archs)) == len(state.means) == len(state.stds) == len(state.parents)
    evaluated = {row.id for row in search.history}
    assert all(set(ids) <= evaluated for ids in state.parents)
    assert np.mean([bool(ids) for ids in state.parents[40:]]) > np.mean([bool(ids) for ids in state.parents[:40]])


def test_leading_of_one_objective_are_the_greatest_of_several_the_front() -> None:
    values = np.arange(100.0)[:, None]
    assert leading(values) == list(range(99, 39, -1))
    pytest.importorskip("moocore")
    points = np.array([[0.0, 3.0], [1.0, 2.0], [0.5, 1.0], [3.0, 0.0]])
    assert leading(points) == [0, 1, 3]


def test_the_fits_of_a_listed_space_come_at_every_result_for_longer() -> None:
    used: dict[str, set[int]] = {}
    for name, spaces in (("listed", "toy"), ("made", None)):
        algorithm: Any = ALGORITHMS["bayesian"]("toy-gp", initial=8, candidates=20, eager=(30, 10))
        pool = ["".join(p) for p in np.random.default_rng(0).choice(list("ickwp"), size=(90, 6))] if spaces else None
        search = Search(get_space("toy"), algorithm, q=1, pool=pool)
        if pool is None:
            search.domain.__dict__["members"] = None
        points: set[int] = set()
        for _ in range(28):
            candidates = search.ask()
            search.tell(candidates, [worth(candidates[0].arch)])
            if algorithm._state is not None:
                points.add(algorithm._state.used)
        used[name] = points
    assert used["listed"] >= set(range(10, 28))
    assert used["made"] < used["listed"]


def test_networks_that_were_evaluated_are_no_candidates_any_more() -> None:
    pool = ["".join(p) for p in np.random.default_rng(0).choice(list("ickwp"), size=(200, 6))]
    algorithm: Any = ALGORITHMS["bayesian"]("toy-gp", initial=8, shortlist=12)
    search = Search(get_space("toy"), algorithm, q=1, pool=pool)
    for _ in range(60):
        candidates = search.ask()
        search.tell(candidates, [worth(candidates[0].arch)])
    assert "sample" not in {row.candidate.origin for row in search.history}, "the shortlist was used up"
    state = algorithm._state
    evaluated = {row.hash for row in search.history[: state.used]}
    assert len(state.archs) >= 6
    assert not {search.domain.graph(arch).hash for arch in state.archs} & evaluated
