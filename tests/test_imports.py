"""Nothing heavy is imported before it is needed: plugin discovery and the command's help stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path.name for path in ROOT.glob("packages/*/src/*") if path.is_dir())
HEAVY = ("torch", "torch_geometric", "onnx", "onnxruntime", "sklearn", "pandas", "plotly", "matplotlib", "distributed")

RUN_COMMAND = """
import contextlib, io, json, sys
from cg_ir.cli import main
output = io.StringIO()
with contextlib.redirect_stdout(output):
    try:
        main({arguments!r})
    except SystemExit as end:
        assert end.code in (0, None), end.code
print(json.dumps([output.getvalue(), sorted(set({heavy!r}) & set(sys.modules))]))
"""


def heavy_after(code: str) -> list[str]:
    """Which heavy modules a fresh interpreter has loaded after `code`."""
    code += f"\nimport json, sys\nprint(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_package_imports_nothing_heavy(module: str) -> None:
    assert heavy_after(f"import {module}") == []


@pytest.mark.parametrize("module", [name for name in MODULES if name != "cg_ir"])
def test_importing_a_plugin_module_imports_nothing_heavy(module: str) -> None:
    assert heavy_after(f"import {module}.plugin") == []


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"]])
def test_the_command_answers_without_heavy_imports(arguments: list[str]) -> None:
    code = RUN_COMMAND.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    output, heavy = json.loads(done.stdout.splitlines()[-1])
    assert output.strip()
    assert heavy == []


def test_help_imports_not_even_numpy() -> None:
    """What keeps `cg --help` under 0.3 s (the benchmark measures it): nothing is imported that takes time."""
    code = RUN_COMMAND.format(
        arguments=["--help"], heavy=(*HEAVY, "numpy", "scipy", "networkx", "rich", "jsonschema", "yaml")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[1] == []
