"""Entry-point module of cg-evolve in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from cg_ir.plugins import LazyCommand, hookimpl


class _Lazy:
    """A factory with a name whose module is imported when it is called."""

    def __init__(self, name: str, target: str) -> None:
        self.name = name
        self.target = target

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._made)

    @property
    def _made(self) -> Any:
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def __call__(self, **options: Any) -> Any:
        return self._made(**options)


@hookimpl
def cg_spaces() -> list[_Lazy]:
    """The space around a given network."""
    return [_Lazy("graph", "cg_evolve.graph_space:GraphSpace")]


@hookimpl
def cg_evaluators() -> list[_Lazy]:
    """Tables, scorers, training."""
    return [
        _Lazy("benchmark", "cg_evolve.evaluators.benchmark:BenchmarkEvaluator"),
        _Lazy("scorer", "cg_evolve.evaluators.scorer:ScorerEvaluator"),
        _Lazy("train", "cg_evolve.evaluators.train:TrainEvaluator"),
    ]


@hookimpl
def cg_run_events() -> list[_Lazy]:
    """Logs of a run."""
    return [
        _Lazy("jsonl", "cg_evolve.listeners:JsonLines"),
        _Lazy("tensorboard", "cg_evolve.listeners:TensorBoard"),
        _Lazy("mlflow", "cg_evolve.listeners:MLflow"),
    ]


@hookimpl
def cg_commands() -> list[LazyCommand]:
    """``cg search`` and ``cg report``."""
    return [
        LazyCommand("search", "cg_evolve.commands:search", "Find the best architectures of a space."),
        LazyCommand("report", "cg_evolve.commands:report", "Turn a run into a self-contained HTML page."),
    ]
