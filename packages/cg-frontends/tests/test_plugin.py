"""What cg-frontends registers: every frontend, space, reader and command that it has, loaded no sooner than needed."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil

import click
import pytest

from cg_frontends import plugin, spaces
from cg_ir import get_benchmark, get_space
from cg_ir.plugins import Benchmark, Frontend


def test_it_is_the_entry_point_of_the_distribution() -> None:
    (entry,) = importlib.metadata.entry_points(group="cg", name="frontends")
    assert entry.load() is plugin


def test_frontends_accept_what_is_theirs_alone() -> None:
    frontends = [make() for make in plugin.cg_frontends()]
    assert all(isinstance(frontend, Frontend) for frontend in frontends)
    for source, name in (("net.onnx", "onnx"), ("net.py:Net", "torch"), ("package.module:Net", "torch")):
        assert [f.name for f in frontends if f.accepts(source)] == [name]
    assert not any(f.accepts("nb201:|x~0|") for f in frontends)


def test_every_space_of_a_module_is_registered_once_under_its_name() -> None:
    found = plugin.cg_spaces()
    names = [space.name for space in found]
    assert len(set(names)) == len(names) > 10
    # where a class of a search space is defined it is registered, too
    modules = [importlib.import_module(f"{spaces.__name__}.{m.name}") for m in pkgutil.iter_modules(spaces.__path__)]
    named = {
        value.name
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and isinstance(getattr(value, "name", None), str)
    }
    assert named <= set(names)


@pytest.mark.parametrize("name", [space.name for space in plugin.cg_spaces() if space.name != "graphs"])
def test_spaces_are_found_by_their_names(name: str) -> None:
    assert get_space(name).name == name


@pytest.mark.parametrize("benchmark", plugin.cg_benchmarks(), ids=lambda made: made.name)
def test_readers_are_benchmarks_and_found_by_their_names(benchmark: Benchmark) -> None:
    found = get_benchmark(benchmark.name)
    assert isinstance(found, Benchmark)
    assert found.name == benchmark.name


def test_commands_are_there_and_say_what_they_do() -> None:
    for command in plugin.cg_commands():
        module, _, attribute = command.target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        assert found.name == command.name
        assert command.help.endswith(".")
        assert "\n" not in command.help
