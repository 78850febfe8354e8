"""The methods of the ranking table: which are run, and what each of them has learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_bench.ranking.methods import Baseline, Chosen, Fitted, Forest, Registered
from cg_bench.ranking.references import Reference
from cg_bench.ranking.suite import METHODS, Contender, ScorerMethod, chosen_methods
from cg_bench.ranking.targets import TARGETS, Task
from cg_ir import PluginError, registry
from cg_predict.tables import LabelledFamily

NAMES = [method.name for method in METHODS]


def task_of(name: str, graphs: Path | None = None) -> Task:
    target = next(target for target in TARGETS if target.name == name)
    return Task(target, LabelledFamily(target.family, [], np.zeros(0)), Path("data"), graphs)


def made(method: str, task: Task) -> Any:
    return next(contender for contender in METHODS if contender.name == method)(task)


def test_no_two_methods_are_called_alike_and_each_makes_one_of_its_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for contender in METHODS:
        assert made(contender.name, task_of("nb101")).name == contender.name


def test_names_choose_in_the_order_of_the_tables_scorers_last() -> None:
    chosen = chosen_methods(("scorer:macs", "ours", "params"))
    assert [method.name for method in chosen] == ["params", "ours", "scorer:macs"]
    assert [method.name for method in chosen_methods()] == NAMES
    assert chosen_methods(("params", "params")) == chosen_methods(("params",))


def test_the_quick_run_has_what_takes_no_minutes() -> None:
    quick = [method.name for method in chosen_methods(quick=True)]
    assert quick == ["params", "macs", "ours", "ours, chosen labels", "descriptors + GP"]
    assert [m.name for m in chosen_methods(("fine-tuned",), quick=True)] == ["fine-tuned"]  # who names one gets it


@pytest.mark.parametrize(
    ("name", "message"), [("our", "did you mean 'ours'"), ("xyz", "no bench method is called 'xyz'")]
)
def test_an_unknown_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        chosen_methods(("params", name))


@pytest.mark.parametrize(
    ("method", "kind"),
    [("ours", Fitted), ("ours, chosen labels", Chosen), ("descriptors + GP", Fitted)],
)
def test_predictors_leave_out_the_family_that_they_rank(method: str, kind: type) -> None:
    found = made(method, task_of("transnas micro, scene"))
    assert type(found) is kind
    settings = found.predictor.get_params()
    assert settings["exclude"] == ("transnas",)
    assert not {"transnas", "nb201"} & set(found.predictor.sources)  # nb201 has the same cells
    assert (
        settings["use_prior"] == settings["embedding"] == settings["neighbourhoods"] == (method != "descriptors + GP")
    )


def test_baselines_learn_nothing_and_only_proxies_score_a_sample() -> None:
    baselines = [method for name in NAMES if isinstance(method := made(name, task_of("nb201")), Baseline)]
    assert {b.name for b in baselines if b.size is None} == {"params", "macs"}
    assert {b.size for b in baselines if b.name not in ("params", "macs")} == {100}
    assert {b.counts for b in baselines} == {(0,)}
    assert {b.name for b in baselines} <= set(registry().entries("scorer"))


def test_a_forest_learns_from_labels_alone_and_references_from_the_data_directory() -> None:
    assert isinstance(made("random forest", task_of("nb201")), Forest)
    reference = made("k-GNN", task_of("nb201"))
    assert isinstance(reference, Reference)
    assert (reference.name, reference.exclude, reference.data) == ("k-GNN", ("nb201",), Path("data"))


def test_a_family_that_is_ranked_by_groups_has_no_chosen_labels(tmp_path: Path) -> None:
    by_groups = task_of("timm, by module family", tmp_path)
    assert by_groups.by_groups
    assert made("ours, chosen labels", by_groups) is None
    assert made("ours, chosen labels", task_of("timm, by module family")) is not None


def test_a_scorer_is_a_method_by_its_own_name_or_another() -> None:
    found = ScorerMethod("macs")(task_of("nb201"))
    assert isinstance(found, Registered)
    assert (found.name, found.scorer, found.exclude) == ("scorer:macs", "macs", ("nb201",))
    assert ScorerMethod("macs", "counting").name == "counting"
    assert isinstance(ScorerMethod("macs"), Contender)
