"""What measures an architecture: tables of labels, scorers, real training, and whatever a plugin brings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError
from cg_ir import get_evaluator, registry
from cg_ir.calls import is_call
from cg_ir.plugin_registry import split_options

if TYPE_CHECKING:
    from cg_ir.plugins import Evaluator

__all__ = ["is_function", "make_evaluator"]

_BUILT_IN = ("benchmark", "scorer", "train")


def is_function(spec: str) -> bool:
    """Whether an evaluator's text names a function: in a file, or in a module that is no evaluator's name."""
    place, colon, _ = spec.partition("?")[0].rpartition(":")
    if not colon or not is_call(spec):
        return False
    if place.endswith(".py") or place in registry().entries("evaluator"):
        return place.endswith(".py")
    return "." in place or place in sys.modules or find_spec(place) is not None  # a misspelled evaluator is no module


def make_evaluator(spec: str, space: str = "", input: Sequence[str] = (), steps: int | None = None) -> Evaluator:
    """An evaluator from its text.

    Args:
        spec: ``benchmark:NAME=PATH``, ``benchmark:FILE.csv``, ``scorer:NAME``, ``scorer:DIR``, ``train:DATASET``, ``NAME`` or ``NAME:TARGET`` of a
            plugin's evaluator, or a function, ``file.py:function`` or ``module.path:function``; options follow as ``?key=value&key=value``.
        space: name of the space that is searched.
        input: shapes of the inputs, where a callable makes the networks.
        steps: of a whole training, where it is divided into steps.

    Raises:
        SearchError: the text is none of these; other ``CgError`` from what it names.
    """
    kind, colon, rest = spec.partition(":")
    if is_function(spec):
        from cg_evolve.callable_space import shared_space
        from cg_evolve.evaluators.function import FunctionEvaluator

        return FunctionEvaluator(
            spec, shared_space(space, tuple(input)) if space and not space.startswith("<") else None, steps
        )
    target, _, query = rest.partition("?")
    if kind in _BUILT_IN and not target:
        example = {"benchmark": "benchmark:NAME=PATH", "scorer": "scorer:NAME", "train": "train:digits"}[kind]
        raise SearchError(f"the evaluator '{kind}' needs a target, as in {example}")
    if not colon:
        return get_evaluator(spec)
    name, fixed = f"{kind}?{query}" if query else kind, {"target": target}
    if kind == "benchmark":
        fixed["space"] = space
    elif kind == "train" and steps is not None:
        fixed["epochs"] = str(steps)
        epochs = split_options(name)[1].get("epochs", str(steps))
        if epochs != str(steps):
            raise SearchError(f"the steps end at {steps}, the training at {epochs} epochs: leave out epochs=")
    return get_evaluator(name, **fixed)
