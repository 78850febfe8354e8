"""Objectives and constraints: what a search maximises or minimises, and within what bounds."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError
from cg_evolve.latency import PREDICTED, predicted_latency
from cg_ir.direction import less_is_better

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["COSTS", "MAIN", "Constraint", "Objective", "Problem", "costs_of", "known_costs"]

#: What a graph costs before anything is measured.
COSTS: dict[str, Callable[[Graph], float]] = {
    "params": lambda graph: float(graph.params),
    "macs": lambda graph: float(graph.macs),
    "depth": lambda graph: float(graph.depth),
    "nodes": lambda graph: float(len(graph)),
}
#: Name that stands for the evaluator's main metric.
MAIN = "accuracy"

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONSTRAINT = re.compile(r"\s*([A-Za-z_][\w.@?=&-]*?)\s*(<=|>=|<|>)\s*(\S+)\s*")


def _is_known(metric: str) -> bool:
    """Whether the graph alone tells a metric."""
    return metric in COSTS or metric.startswith(PREDICTED)


def costs_of(metric: str, graphs: Sequence[Graph]) -> list[float]:
    """A metric that graphs alone tell, of each."""
    return [COSTS[metric](graph) for graph in graphs] if metric in COSTS else predicted_latency(metric, graphs)


def known_costs(graph: Graph) -> dict[str, float]:
    """Parameters, multiply-accumulates, depth and nodes of a graph."""
    return {name: cost(graph) for name, cost in COSTS.items()}


@dataclass(frozen=True)
class Objective:
    """A metric and its direction."""

    metric: str
    maximize: bool = True

    @classmethod
    def parse(cls, text: str) -> Objective:
        """``accuracy``, ``macs:min``, ``score:max``. Costs (params, macs, depth, nodes, latency, latency@DEVICE) and what its name calls a loss or an
        error (``val_loss``, ``top1_error``, ``perplexity``) are minimised unless it says ``max``."""
        metric, colon, direction = text.strip().partition(":")
        if not metric or (colon and direction not in ("min", "max")):
            raise SearchError(f"an objective is a metric, with ':min' or ':max' if need be (macs:min), not '{text}'")
        lower = metric in COSTS or less_is_better(metric)
        return cls(metric, direction == "max" if colon else not lower)

    @property
    def known(self) -> bool:
        """Whether the graph alone tells it."""
        return _is_known(self.metric)

    def utility(self, value: float) -> float:
        """The value, turned so that higher is better."""
        return value if self.maximize else -value

    def __str__(self) -> str:
        return f"{self.metric}:{'max' if self.maximize else 'min'}"


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric."""

    metric: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """``macs<600e6``, ``latency<=12``, ``latency@pixel3<20``, ``depth>=8``."""
        match = _CONSTRAINT.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            bound = float(match[3])
            if not math.isfinite(bound):
                raise ValueError
        except ValueError:
            raise SearchError(f"a constraint looks like 'macs<600e6' (<, <=, >, >=), not '{text}'") from None
        return cls(match[1], match[2], bound)

    @property
    def known(self) -> bool:
        """Whether the graph alone tells it."""
        return _is_known(self.metric)

    def holds(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return _RELATIONS[self.relation](value, self.bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:g}"


@dataclass(frozen=True)
class Problem:
    """Objectives, the first of which is the main one, and constraints.

    Args:
        objectives: at least one.
        constraints: all of them have to hold.
        implicit: nobody named an objective; it is the evaluator's main metric, whatever that is.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    implicit: bool = False

    @classmethod
    def make(
        cls, objectives: str | Sequence[str | Objective] = (), constraints: str | Sequence[str | Constraint] = ()
    ) -> Problem:
        """From one text, or texts and ready objects; without objectives the evaluator's main metric is the objective."""
        objectives = [objectives] if isinstance(objectives, str) else objectives
        constraints = [constraints] if isinstance(constraints, str) else constraints
        parsed = tuple(Objective.parse(o) if isinstance(o, str) else o for o in objectives) or (Objective(MAIN),)
        names = [objective.metric for objective in parsed]
        if len(set(names)) < len(names):
            raise SearchError(f"an objective is named twice: {', '.join(names)}")
        bounds = tuple(Constraint.parse(c) if isinstance(c, str) else c for c in constraints)
        return cls(parsed, bounds, implicit=not objectives)

    @property
    def metrics(self) -> list[str]:
        """All metrics that matter, objectives first."""
        return list(dict.fromkeys([*(o.metric for o in self.objectives), *(c.metric for c in self.constraints)]))

    @property
    def predicted(self) -> list[str]:
        """Metrics that are predicted from the graph alone."""
        return [metric for metric in self.metrics if metric.startswith(PREDICTED)]

    def admits(self, graph: Graph) -> bool:
        """Whether the constraints that the graph alone decides hold."""
        return all(c.holds(costs_of(c.metric, [graph])[0]) for c in self.constraints if c.known)

    def named(self, metrics: Iterable[str]) -> Problem:
        """The problem with the evaluator's main metric, the first of those that it gives, in place of the word that stands for it.

        Its direction is that of its own name: of ``{"loss": ...}`` less is better. Who asks for ``accuracy`` by name does not mean a loss.
        """
        names = list(metrics)
        if not names or MAIN in names or names[0] in COSTS:
            return self
        main = Objective.parse(names[0])
        if not (main.maximize or self.implicit):
            return self
        objectives = (
            main if self.implicit else replace(o, metric=main.metric) if o.metric == MAIN else o
            for o in self.objectives
        )
        constraints = (replace(c, metric=main.metric) if c.metric == MAIN else c for c in self.constraints)
        return replace(self, objectives=tuple(objectives), constraints=tuple(constraints))

    def missing(self, metrics: Iterable[str]) -> list[str]:
        """Objectives and constraints whose metric is not among these."""
        names = set(metrics)
        found = [f"objective '{o.metric}'" for o in self.objectives if o.metric not in names]
        return found + [f"constraint '{c}'" for c in self.constraints if c.metric not in names]

    def values(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives' values.

        Raises:
            SearchError: a metric is missing or no finite number.
        """
        return tuple(_look_up(objective.metric, metrics) for objective in self.objectives)

    def utilities(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives' values, turned so that higher is better."""
        return tuple(o.utility(v) for o, v in zip(self.objectives, self.values(metrics), strict=True))

    def feasible(self, metrics: Mapping[str, float]) -> bool:
        """Whether every constraint holds."""
        return all(c.holds(_look_up(c.metric, metrics)) for c in self.constraints)


def _look_up(metric: str, metrics: Mapping[str, float]) -> float:
    if metric not in metrics:
        raise SearchError(f"the evaluation has no metric '{metric}'; it has {', '.join(metrics) or 'none'}")
    value = float(metrics[metric])
    if not math.isfinite(value):
        raise SearchError(f"the metric '{metric}' is {value}")
    return value
