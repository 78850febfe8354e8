"""A function of the user's own that trains and measures a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cg_evolve import SearchError
from cg_evolve.evaluators.function import FunctionEvaluator, metrics_of
from cg_evolve.steps import Progress
from cg_ir import get_space

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402


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


def test_it_is_given_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def train(graph: Any, arch: str, seed: int, budget: int, start: int, checkpoint: Path | None) -> float:
        seen.update(locals())
        return 1.0

    graph = get_space("toy").graph("cccccc")
    evaluator = FunctionEvaluator(train, budget=9)
    assert evaluator.keeps_state
    assert evaluator.evaluate("cccccc", graph, 5, Progress(3, tmp_path)) == {"accuracy": 1.0}
    assert {k: seen[k] for k in ("arch", "seed", "budget", "start")} == {
        "arch": "cccccc",
        "seed": 5,
        "budget": 9,
        "start": 0,
    }
    assert seen["graph"] is graph
    assert seen["checkpoint"] == tmp_path / "work"
    evaluator.evaluate("cccccc", graph, 5)
    assert seen["checkpoint"] is None
    assert not FunctionEvaluator(lambda graph: 1.0).keeps_state


def test_its_first_argument_is_the_network_whatever_it_is_called() -> None:
    graph = get_space("toy").graph("cccccc")

    def positional(net: Any, /, arch: str) -> float:
        return float(isinstance(net, nn.Module)) + len(arch)

    def anything(module: Any, **settings: float) -> float:
        return float(isinstance(module, nn.Module)) + len(settings)

    assert FunctionEvaluator(positional).evaluate("cccccc", graph, 0) == {"accuracy": 7.0}
    assert FunctionEvaluator(anything).evaluate("cccccc", graph, 0) == {"accuracy": 1.0}


def test_mistakes_in_its_arguments_are_found_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def train(model, a, /, b): ...\n\ndef plain(model, epochs=1): return float(epochs)\n"
    )
    with pytest.raises(SearchError, match="only the first argument of the function may be positional-only"):
        FunctionEvaluator(f"{tmp_path}/own.py:train")
    with pytest.raises(SearchError, match=r"own\.py:plain\?epoch=3: the function has no argument 'epoch'$"):
        FunctionEvaluator(f"{tmp_path}/own.py:plain?epoch=3")
    graph = get_space("toy").graph("cccccc")
    assert FunctionEvaluator(f"{tmp_path}/own.py:plain?epochs=3").evaluate("", graph, 0) == {"accuracy": 3.0}


def test_a_generator_is_closed_when_it_is_enough() -> None:
    closed: list[int] = []

    def train(graph: Any) -> Any:
        try:
            for step in range(100):
                yield step / 100
        finally:
            closed.append(step)

    progress = Progress(stop=4)
    assert FunctionEvaluator(train).evaluate("", get_space("toy").graph("cccccc"), 0, progress) == {"accuracy": 0.03}
    assert closed == [3]
    assert sorted(progress.curve) == [1, 2, 3, 4]


def test_a_training_without_a_value_says_so() -> None:
    def silent(graph: Any) -> Any:
        return iter(())

    with pytest.raises(SearchError, match=r"^the function should return a number or metrics by name, not None$"):
        FunctionEvaluator(silent).evaluate("", get_space("toy").graph("cccccc"), 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, {"accuracy": 3.0}),
        (torch.tensor([[0.5]]), {"accuracy": 0.5}),
        ({"loss": torch.tensor(2.0), "acc": 1}, {"loss": 2.0, "acc": 1.0}),
    ],
)
def test_numbers_and_mappings_are_metrics(value: Any, expected: Mapping[str, float]) -> None:
    assert metrics_of(value) == expected


@pytest.mark.parametrize("value", [True, "0.9", [0.9], 1j, torch.zeros(0, dtype=torch.bool).any()])
def test_anything_else_is_none(value: Any) -> None:
    with pytest.raises(SearchError, match="should return a number or metrics by name, not"):
        metrics_of(value)
