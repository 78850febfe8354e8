"""What a plugin author implements: hooks that exist, and protocols that tell what a class can do by what it has."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from cg_ir import plugins
from cg_ir.plugin_registry import KINDS
from cg_ir.plugins import (
    PROJECT,
    Benchmark,
    BenchmarkTable,
    Evaluator,
    Fits,
    Frontend,
    LazyCommand,
    Pooled,
    Prediction,
    Predicts,
    RunListener,
    Scorer,
    SearchSpace,
    Suggests,
    hookimpl,
)


@pytest.fixture
def manager() -> pluggy.PluginManager:
    found = pluggy.PluginManager(PROJECT)
    found.add_hookspecs(plugins)
    return found


def test_every_kind_that_the_registry_collects_is_a_hook(manager: pluggy.PluginManager) -> None:
    specified = {name for name in vars(manager.hook) if not name.startswith("_")}
    assert specified == {name for name in vars(plugins) if name.startswith("cg_")}
    assert set(KINDS.values()) <= specified


def test_hooks_of_all_plugins_are_asked_and_ones_that_do_not_exist_are_told(manager: pluggy.PluginManager) -> None:
    manager.register(SimpleNamespace(cg_spaces=hookimpl(lambda: ["a"])))
    manager.register(SimpleNamespace(cg_spaces=hookimpl(lambda: ["b", "c"])))
    assert sorted(manager.hook.cg_spaces()) == [["a"], ["b", "c"]]
    manager.register(SimpleNamespace(cg_space=hookimpl(lambda: ["d"])), name="mistyped")
    with pytest.raises(pluggy.PluginValidationError, match="unknown hook 'cg_space'"):
        manager.check_pending()


#: Protocols, and what a class has to have to be one.
NEEDS: dict[Any, set[str]] = {
    Frontend: {"name", "accepts", "convert"},
    SearchSpace: {"name", "size", "sample", "mutate", "crossover", "neighbors", "graph"},
    BenchmarkTable: {"metrics", "archs", "query"},
    Benchmark: {"name", "space", "open"},
    Predicts: {"predict"},
    Fits: {"fit"},
    Suggests: {"suggest"},
    Pooled: {"pooled"},
    Scorer: {"name", "predict"},
    Evaluator: {"name", "evaluate"},
    RunListener: {"name", "event", "close"},
}


@pytest.mark.parametrize("protocol", NEEDS, ids=lambda protocol: protocol.__name__)
def test_a_class_is_what_it_has_the_methods_for(protocol: Any) -> None:
    whole = dict.fromkeys(NEEDS[protocol], print)
    assert isinstance(SimpleNamespace(**whole), protocol)
    for name in whole:
        assert not isinstance(SimpleNamespace(**{k: v for k, v in whole.items() if k != name}), protocol), name


def test_what_is_optional_does_not_make_a_scorer() -> None:
    able = SimpleNamespace(name="s", predict=print)
    assert isinstance(able, Scorer)
    assert not isinstance(able, Fits | Suggests | Pooled)


def test_a_prediction_is_a_pair_whose_deviation_may_be_unknown() -> None:
    assert Prediction([1.0]) == ([1.0], None)  # type: ignore[arg-type]
    mean, std = Prediction([1.0], [0.5])  # type: ignore[arg-type]
    assert (mean, std) == ([1.0], [0.5])


def test_commands_are_values() -> None:
    command = LazyCommand("bench mine", "package.module:command", "Mine.")
    assert command == LazyCommand("bench mine", "package.module:command", "Mine.")
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.name = "other"  # type: ignore[misc]
