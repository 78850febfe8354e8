"""Plugins that misbehave lose only themselves, and are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cg_ir
from cg_ir import PluginError, SourceError
from cg_ir.plugin_registry import Registry, registry
from cg_ir.plugins import LazyCommand, hookimpl

MISBEHAVING = {
    "exit": "import sys; sys.exit(0)",
    "hard": "raise SystemExit('bye')",
    "error": "raise ValueError('two\\nlines')",
    "syntax": "def",
    "generator": "raise GeneratorExit",
    "missing": "import no_such_module",
    "hook": "from cg_ir.plugins import hookimpl\n@hookimpl\ndef cg_spaces():\n    raise SystemExit(3)",
    "not a list": "from cg_ir.plugins import hookimpl\n@hookimpl\ndef cg_spaces():\n    return 7",
    "no name": "from cg_ir.plugins import hookimpl\n@hookimpl\ndef cg_commands():\n    return [object()]",
    "name": "from cg_ir.plugins import hookimpl\n"
    "class C:\n    @property\n    def name(self): raise SystemExit\n@hookimpl\ndef cg_commands():\n    return [C()]",
    "accepts": (
        "from cg_ir.plugins import hookimpl\nclass F:\n    name = 'f'\n    def accepts(self, source): raise SystemExit(0)\n"
        "@hookimpl\ndef cg_frontends():\n    return [F]"
    ),
}


@pytest.mark.parametrize("kind", MISBEHAVING)
def test_a_plugin_that_misbehaves_is_named_and_the_rest_works(tmp_path: Path, kind: str) -> None:
    (tmp_path / "bad_plugin.py").write_text(MISBEHAVING[kind])
    info = tmp_path / "bad_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cg]\nbad = bad_plugin\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import cg_ir\nfrom cg_ir.cli import main\n"
        "try:\n    cg_ir.graph_of('nothing')\nexcept cg_ir.SourceError:\n    pass\n"
        "main(['plugins'])\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert "skipped bad-plugin: " in child.stderr
    assert "Traceback" not in child.stderr
    assert "kind" in child.stdout


class Clashing:
    """A plugin with one thing that another has too, and one of its own."""

    def __init__(self, own: str) -> None:
        self.own = own

    @hookimpl
    def cg_spaces(self) -> list[Any]:
        return [SimpleNamespace(name="both"), SimpleNamespace(name=self.own)]

    @hookimpl
    def cg_commands(self) -> list[Any]:
        return [LazyCommand("both", "nowhere:f", ""), LazyCommand(self.own, "nowhere:f", "")]


def test_of_two_plugins_that_clash_only_the_clash_is_lost() -> None:
    found = Registry.discover()
    found.register(Clashing("a"), "first")
    found.register(Clashing("b"), "second")
    for kind, word in (("space", "search space"), ("command", "command")):
        assert {"a", "b"} <= found.entries(kind).keys()
        assert "both" not in found.entries(kind)
        message = f"two plugins hand over the {word} 'both': first and second; uninstall one"
        assert message in found.errors.values()
        with pytest.raises(PluginError, match=message):
            found.get(kind, "both")


def test_a_command_that_clashes_or_does_not_load_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from cg_ir.cli import main

    plugins = (Clashing("a"), Clashing("b"))
    for plugin, name in zip(plugins, ("first", "second"), strict=True):
        registry().register(plugin, name)
    try:
        for command, message in (("both", "first and second"), ("a", "cannot be loaded: ModuleNotFoundError")):
            with pytest.raises(SystemExit) as stop:
                main([command])
            assert stop.value.code == 2
            assert message in capsys.readouterr().err
        main(["plugins"])
        assert "first and second" in capsys.readouterr().err
    finally:
        for plugin in plugins:
            registry().unregister(plugin)
        registry().errors.clear()


def test_a_frontend_that_fails_to_answer_is_passed_over() -> None:
    class Broken:
        name = "broken"

        def accepts(self, source: Any) -> bool:
            raise SystemExit(0)

    class Plugin:
        @hookimpl
        def cg_frontends(self) -> list[Any]:
            return [Broken]

    plugin = Plugin()
    registry().register(plugin, "broken-plugin")
    try:
        with pytest.raises(SourceError, match="is no SOURCE"):
            cg_ir.graph_of("nothing")
        assert "broken" in registry().errors["broken-plugin"]
    finally:
        registry().unregister(plugin)
        registry().errors.clear()
