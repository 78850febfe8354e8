"""Own networks and an own training: functions as search spaces and as evaluators."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("cg_frontends")

from torch import nn  # noqa: E402

import cg_evolve  # noqa: E402
from cg_evolve import SearchError  # noqa: E402
from cg_evolve.callable_space import CallableSpace  # noqa: E402
from cg_evolve.commands import search  # noqa: E402
from cg_evolve.evaluators import make_evaluator  # noqa: E402
from cg_evolve.evaluators.function import FunctionEvaluator  # noqa: E402
from cg_evolve.steps import Progress  # noqa: E402
from cg_ir import ArchError, get_space  # noqa: E402

OWN = '''
from typing import Literal

from torch import nn


def make(depth: Literal[1, 2, 3], width: range(4, 13, 4), act: Literal["relu", "silu"] = "relu", bias=False):
    if depth == 3 and width == 12:
        raise ValueError("too large")
    layers = [nn.Conv2d(1, width, 3, padding=1, bias=bias)]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), {"relu": nn.ReLU, "silu": nn.SiLU}[act](), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def train(model, seed, scale=1.0):
    """The more parameters, the better."""
    return {"fit": scale * sum(p.numel() for p in model.parameters()), "dropouts": sum(isinstance(m, nn.Dropout) for m in model.modules())}
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


class Size(Enum):
    SMALL = 4
    LARGE = 8


def annotated(
    a: Literal[1, "two"],
    b: range(0, 10, 5),
    c: bool,
    d: Annotated[int, range(2)],
    e: Size,
    f: Literal[1] | None,
    g: float = 0.5,
):  # type: ignore[valid-type]
    raise AssertionError


def test_annotations_say_what_an_argument_can_be() -> None:
    space = CallableSpace(annotated)
    assert space.choices == {
        "a": ("1", "two"), "b": ("0", "5"), "c": ("false", "true"), "d": ("0", "1"), "e": ("4", "8"), "f": ("1", "null"),
    }  # fmt: skip
    assert space.size == 64
    with pytest.raises(SearchError, match="what can its argument 'width' be"):
        CallableSpace(lambda width: None)
    with pytest.raises(SearchError, match="no argument has two values"):
        CallableSpace(lambda width=3: None)


def test_a_function_is_a_search_space(own: Path) -> None:
    space = CallableSpace("own.py:make", ("1x8x8",))
    rng = np.random.default_rng(0)
    archs = [space.sample(rng) for _ in range(30)]
    assert all("depth=3&width=12" not in arch for arch in archs)
    assert len(list(space.enumerate())) == 3 * 3 * 2 - 2
    for arch in archs[:5]:
        child = space.mutate(arch, rng)
        assert sum(a != b for a, b in zip(arch.split("&"), child.split("&"), strict=True)) == 1
        assert space.crossover(arch, child, rng) in (arch, child)
        assert space.graph(arch).name == f"own.py:make?{arch}"
    assert space.canonical("width=4&act=relu&depth=1") == "depth=1&width=4&act=relu"
    assert "depth=3&width=12&act=silu" not in space.neighbors("depth=3&width=8&act=silu")
    for arch in ("depth=1", "depth=9&width=4&act=relu", "depth=3&width=12&act=relu", "x"):
        with pytest.raises(ArchError):
            space.graph(arch)
    fixed = CallableSpace("own.py:make?depth=1&width=4,5", ("1x8x8",))
    assert fixed.choices == {"depth": ("1",), "width": ("4", "5"), "act": ("relu", "silu")}


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


def test_a_function_gets_what_it_names() -> None:
    graph = get_space("toy").graph("cccccc")

    def everything(net, graph, arch, seed, device, budget, start, checkpoint, report):
        assert isinstance(net, nn.Module)
        return {
            "draw": float(torch.rand(())),
            "weights": float(sum(p.detach().sum() for p in net.parameters())),
            "seed": seed,
        }

    evaluator = FunctionEvaluator(everything)
    state = torch.get_rng_state()
    first = evaluator.evaluate("cccccc", graph, 7)
    assert first == evaluator.evaluate("cccccc", graph, 7)
    assert first["draw"] != evaluator.evaluate("cccccc", graph, 8)["draw"]
    assert torch.equal(state, torch.get_rng_state())
    assert FunctionEvaluator(lambda graph: graph.params).evaluate("", graph, 0) == {"accuracy": float(graph.params)}
    assert FunctionEvaluator(lambda m: torch.tensor(0.25)).evaluate("", graph, 0) == {"accuracy": 0.25}
    for bad in ("good", None, True, [1]):
        with pytest.raises(SearchError, match="should return a number or metrics by name"):
            FunctionEvaluator(lambda m, bad=bad: bad).evaluate("", graph, 0)


def yielding(model, start, checkpoint):
    done = (checkpoint / "log").read_text() if checkpoint and (checkpoint / "log").exists() else ""
    assert len(done) == start
    for step in range(start + 1, 6):
        done += str(step)
        if checkpoint:
            (checkpoint / "log").write_text(done)
        yield {"value": step / 10, "steps": len(done)}


def reporting(model, start, checkpoint, report):
    for step, value in enumerate(yielding(model, start, checkpoint), start + 1):
        report(step, value)


class Watched(Progress):
    """Notes the steps that are made."""

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.seen = [*getattr(self, "seen", []), step]
        super().report(step, metrics)


@pytest.mark.parametrize("function", [yielding, reporting])
def test_a_training_stops_at_a_step_and_goes_on(function, tmp_path: Path) -> None:
    graph = get_space("toy").graph("cccccc")
    evaluator = FunctionEvaluator(function)
    assert evaluator.evaluate("", graph, 0) == {"value": 0.5, "steps": 5.0}
    for stop, expected in ((2, [1, 2]), (2, []), (4, [3, 4]), (None, [5])):
        progress = Watched(stop, tmp_path / "state")
        result = evaluator.evaluate("", graph, 0, progress)
        assert getattr(progress, "seen", []) == expected
        assert result == {"value": (stop or 5) / 10, "steps": float(stop or 5)}
        assert sorted(progress.curve) == list(range(1, (stop or 5) + 1))
    assert [p.name for p in (tmp_path / "state").glob("step-*")] == ["step-5"]


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


def shape(width: Literal[4, 8, 16], depth: Literal[1, 2]) -> nn.Module:
    layers = [nn.Conv2d(1, width, 3), *(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(36 * width, 2))


def test_run_searches_around_a_network_and_goes_on(tmp_path: Path) -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    options = {"algorithm": "random", "input": (1, 8, 8), "directory": tmp_path / "run"}
    result = cg_evolve.run(net, size, budget=4, **options)
    assert result.best.value == max(row.graph.params for row in result.search.history)
    assert size(result.module()) == result.best.value
    seen: list[int] = []
    more = cg_evolve.run(net, size, budget=6, on_result=lambda row: seen.append(row.id), **options)
    assert seen == [4, 5]
    assert [row.arch for row in more.search.history][:4] == [row.arch for row in result.search.history]
    more.report(tmp_path / "report.html")
    with pytest.raises(SearchError, match="the run there has evaluator"):
        cg_evolve.run(net, yielding, budget=6, **options)


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


def test_run_refuses_a_function_that_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import linecache

    options = {"algorithm": "random", "input": "1x8x8", "directory": tmp_path / "run", "budget": 2}
    result = cg_evolve.run(shape, size, **options)
    assert isinstance(result.module(), nn.Sequential)
    assert result.best.arch == "width=16&depth=2" or result.best.value < size(shape(16, 2))
    (copy,) = [p for p in (tmp_path / "run" / "inputs").iterdir() if "size" in p.name]
    assert "p.numel()" in copy.read_text()
    monkeypatch.setattr("inspect.getsource", lambda made: "def size(model): return 0.0")
    linecache.clearcache()
    with pytest.raises(SearchError, match="has another content than when the run began"):
        cg_evolve.run(shape, size, **options)
