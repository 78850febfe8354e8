"""What the distributions have in common, and what the README says about them."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"cg-ir", "cg-frontends", "cg-embed", "cg-predict", "cg-evolve", "cg-bench"}
PROJECTS: dict[str, dict[str, Any]] = {
    path.parent.name: tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
}
each_package = pytest.mark.parametrize("package", sorted(PROJECTS))


def module_of(package: str) -> str:
    return package.replace("-", "_")


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement, maxsplit=1)[0] for requirement in requirements}


def test_the_packages_are_there() -> None:
    assert set(PROJECTS) == FOLDERS


@each_package
def test_folder_name_and_distribution_name_agree(package: str) -> None:
    assert PROJECTS[package]["name"] == package


@each_package
def test_versions_are_in_lock_step(package: str) -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = importlib.import_module(module_of(package))
    assert PROJECTS[package]["version"] == root["version"]
    assert module.__version__ == root["version"]
    assert importlib.metadata.version(package) == root["version"]


@each_package
def test_common_metadata(package: str) -> None:
    project = PROJECTS[package]
    assert project["requires-python"] == ">=3.10"
    # cg-ir embeds two MIT libraries in its pages
    assert project["license"] == ("Apache-2.0 AND MIT" if package == "cg-ir" else "Apache-2.0")
    folder = ROOT / "packages" / package
    assert (folder / "LICENSE").read_text(encoding="utf-8") == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert (folder / "src" / module_of(package) / "py.typed").is_file()
    assert (folder / project["readme"]).read_text(encoding="utf-8").startswith(f"# {package}\n")


@each_package
def test_declared_siblings_follow_the_arrows(package: str) -> None:
    allowed = {
        "cg-ir": set(),
        "cg-frontends": {"cg-ir"},
        "cg-embed": {"cg-ir"},
        "cg-predict": {"cg-ir", "cg-embed"},
        "cg-evolve": {"cg-ir"},
        "cg-bench": {"cg-ir", "cg-frontends", "cg-embed", "cg-predict", "cg-evolve"},
    }
    project = PROJECTS[package]
    required = requirement_names(project["dependencies"])
    optional = {
        name for group in project.get("optional-dependencies", {}).values() for name in requirement_names(group)
    }
    assert required & FOLDERS == allowed[package]
    assert optional & FOLDERS <= allowed[package] | {package}


@pytest.mark.parametrize("package", sorted(PROJECTS.keys() - {"cg-bench"}))  # which draws, and which nobody needs
def test_nothing_heavy_is_required(package: str) -> None:
    heavy = {"torch", "torch-geometric", "onnx", "onnxruntime", "plotly", "distributed", "dask", "matplotlib"}
    assert not requirement_names(PROJECTS[package]["dependencies"]) & heavy


@each_package
def test_every_requirement_is_pinned_in_the_constraints(package: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    project = PROJECTS[package]
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    assert {name.lower() for group in groups for name in requirement_names(group)} - FOLDERS <= pinned


def test_the_licence_page_names_every_pin() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([\w-]+) \| (\S+) \| \S", page, flags=re.MULTILINE))
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition(";") for line in lines if "==" in line]
    # the page is written on Python 3.11 or newer
    wanted = {tuple(pin.strip().split("==")) for pin, _, marker in pins if '< "3.11"' not in marker}
    assert listed - {("package", "version")} == wanted


def test_constraints_name_no_host() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-|\s@\s", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        (package, name)
        for package, project in PROJECTS.items()
        for name in project.get("entry-points", {}).get("cg", {})
    ],
)
def test_entry_point_is_installed_and_loads(package: str, name: str) -> None:
    (entry,) = [entry for entry in importlib.metadata.entry_points(group="cg", name=name) if entry.dist.name == package]
    assert entry.value == PROJECTS[package]["entry-points"]["cg"][name]
    assert entry.load().__name__ == entry.value


def test_every_package_but_the_core_is_a_plugin() -> None:
    plugins = {package for package, project in PROJECTS.items() if project.get("entry-points", {}).get("cg")}
    assert FOLDERS - {"cg-ir"} <= plugins


def test_every_extra_that_an_error_names_is_declared() -> None:
    named = {
        (match[1], match[2])
        for path in ROOT.glob("packages/*/src/**/*.py")
        for match in re.finditer(r'MissingExtra\(\s*"([\w-]+)",\s*"([\w-]+)"', path.read_text(encoding="utf-8"))
    }
    declared = {
        (package, extra) for package, project in PROJECTS.items() for extra in project.get("optional-dependencies", {})
    }
    assert named
    assert named <= declared


def test_the_extras_in_the_documentation_are_those_declared() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]*) \|", (ROOT / "docs" / "installation.md").read_text(encoding="utf-8"), flags=re.M
    )
    extras = {package: set(project.get("optional-dependencies", {})) for package, project in PROJECTS.items()}
    assert [extra for extra, packages in rows if packages == "the whole"] == ["bench"]
    shown = {
        (package, extra)
        for extra, packages in rows
        if packages != "the whole"
        for package in (re.findall(r"`([\w-]+)`", packages) or [p for p in PROJECTS if extra in extras[p]])
    }
    assert shown == {(package, extra) for package, names in extras.items() for extra in names}
    line = re.search(r"Other extras: ([^.]*)\.", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert line is not None
    assert {"torch", *re.findall(r"`(\w+)`", line[1])} == {extra for _, extra in shown} | {"bench"}


def test_readme_commands_name_sessions_that_exist() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    defined = set(re.findall(r"^def (\w+)\(session", noxfile, flags=re.MULTILINE))
    defined |= set(re.findall(r'@nox\.session\(name="([\w-]+)"', noxfile))
    defined |= {f"tests-{package}" for package in PROJECTS}
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = set(re.findall(r"nox -s ([\w-]+)", text))
        named |= set(re.findall(r"^\| `([\w-]+)`", text, flags=re.MULTILINE)) if page == "CONTRIBUTING.md" else set()
        assert named, page
        assert named <= defined, page


def test_readme_starts_with_the_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks[0].strip() == "python3 -m pip install nox && python3 -m nox -s demo"
    assert blocks[1].strip() == "python3 -m pip install nox && python3 -m nox -s tests"


def test_ci_runs_the_readme_test_command() -> None:
    assert "python3 -m nox -s tests\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
