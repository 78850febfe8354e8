"""Asking a scorer: one way to fit it and to get a prediction, whatever it can do beside the score itself.

What a scorer can do it says by what it has: ``fit`` (:class:`~cg_ir.plugins.Fits`), ``suggest`` (:class:`~cg_ir.plugins.Suggests`), and an attribute
``pooled`` that is true where ``predict`` and ``fit`` take a pool (:class:`~cg_ir.plugins.Pooled`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cg_ir.errors import OptionError, PluginError
from cg_ir.graph import Graph
from cg_ir.plugin_registry import get_scorer
from cg_ir.plugins import Fits, Prediction, Predicts


def takes_pool(scorer: Any) -> bool:
    """Whether ``predict`` and ``fit`` of a scorer take the networks among which one ranks: as its attribute ``pooled`` says.

    A scorer that says nothing takes one where both name an argument ``pool``.
    """
    said = getattr(scorer, "pooled", None)
    if said is not None:
        return bool(said)
    asked = [scorer.predict]
    if isinstance(scorer, Fits):
        asked.append(scorer.fit)
    return all("pool" in inspect.signature(function).parameters for function in asked)


def _options(scorer: Any, pool: Sequence[Graph] | None) -> dict[str, Any]:
    return {"pool": pool} if pool is not None and takes_pool(scorer) else {}


def fit(scorer: Fits, graphs: Sequence[Graph], labels: ArrayLike, pool: Sequence[Graph] | None = None) -> None:
    """Fit a scorer to labels, in the pool in which it is asked next where it takes one.

    Args:
        labels: of the graphs, (n,), higher is better.
        pool: the networks among which one will rank.
    """
    scorer.fit(graphs, labels, **_options(scorer, pool))


def predict(scorer: Predicts, graphs: Sequence[Graph], pool: Sequence[Graph] | None = None) -> Prediction:
    """Scores and standard deviations.

    Args:
        pool: the networks among which one ranks; left out where the scorer takes none.

    Raises:
        PluginError: there is not one score a network.
        NotFitted: the scorer needs labels first.
    """
    answer: Any = scorer.predict(graphs, return_std=True, **_options(scorer, pool))
    mean, std = answer if isinstance(answer, tuple) else (answer, None)
    found = Prediction(np.asarray(mean, dtype=float), None if std is None else np.asarray(std, dtype=float))
    for values in found:
        if values is not None and values.shape != (len(graphs),):
            name = getattr(scorer, "name", type(scorer).__name__)
            raise PluginError(f"the scorer '{name}' gave numbers of shape {values.shape} for {len(graphs)} networks")
    return found


def scorer_without(name: str, exclude: Sequence[str]) -> Any:
    """A scorer by name that did not learn from some families.

    Args:
        name: registered name, with options if need be.
        exclude: the families; a scorer that learns from none need not know the option.

    Raises:
        PluginError: it learned from one of them and cannot leave it out.
    """
    if not exclude:
        return get_scorer(name)
    try:
        made: Any = get_scorer(name, exclude=tuple(exclude))
    except OptionError:
        made = get_scorer(name)
    check_sources(made, exclude)
    return made


def check_sources(scorer: Any, exclude: Sequence[str]) -> None:
    """Raise where a scorer learned from one of some families; its attribute ``sources`` names those that it learned from.

    Raises:
        PluginError: it did.
    """
    learned = set(exclude) & set(getattr(scorer, "sources", None) or ())
    if learned:
        raise PluginError(f"the scorer learned from {', '.join(sorted(learned))} and cannot leave it out")
