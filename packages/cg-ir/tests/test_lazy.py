"""Lazy public names, of a package made for the test and of the core."""

from __future__ import annotations

import importlib
import sys

import pytest

import cg_ir


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "drowsy"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from cg_ir.lazy import lazy_names\n__getattr__, __dir__ = lazy_names(__name__, {'deep': 'bed'})\n"
    )
    (folder / "bed.py").write_text("deep = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("drowsy")
    for name in ("drowsy", "drowsy.bed"):
        sys.modules.pop(name, None)


def test_a_name_is_imported_on_first_use_and_kept(package):
    assert "drowsy.bed" not in sys.modules
    assert "deep" in dir(package)
    assert "drowsy.bed" not in sys.modules
    first = package.deep
    assert first is sys.modules["drowsy.bed"].deep
    assert vars(package)["deep"] is first


def test_other_names_are_attribute_errors(package):
    with pytest.raises(AttributeError, match=r"module 'drowsy' has no attribute 'shallow'"):
        package.shallow  # noqa: B018 - the lookup is what is tested


def test_every_public_name_of_the_core_is_there():
    assert {name for name in cg_ir.__all__ if getattr(cg_ir, name) is None} == set()
    assert set(cg_ir.__all__) <= set(dir(cg_ir))
