"""A search from Python in one call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from toy_plugin import ToyEvaluator, ToySpace, worth

import cg_evolve
from cg_evolve import SearchError
from cg_evolve.api import _shapes
from cg_ir import Graph, load


def size(model: Any) -> float:
    return float(sum(p.numel() for p in model.parameters()))


def depth_of(graph: Graph) -> float:
    return float(graph.depth)


def run(space: Any = "toy", evaluator: Any = "toy", **options: Any) -> cg_evolve.Result:
    return cg_evolve.run(space, evaluator, **{"budget": 4, "algorithm": "random", **options})


def test_a_call_leaves_a_run_and_its_winner(tmp_path: Path) -> None:
    seen: list[int] = []
    result = run(directory=tmp_path / "run", on_result=lambda row: seen.append(row.id))
    assert seen == [0, 1, 2, 3]
    assert result.directory == tmp_path / "run"
    assert result.best.value == max(worth(row.arch) for row in result.search.history)
    assert [row.value for row in result.ranking] == sorted((row.value for row in result.search.history), reverse=True)
    assert load(tmp_path / "run" / "winner.cg.json").hash == result.best.hash
    assert result.repeat is None
    again = run(directory=tmp_path / "run", check=True)
    assert [row.arch for row in again.search.history] == [row.arch for row in result.search.history]
    assert again.repeat is not None


def test_the_same_folder_with_other_settings_is_another_run(tmp_path: Path) -> None:
    run(directory=tmp_path / "run")
    with pytest.raises(SearchError, match="the run there has seed 0, not 1"):
        run(directory=tmp_path / "run", seed=1)
    assert len(run(directory=tmp_path / "run", budget=6).search.history) == 6


@pytest.mark.parametrize("space", [ToySpace(), ToySpace().graph("ckwpic"), "file"], ids=["space", "graph", "text"])
def test_a_space_is_a_space_a_network_or_a_text(tmp_path: Path, space: Any) -> None:
    if space == "file":
        ToySpace().graph("ckwpic").save(tmp_path / "net.cg.json")
        space = str(tmp_path / "net.cg.json")
    result = run(space, depth_of, directory=tmp_path / "run", budget=3)
    assert [row.value for row in result.search.history] == [float(row.graph.depth) for row in result.search.history]
    again = run(space, depth_of, directory=tmp_path / "run", budget=5)
    assert len(again.search.history) == 5


def test_an_evaluator_is_an_object_a_function_or_a_text(tmp_path: Path) -> None:
    found = [
        [row.value for row in run(evaluator=evaluator, directory=tmp_path / str(i)).search.history]
        for i, evaluator in enumerate(("toy", ToyEvaluator(), lambda arch: worth(arch)))
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": 3}, "a space is a network, a function that makes networks, a search space or its text, not int"),
        ({"evaluator": 3}, "an evaluator is a function, an evaluator or its text, not int"),
        ({"timeout": -1.0}, "a timeout should be positive, not -1"),
        ({"budget": 0}, "a budget should be at least 1 evaluation, not 0"),
        (
            {"evaluator": lambda arch: 1.0, "workers": 2},
            "workers load the function <lambda> from its file, and it is in none",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_mistakes_leave_no_folder(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=re.escape(message)):
        run(directory=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_search_without_a_success_has_no_best(tmp_path: Path) -> None:
    def fails(arch: str) -> float:
        raise RuntimeError(f"no {arch}")

    result = run(evaluator=fails, directory=tmp_path / "run", retries=0, give_up=0)
    assert result.ranking == []
    with pytest.raises(SearchError, match="no evaluation has succeeded within the constraints"):
        _ = result.best
    assert not list((tmp_path / "run").glob("winner*"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ()), ("3x8x8", ("3x8x8",)), ((3, 8, 8), ("3x8x8",)), (["3x8x8", (4,)], ("3x8x8", "4")), ([(3, 8, 8), (1, 2)], ("3x8x8", "1x2")),
    ],
)  # fmt: skip
def test_shapes_are_texts_tuples_or_lists_of_them(given: Any, expected: tuple[str, ...]) -> None:
    assert _shapes(given) == expected


# --- modules ----------------------------------------------------------------------------------------------------------

torch = pytest.importorskip("torch")
pytest.importorskip("cg_frontends")

from torch import nn  # noqa: E402


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
        cg_evolve.run(net, depth_of, budget=6, **options)


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
