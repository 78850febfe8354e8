"""What a release is made of, and what CI and the hooks of a contributor pin."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from build_distributions import distribution_names, prepare, rename  # noqa: E402

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = {"cg-ir": "compgraph-ir", "cg-embed": "cg-embed", "cg-suite": "compgraph"}


def test_the_table_names_every_distribution() -> None:
    assert set(distribution_names()) == {path.name for path in ROOT.glob("packages/*")} | {"cg-suite"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "cg-ir"', 'name = "compgraph-ir"'),
        ('"cg-ir~=0.1.0", "cg-embed[torch]"', '"compgraph-ir~=0.1.0", "cg-embed[torch]"'),
        ("pip install 'cg-ir[torch]'", "pip install 'compgraph-ir[torch]'"),
        ("cg_ir packages/cg-ir my-cg-ir cg-irs", "cg_ir packages/cg-ir my-cg-ir cg-irs"),
    ],
)
def test_distributions_are_renamed_and_nothing_else(text: str, expected: str) -> None:
    assert rename(text, NAMES) == expected


def test_a_new_name_reaches_metadata_requirements_and_messages(tmp_path: Path) -> None:
    prepare(tmp_path, {**distribution_names(), **NAMES})
    project = tomllib.loads((tmp_path / "packages/cg-ir/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "compgraph-ir"
    embed = tomllib.loads((tmp_path / "packages/cg-embed/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert embed["name"] == "cg-embed"
    assert any(requirement.startswith("compgraph-ir~=") for requirement in embed["dependencies"])
    assert '"compgraph-ir", "torch"' in (tmp_path / "packages/cg-ir/src/cg_ir/module/__init__.py").read_text(
        encoding="utf-8"
    )
    assert (tmp_path / "packages/cg-ir/src/cg_ir/graph.py").read_bytes() == (
        ROOT / "packages/cg-ir/src/cg_ir/graph.py"
    ).read_bytes()


def pins() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(version)
    return found


def test_hooks_use_the_pinned_tools() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    named = [part for hook in hooks for part in hook["additional_dependencies"]]
    assert {part.partition("==")[0] for part in named} == {"ruff", "nox"}
    assert all(part.partition("==")[2] in pins()[part.partition("==")[0]] for part in named)


def workflows() -> dict[str, Any]:
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob(".github/workflows/*.yml")
    }


def test_workflows_run_sessions_that_exist() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session", noxfile, flags=re.MULTILINE))
    sessions |= set(re.findall(r'name="([\w-]+)"', noxfile)) | {
        f"tests-{path.name}" for path in ROOT.glob("packages/*")
    }
    found = set()
    for workflow in workflows().values():
        for job in workflow["jobs"].values():
            for step in job["steps"]:
                called = re.match(r"python -m nox -s ([\w -]+?)(?: -- |$)", step.get("run", ""))
                found |= set(called[1].split()) if called else set()
    assert found >= {
        "tests",
        "lint",
        "typecheck",
        "docs",
        "build",
        *(f"tests-{path.name}" for path in ROOT.glob("packages/*")),
    }
    assert found <= sessions


def test_the_promised_systems_and_versions_are_tested() -> None:
    matrix = workflows()["tests"]["jobs"]["packages"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]


def test_only_the_publishing_jobs_may_ask_for_an_identity() -> None:
    allowed = {
        (name, job)
        for name, workflow in workflows().items()
        for job, what in workflow["jobs"].items()
        if "id-token" in what.get("permissions", {})
    }
    assert allowed == {("release", "publish"), ("docs", "publish")}
    assert all(workflow["permissions"] == {"contents": "read"} for workflow in workflows().values())
