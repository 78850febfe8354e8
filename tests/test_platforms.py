"""What only Unix has is asked for where it is used, and only where it is there; these checks need no Windows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(ROOT.glob("packages/*/src/*/**/*.py"))
PACKAGES = sorted(path.name for path in ROOT.glob("packages/*/src/*") if path.is_dir())
MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
#: Attributes of ``os`` and ``signal`` that Windows lacks.
CALLS = {
    *("chown", "fchmod", "fork", "forkpty", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice", "pread"),
    *("sched_getaffinity", "setpgid", "setsid", "statvfs", "sysconf", "uname", "wait", "waitid", "WNOHANG"),
    *("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGUSR1", "alarm", "pause", "setitimer"),
}

IMPORT_ALL = f"""
import builtins, importlib, pkgutil, sys

real, blocked = builtins.__import__, []

def without_unix(name, globals=None, *rest):
    if name in {MODULES!r} and (globals or {{}}).get("__name__", "").startswith("cg_"):
        blocked.append(globals["__name__"])
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    return real(name, globals, *rest)

builtins.__import__ = without_unix
for name in sys.argv[1:]:
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if not found.name.endswith("__main__"):
            try:
                importlib.import_module(found.name)
            except ImportError:  # an extra that is not installed
                pass
assert not blocked, f"imported without need: {{blocked}}"
"""


@pytest.mark.slow
def test_every_module_is_imported_without_unix() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, *PACKAGES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def unguarded(source: str) -> list[str]:
    """Uses of what Windows lacks in functions that do not look whether it is there (``hasattr``, or a file of /proc)."""
    if not re.search(rf"\b(os|signal)\.({'|'.join(CALLS)})\b", source):
        return []
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
            place: ast.AST = node
            while not isinstance(place, (ast.FunctionDef, ast.Module)):
                place = parents[place]
            text = ast.unparse(place)
            looks = f"hasattr({node.value.id}, '{node.attr}')" in text or "/proc/" in text
            if node.attr in CALLS and not (looks and isinstance(place, ast.FunctionDef)):
                found.append(f"{node.value.id}.{node.attr}")
    return found


def test_what_windows_lacks_is_looked_for_first() -> None:
    assert unguarded("import os\ndef end(p):\n    os.killpg(p, 9)\n") == ["os.killpg"]
    assert unguarded("import os\ndef end(p):\n    if hasattr(os, 'killpg'):\n        os.killpg(p, 9)\n") == []
    found = {str(path.relative_to(ROOT)): unguarded(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: names for path, names in found.items() if names}


def test_text_files_say_their_encoding() -> None:
    """Windows would read and write them in the encoding of its language."""
    call = re.compile(r"\.(read_text\(\)|write_text\((?!.*encoding=))")
    lines = [(path, line) for path in SOURCES for line in path.read_text(encoding="utf-8").splitlines()]
    assert not [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines if call.search(line)]
