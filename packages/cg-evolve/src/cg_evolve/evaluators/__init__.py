"""What measures an architecture: tables of labels, scorers, real training, and whatever a plugin brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_ir import get_evaluator
from cg_ir.registry import split_options

if TYPE_CHECKING:
    from cg_ir.plugins import Evaluator

__all__ = ["make_evaluator"]

_BUILT_IN = ("benchmark", "scorer", "train")


def make_evaluator(spec: str, space: str = "") -> Evaluator:
    """An evaluator from its text.

    Args:
        spec: ``benchmark:NAME=PATH``, ``benchmark:FILE.csv``, ``scorer:NAME``, ``scorer:DIR``, ``train:DATASET``, or ``NAME`` or ``NAME:TARGET`` of a
            plugin's evaluator; options follow as ``?key=value&key=value``.
        space: name of the space that is searched.

    Raises:
        SearchError: the text is none of these; other ``CgError`` from what it names.
    """
    kind, colon, rest = spec.partition(":")
    if kind in _BUILT_IN:
        target, _, query = rest.partition("?")
        if not target:
            example = {"benchmark": "benchmark:NAME=PATH", "scorer": "scorer:NAME", "train": "train:digits"}[kind]
            raise SearchError(f"the evaluator '{kind}' needs a target, as in {example}")
        options: dict[str, Any] = split_options(f"{kind}?{query}")[1] if query else {}
        if kind == "benchmark":
            options["space"] = space
        return get_evaluator(kind, target=target, **options)
    if colon:
        name, target = kind, rest.partition("?")[0]
        query = rest.partition("?")[2]
        options = split_options(f"{name}?{query}")[1] if query else {}
        return get_evaluator(name, target=target, **options)
    return get_evaluator(spec)
