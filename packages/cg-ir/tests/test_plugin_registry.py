"""Plugins that misbehave lose only themselves, and are named."""

from __future__ import annotations

import json
import re
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

#: The beginning of a plugin with a hook, and the code of one that hands over a space.
HOOK = "from cg_ir.plugins import hookimpl\n@hookimpl\n"
SPACE = "from cg_ir.plugins import hookimpl\nclass S:\n    name = {}\n@hookimpl\ndef cg_spaces():\n    return [S]"

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
    "recursion": "def f(): f()\nf()",
    "memory": "raise MemoryError",
    "endless text": "raise ValueError('x' * 10**6)",
    "own base": "class Mine(BaseException): pass\nraise Mine('own')",
    "no text": "class Mute(Exception):\n    def __str__(self): raise SystemExit(0)\nraise Mute",
    "markup": "raise ValueError('[/x]\\x1b[2J\\x07')",
    "generator that fails": HOOK + "def cg_spaces():\n    yield type('S', (), {'name': 's'})\n    raise GeneratorExit",
    "arguments": HOOK + "def cg_spaces(nonsense):\n    return []",
    "list of nothing": HOOK + "def cg_evaluators():\n    return [None]",
    "name without text": SPACE.format("type('N', (), {'__str__': lambda self: 1 / 0})()"),
}


def beside(folder: Path, plugins: dict[str, str], calls: str) -> subprocess.CompletedProcess[str]:
    """What Python says of some calls while plugins are installed: distributions `bad-0`, `bad-1`, ... with these codes."""
    for number, code in enumerate(plugins.values()):
        (folder / f"bad_{number}.py").write_text(code)
        info = folder / f"bad_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[cg]\nbad{number} = bad_{number}\n")
    script = f"import sys; sys.path.insert(0, {str(folder)!r})\nimport cg_ir\nfrom cg_ir.cli import main\n{calls}\n"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


COMMANDS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]"


def test_plugins_that_misbehave_are_named_and_the_rest_works(tmp_path: Path) -> None:
    calls = "try:\n    cg_ir.graph_of('nothing')\nexcept cg_ir.SourceError:\n    pass\nmain(['plugins'])"
    child = beside(tmp_path, MISBEHAVING, calls)
    assert child.returncode == 0, child.stderr
    for number, kind in enumerate(MISBEHAVING):
        assert f"skipped bad-{number}: " in child.stderr, kind
    assert "Traceback" not in child.stderr
    assert "kind" in child.stdout
    assert not re.search(COMMANDS, child.stderr)
    assert max(map(len, child.stderr.splitlines())) < 500


#: Plugins that can be used, however odd, and what `cg plugins` must not do with them.
ODD = {
    "prints": "print('{noise}')\n" + SPACE.format("'bad0'"),
    "prints in a hook": HOOK + "def cg_spaces():\n    print('{noise}')\n    return [type('S', (), {'name': 'bad1'})]",
    "warns": "import warnings\nwarnings.warn('two\\nlines')\n" + SPACE.format("'bad2'"),
    "a name that is a command": SPACE.format("'bad\\x1b[2J\\u202e[/x]'"),
    "a name that is a number": SPACE.format("7"),
}


def test_odd_plugins_leave_the_output_alone(tmp_path: Path) -> None:
    child = beside(tmp_path, ODD, "main(['plugins', '--json'])\nmain(['plugins'])")
    assert child.returncode == 0, child.stderr
    document, _end = json.JSONDecoder().raw_decode(child.stdout)
    assert sum(str(entry["distribution"]).startswith("bad-") for entry in document["plugins"]) == len(ODD)
    assert "noise" not in child.stdout
    assert not re.search(COMMANDS, child.stdout + child.stderr)


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
