"""The entry point: factories by name that import nothing before they are called."""

from __future__ import annotations

import inspect
import subprocess
import sys
from itertools import chain

import click
import pytest

from cg_evolve import plugin
from cg_evolve.evaluators import make_evaluator
from cg_ir import OptionError, registry

FACTORIES = list(chain(plugin.cg_spaces(), plugin.cg_evaluators(), plugin.cg_run_events()))


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.name)
def test_a_factory_has_the_options_of_what_it_makes(factory: plugin._Lazy) -> None:
    module, _, name = factory.target.partition(":")
    made = getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name)
    assert inspect.signature(factory) == inspect.signature(made)
    assert getattr(made, "name", factory.name) == factory.name


def test_the_names_are_registered() -> None:
    for kind, hook in (
        ("space", plugin.cg_spaces), ("evaluator", plugin.cg_evaluators), ("listener", plugin.cg_run_events),
    ):  # fmt: skip
        known = registry().entries(kind)
        assert {factory.name for factory in hook()} <= set(known), kind


def test_the_commands_are_there() -> None:
    for command in plugin.cg_commands():
        module, _, name = command.target.partition(":")
        assert isinstance(getattr(__import__(module, fromlist=[name]), name), click.Command)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "train:digits?epoch=3",
            "evaluator 'train' does not take these options: there is no 'epoch', did you mean 'epochs'?",
        ),
        (
            "benchmark:toy=x?log=1",
            "evaluator 'benchmark' does not take these options: there is no 'log', there are: metric",
        ),
        ("toy:x?paws=1", "evaluator 'toy' does not take these options: there is no 'paws', did you mean 'pause'?"),
    ],
)
def test_an_option_that_there_is_not_is_named_with_those_that_there_are(spec: str, message: str) -> None:
    with pytest.raises(OptionError) as told:
        make_evaluator(spec, "toy")
    assert str(told.value) == message


def test_listing_plugins_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cg_evolve import plugin\n"
        "[hook() for hook in (plugin.cg_spaces, plugin.cg_evaluators, plugin.cg_run_events, plugin.cg_commands)]\n"
        "sys.exit(' '.join(sorted({'numpy', 'torch', 'networkx', 'cg_evolve.search'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
