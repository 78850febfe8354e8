"""What the package registers: names, and modules that are imported on use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cg_ir import GraphBuilder, get_scorer
from cg_ir.errors import CgError, OptionError
from cg_predict import LatencyScorer, Predictor
from cg_predict.plugin import cg_commands, cg_scorers

NAMES = [scorer.name for scorer in cg_scorers()]


def test_scorers_have_names_of_their_own_and_a_line_that_says_what_they_are() -> None:
    assert len(set(NAMES)) == len(NAMES) == 1 + 3 + 8 + 11
    assert all(scorer.__doc__.endswith(".") and "\n" not in scorer.__doc__ for scorer in cg_scorers())
    assert [command.name for command in cg_commands()] == ["rank", "fit", "fit-prior", "latency", "explain", "improve"]


@pytest.mark.parametrize("name", NAMES)
def test_every_scorer_is_made_under_its_name(name: str) -> None:
    if name in ("synflow", "jacov", "snip", "grasp", "fisher", "grad_norm", "naswot", "zen"):
        pytest.importorskip("torch")
    assert get_scorer(name).name == name


def test_options_go_to_the_scorer() -> None:
    predictor = get_scorer("predictor", exclude=("nb201",))
    assert isinstance(predictor, Predictor)
    assert "nb201" not in predictor.sources
    scorer = get_scorer("latency@rtx3090", batch="64")
    assert isinstance(scorer, LatencyScorer)
    assert scorer._predictor.batch == 64


def test_options_in_a_name_are_read_as_what_they_are() -> None:
    predictor = get_scorer("predictor?exclude=nb201&use_prior=false&warn=true&seed=3")
    given = {name: predictor.get_params()[name] for name in ("exclude", "use_prior", "warn", "seed")}
    assert given == {"exclude": "nb201", "use_prior": False, "warn": True, "seed": 3}
    assert get_scorer("latency@raspi4?batch=1")._predictor.batch == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("predictor?embedding=no", "predictor?embedding should be true or false, not 'no'"),
        ("predictor?seed=1.5", "predictor?seed should be a whole number, not '1.5'"),
        ("predictor?settings=x", "predictor?settings should be given in Python, not 'x'"),
        ("latency@raspi4?batch=many", "latency@raspi4?batch should be a whole number, not 'many'"),
        ("predictor?sed=1", "scorer 'predictor' does not take these options: there is no 'sed', did you mean 'seed'?"),
    ],
)
def test_options_that_are_something_else_are_refused_in_one_line(name: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        get_scorer(name)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_proxy_takes_the_batch_that_its_name_says() -> None:
    pytest.importorskip("torch")
    b = GraphBuilder()
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), kernel_shape=(3, 3), channels=4))
    graph = b.build()
    small, large = (get_scorer(f"jacov?batch={batch}").predict([graph]) for batch in (2, 8))
    assert small == get_scorer("jacov", batch=2).predict([graph]) != large
    with pytest.raises(CgError, match=r"^a proxy's batch should be at least 2, not 1$"):
        get_scorer("jacov?batch=1")


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cg_predict.plugin import cg_commands, cg_scorers; cg_scorers(); cg_commands();"
        "print([m for m in ('numpy', 'scipy', 'sklearn', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
