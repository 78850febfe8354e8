from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import click
import pytest

from cg_ir.cli import cg
from cg_ir.plugins import LazyCommand


@click.group()
def garden() -> None:
    """Grow something."""


@garden.command()
def dig() -> None:
    click.echo("dug")


@click.command()
@click.option("--times", type=int, default=1)
def water(times: int) -> None:
    """Pour."""
    click.echo(f"watered {times}")


def run(*arguments: str) -> Any:
    from click.testing import CliRunner

    return CliRunner().invoke(cg, list(arguments))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, LazyCommand]:
    module = ModuleType("garden_plugin")
    module.__dict__.update(garden=garden, water=water)
    monkeypatch.setitem(sys.modules, "garden_plugin", module)
    table: dict[str, LazyCommand] = {}
    monkeypatch.setattr(type(cg), "_table", lambda self: table)
    return table


def test_a_command_joins_the_group_of_another_package(commands: dict[str, LazyCommand]) -> None:
    commands["garden"] = LazyCommand("garden", "garden_plugin:garden", "Grow something.")
    commands["garden water"] = LazyCommand("garden water", "garden_plugin:water", "Pour.")
    assert run("garden", "dig").output == "dug\n"
    assert run("garden", "water", "--times", "2").output == "watered 2\n"
    shown = run("garden", "--help").output
    assert "dig" in shown
    assert "Pour." in shown
    assert "garden water" not in run("--help").output


def test_a_group_needs_no_package_of_its_own(commands: dict[str, LazyCommand]) -> None:
    commands["garden water"] = LazyCommand("garden water", "garden_plugin:water", "Pour.")
    assert run("garden", "water").output == "watered 1\n"
    assert "Pour." in run("--help").output
    wrong = run("gardn", "water")
    assert wrong.exit_code == 2
    assert "did you mean 'garden'" in wrong.output
