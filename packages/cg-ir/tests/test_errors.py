"""Errors: all under one base, with the place in front, and with what to install."""

from __future__ import annotations

import inspect
import pickle

import pytest

from cg_ir import errors
from cg_ir.errors import CgError, GraphError, MissingExtra, PluginError


def test_the_place_stands_before_the_message() -> None:
    error = GraphError("no such node", "nodes[3].inputs[0]")
    assert (str(error), error.where) == ("nodes[3].inputs[0]: no such node", "nodes[3].inputs[0]")
    assert (str(GraphError("no such node")), GraphError("no such node").where) == ("no such node", "")


@pytest.mark.parametrize(("extra", "requirement"), [("png", "cg-ir[png]"), ("", "cg-ir")])
def test_what_is_missing_is_named_as_pip_takes_it(extra: str, requirement: str) -> None:
    message = f"a picture needs an optional dependency: pip install '{requirement}'"
    assert str(MissingExtra("cg-ir", extra, "a picture")) == message


def test_every_error_is_one_that_the_command_line_tells() -> None:
    found = [made for _, made in inspect.getmembers(errors, inspect.isclass) if made.__module__ == "cg_ir.errors"]
    assert len(found) == 8
    assert all(issubclass(made, CgError) for made in found)
    assert issubclass(errors.OptionError, PluginError)  # an option that is none is a plugin's, not a network's
    assert not issubclass(CgError, ValueError)


def test_errors_of_worker_processes_come_back() -> None:
    again = pickle.loads(pickle.dumps(GraphError("no such node", "nodes[3]")))
    assert (type(again), str(again), again.where) == (GraphError, "nodes[3]: no such node", "nodes[3]")
    missing = pickle.loads(pickle.dumps(MissingExtra("cg-ir", "png", "a picture")))
    assert str(missing) == str(MissingExtra("cg-ir", "png", "a picture"))
