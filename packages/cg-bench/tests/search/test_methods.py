"""The algorithms by the names that the tables use."""

from __future__ import annotations

import pytest

from cg_bench.search.methods import FRONT_METHODS, HALVING, TABLE_METHODS, make_method
from cg_evolve.algorithms import ALGORITHMS, RandomSearch
from cg_evolve.algorithms.halving import SuccessiveHalving
from cg_evolve.algorithms.hyperband import Hyperband

pytestmark = pytest.mark.usefixtures("outsider")


@pytest.mark.parametrize("name", sorted({*TABLE_METHODS, *FRONT_METHODS} - {"gp"}))
def test_those_of_the_package_go_by_their_own_names(name: str) -> None:
    assert type(make_method(name, "counts", ())) is ALGORITHMS[name]


def test_two_that_compare_trainings_begin_at_random_and_one_with_the_predictor() -> None:
    steps = (1, 3, 9)
    assert set(HALVING) == {"asha", "hyperband", "halving"}
    assert isinstance(make_method("hyperband", "counts", (), steps), Hyperband)
    random, guided = (make_method(name, "counts", ("nb201",), steps) for name in ("asha", "halving"))
    assert type(random) is type(guided) is SuccessiveHalving
    assert random.steps == guided.steps == steps
    assert isinstance(random.beginning, RandomSearch)
    assert (guided.beginning.scorer, guided.beginning.exclude) == ("counts", ("nb201",))


def test_the_process_alone_has_learned_from_nobody() -> None:
    alone, ours = (make_method(name, "counts", ("nb201",)) for name in ("gp", "bayesian"))
    assert (ours.scorer, ours.exclude) == ("counts", ("nb201",))
    settings = alone.scorer.get_params()
    assert not settings["use_prior"]
    assert not settings["embedding"]
    assert ours.design.chosen
    assert not alone.design.chosen
