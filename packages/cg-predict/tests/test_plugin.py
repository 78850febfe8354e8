"""What the package registers: names, and modules that are imported on use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cg_ir import get_scorer
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


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cg_predict.plugin import cg_commands, cg_scorers; cg_scorers(); cg_commands();"
        "print([m for m in ('numpy', 'scipy', 'sklearn', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
