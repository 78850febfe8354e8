from __future__ import annotations

import numpy as np
import pytest

from cg_evolve import Constraint, Objective, SearchError
from cg_evolve.config import Config
from cg_evolve.objectives import Problem
from cg_ir import get_space


def test_costs_are_minimised_and_metrics_maximised_unless_said_otherwise() -> None:
    assert [str(Objective.parse(t)) for t in ("accuracy", "macs", "latency", "params:max", "loss:min")] == [
        "accuracy:max", "macs:min", "latency:min", "params:max", "loss:min",
    ]  # fmt: skip
    assert Objective.parse("loss:min").utility(0.25) == -0.25


@pytest.mark.parametrize(
    "metric", ["loss", "val_loss", "Top1-Error", "perplexity", "test.RMSE", "depth", "latency@pixel3"]
)
def test_of_losses_errors_and_costs_less_is_better(metric: str) -> None:
    assert not Objective.parse(metric).maximize
    assert Objective.parse(f"{metric}:max").maximize


def test_a_main_metric_that_is_a_loss_is_minimised_unless_accuracy_was_asked_for() -> None:
    given = {"loss": 2.0, "acc": 0.5, "macs": 1.0}
    assert [str(o) for o in Problem.make(()).named(given).objectives] == ["loss:min"]
    assert [str(o) for o in Problem.make(["loss:max"]).named(given).objectives] == ["loss:max"]
    assert Problem.make(["accuracy", "macs"]).named(given).missing(given) == ["objective 'accuracy'"]
    assert [str(o) for o in Problem.make(["accuracy:min", "macs"]).named({"top1": 0.5}).objectives] == [
        "top1:min",
        "macs:min",
    ]


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


def test_one_text_is_one_objective_and_one_constraint() -> None:
    assert Problem.make("val_loss", "macs<1e6") == Problem.make(["val_loss"], ["macs<1e6"])
    config = Config("toy", "toy", 3, objectives="val_loss", constraints="macs<1e6", exclude="nb201", steps=[1, 3])  # type: ignore[arg-type]
    assert (config.objectives, config.constraints, config.exclude) == (("val_loss",), ("macs<1e6",), ("nb201",))
    assert config.steps == (1, 3)


def test_known_constraints_are_decided_by_the_graph() -> None:
    graph = get_space("toy").graph("iiiiic")
    problem = Problem.make((), [f"params<={graph.params}", "worth>5"])
    assert problem.admits(graph)
    assert not Problem.make((), [f"params<{graph.params}"]).admits(graph)


def test_predicted_latency_is_a_cost_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    from cg_evolve import latency
    from cg_ir import GraphBuilder

    asked = []

    class Scorer:
        def predict(self, graphs):
            asked.append(len(graphs))
            return -np.array([float(g.macs) for g in graphs])

    latency._predictor.cache_clear()
    monkeypatch.setattr(latency, "get_scorer", lambda name: Scorer())
    b = GraphBuilder("one")
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(1, 1)))
    graph = b.build()
    problem = Problem.make(["accuracy", "latency@pixel3"], [f"latency@pixel3<={graph.macs}", "latency@rtx4090<1e9"])
    assert [str(o) for o in problem.objectives] == ["accuracy:max", "latency@pixel3:min"]
    assert problem.predicted == ["latency@pixel3", "latency@rtx4090"]
    assert problem.admits(graph)
    assert not Problem.make([], [f"latency@pixel3<{graph.macs}"]).admits(graph)
    assert asked == [1, 1]  # once a device, however often it is asked for
    latency._predictor.cache_clear()


def test_an_unknown_device_is_refused() -> None:
    from cg_evolve.latency import predicted_latency

    with pytest.raises(SearchError, match="'latency@abacus' cannot be predicted"):
        predicted_latency("latency@abacus", [])
