"""The plugin template: what it yields installs, is found, and passes its own tests."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "templates" / "plugin"


def render(target: Path, **answers: object) -> Path:
    copier = pytest.importorskip("copier")
    copier.run_copy(str(TEMPLATE), str(target), data=answers, defaults=True, quiet=True, vcs_ref=None)
    return target


def run(*command: str, folder: Path, site: Path) -> str:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def install(project: Path, site: Path) -> None:
    command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(site)]
    run(sys.executable, *command, str(project), folder=project, site=site)


@pytest.mark.slow
def test_the_rendered_plugin_installs_is_listed_and_passes_its_tests(tmp_path: Path) -> None:
    project, site = render(tmp_path / "plugin"), tmp_path / "site"
    install(project, site)
    listed = run(sys.executable, "-m", "cg_ir.cli", "plugins", folder=tmp_path, site=site)
    for name in ("mynets ", "mynets-layers", "mynets-size", "cg-mynets"):
        assert name in listed
    shown = run(sys.executable, "-m", "cg_ir.cli", "info", "mynets:3x16-3x32-5x32", folder=tmp_path, site=site)
    assert "parameters" in shown
    tested = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=project, site=site)
    assert " passed" in tested
    assert "failed" not in tested


@pytest.mark.slow
def test_one_part_alone_with_awkward_answers_works_as_well(tmp_path: Path) -> None:
    answers = {"name": "two_words", "parts": ["scorer"], "description": 'Says "hello"\\n', "author": 'A "B" C'}
    project, site = render(tmp_path / "plugin", **answers), tmp_path / "site"
    files = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert "src/cg_two_words/scorer.py" in files
    assert not any("space" in file or "frontend" in file or "layers" in file for file in files)
    install(project, site)
    tested = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=project, site=site)
    assert " passed" in tested


def test_what_is_rendered_is_clean(tmp_path: Path) -> None:
    project = render(tmp_path / "plugin")
    for path in project.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n")
            assert not text.endswith("\n\n"), path
            assert "{%" not in text, path
            if path.suffix == ".py":
                compile(text, str(path), "exec")


@pytest.mark.parametrize("command", [("check", "--select", "E,F,I,UP,B"), ("format", "--check")])
def test_what_is_rendered_passes_ruff(tmp_path: Path, command: tuple[str, ...]) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed here")
    project = render(tmp_path / "plugin")
    run(sys.executable, "-m", "ruff", *command, ".", folder=project, site=tmp_path)
