from __future__ import annotations

import pytest

from cg_evolve import Constraint, Objective, SearchError
from cg_evolve.objectives import Problem
from cg_ir import get_space


def test_costs_are_minimised_and_metrics_maximised_unless_said_otherwise() -> None:
    assert [str(Objective.parse(t)) for t in ("accuracy", "macs", "latency", "params:max", "loss:min")] == [
        "accuracy:max", "macs:min", "latency:min", "params:max", "loss:min",
    ]  # fmt: skip
    assert Objective.parse("loss:min").utility(0.25) == -0.25


@pytest.mark.parametrize("text", ["", ":min", "macs:least", "macs:"])
def test_bad_objectives_are_refused(text: str) -> None:
    with pytest.raises(SearchError, match="an objective is a metric"):
        Objective.parse(text)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("macs<600e6", 6e8, False), ("macs<=600e6", 6e8, True), (" depth >= 8 ", 8, True), ("latency > 1.5", 1.5, False)],
)
def test_constraints(text: str, value: float, holds: bool) -> None:
    assert Constraint.parse(text).holds(value) is holds


@pytest.mark.parametrize("text", ["macs", "macs<", "macs=5", "macs<many", "<5", "macs<nan", "macs<inf"])
def test_bad_constraints_are_refused(text: str) -> None:
    with pytest.raises(SearchError, match="a constraint looks like"):
        Constraint.parse(text)


def test_accuracy_stands_for_the_first_metric() -> None:
    problem = Problem.make((), ["accuracy>90"])
    named = problem.named(["valid", "test"])
    assert named.values({"test": 94.0, "valid": 91.0}) == (91.0,)
    assert [str(c) for c in named.constraints] == ["valid>90"]
    assert problem.named(["test", "accuracy"]).values({"test": 1.0, "accuracy": 2.0}) == (2.0,)
    assert problem.named(["valid"]).missing(["loss"]) == ["objective 'valid'", "constraint 'valid>90'"]
    with pytest.raises(SearchError, match="no metric 'loss'; it has valid"):
        Problem.make(["loss:min"]).values({"valid": 91.0})
    with pytest.raises(SearchError, match="is nan"):
        named.values({"valid": float("nan")})
    with pytest.raises(SearchError, match="named twice"):
        Problem.make(["macs", "macs:max"])


def test_known_constraints_are_decided_by_the_graph() -> None:
    graph = get_space("toy").graph("iiiiic")
    problem = Problem.make((), [f"params<={graph.params}", "worth>5"])
    assert problem.admits(graph)
    assert not Problem.make((), [f"params<{graph.params}"]).admits(graph)
