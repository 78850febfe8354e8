"""The algorithms that are compared, by the names that the tables use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_evolve.algorithms import ALGORITHMS, BayesianSearch
from cg_evolve.algorithms.design import InitialDesign
from cg_evolve.algorithms.halving import SuccessiveHalving
from cg_evolve.algorithms.hyperband import Hyperband
from cg_ir import get_scorer

__all__ = ["FRONT_METHODS", "GUIDED", "HALVING", "TABLE_METHODS", "TRAIN_METHODS", "make_method"]

#: On one objective.
TABLE_METHODS = ("random", "local", "regularized", "guided", "gp", "bayesian")
#: Those that compare trainings before they end, on tables that have values after fewer epochs: without a predictor and with it.
HALVING = ("asha", "hyperband", "halving")
#: On two.
FRONT_METHODS = ("random", "nsga2", "bayesian")
#: On real training.
TRAIN_METHODS = ("random", "bayesian")
#: Those that a predictor guides, and that need a fraction of the others' evaluations.
GUIDED = ("guided", "gp", "bayesian")


def make_method(name: str, scorer: str, exclude: tuple[str, ...], steps: Sequence[int] = (), compare: str = "") -> Any:
    """An algorithm.

    Args:
        name: one of ``ALGORITHMS``, or ``gp``: the Gaussian process without anything learned from other families, after 16 random networks.
        scorer: the predictor of ``guided`` and ``bayesian``.
        exclude: families whose labels it must not have learned from.
        steps: epochs at which those of ``HALVING`` compare trainings.
        compare: metric by which they compare them before the last of these.
    """
    if name == "hyperband":
        return Hyperband(steps, compare=compare)
    if name in HALVING:
        return SuccessiveHalving(steps, scorer if name == "halving" else None, exclude, compare=compare)
    if name == "gp":
        return BayesianSearch(
            get_scorer("predictor", use_prior=False, embedding=False), design=InitialDesign(chosen=False)
        )
    if name in GUIDED:
        return ALGORITHMS[name](scorer=scorer, exclude=exclude)
    return ALGORITHMS[name]()
