"""Own networks and an own training: functions as search spaces and as evaluators."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("cg_frontends")


import cg_evolve  # noqa: E402
from cg_evolve import SearchError  # noqa: E402
from cg_evolve.callable_space import CallableSpace  # noqa: E402
from cg_evolve.commands import search  # noqa: E402
from cg_evolve.evaluators import make_evaluator  # noqa: E402


def test_a_function_is_an_evaluator(own: Path) -> None:
    space = CallableSpace("own.py:make", ("1x8x8",))
    arch = "depth=1&width=4&act=relu"
    evaluator = make_evaluator("own.py:train?scale=2", "own.py:make", ("1x8x8",))
    found = evaluator.evaluate(arch, space.graph(arch), 0)
    assert found == {
        "fit": 2.0 * space.graph(arch).params,
        "dropouts": 1.0,
    }  # the user's own module, not one rebuilt from its graph
    for text, message in (
        ("own.py:trane", "has no 'trane'"),
        ("none.py:train", "no such file"),
        ("own.py:train?scales=2", "has no argument 'scales'"),
    ):
        with pytest.raises(SearchError, match=message):
            make_evaluator(text)


def test_a_command_searches_with_own_functions(own: Path) -> None:
    arguments = [
        sys.executable, "-m", "cg_ir.cli", "search", "own.py:make", "--input", "1x8x8", "--evaluator", "own.py:train", "--budget", "5",
        "--algorithm", "random", "--workers", "1", "-o", "run", "--json",
    ]  # fmt: skip
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["evaluations"], document["failed"]) == (5, 0)
    assert document["best"]["metrics"]["dropouts"] >= 1
    assert document["objectives"] == ["fit:max"]
    again = subprocess.run(
        [*arguments[:3], "search", "--resume", "-o", "run"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert "--allow-python" in again.stderr


def size(model) -> float:
    return float(sum(p.numel() for p in model.parameters()))


def test_one_command_searches_around_a_network_that_code_makes(own: Path) -> None:
    (own / "net.py").write_text(
        "from own import make\n\n\ndef net():\n    return make(depth=2, width=8)\n\n\ndef nets():\n    yield from (net(), make(depth=1, width=4))\n"
    )
    text = ["--input", "1x8x8", "--evaluator", "own.py:train", "--budget", "2", "--algorithm", "random", "--json"]
    result = CliRunner().invoke(search, ["graph?file=net.py:net", *text, "-o", "run"], catch_exceptions=False)
    assert json.loads(result.stdout)["failed"] == 0
    around = cg_evolve.run(
        "graph?file=net.py:nets#1", size, budget=2, input=(1, 8, 8), algorithm="random", directory="1"
    )
    assert around.search.space.base.params == 36 + 148 + 50
