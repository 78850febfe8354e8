"""Metadata of the root distribution: it consists of its requirements, the packages beside it; an extra brings each optional one.

The packages are not on an index, so the requirements have to say where they are:

* in a checkout they are the folders under ``packages/``;
* for ``git+URL`` pip makes a checkout that it deletes afterwards, while it may keep the built wheel in its cache, so
  there the requirements name the same commit of the same URL;
* with ``CG_SUITE_RELEASE=1`` they are exact versions, as for an index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


#: Packages that only an extra brings.
OPTIONAL = {"bench": "cg-bench"}


class PackagesMetadataHook(MetadataHookInterface):
    """Fills in ``dependencies`` and ``optional-dependencies`` from ``packages/*/pyproject.toml``."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        projects = read_projects(root)
        locate = locator(root, metadata["version"])
        projects = {name: project for name, project in projects.items() if name not in OPTIONAL.values()}
        metadata["dependencies"] = [f"{name}{locate(name)}" for name in projects]
        extras = sorted({extra for project in projects.values() for extra in project.get("optional-dependencies", {})})
        metadata["optional-dependencies"] = {
            extra: [
                f"{name}[{extra}]{locate(name)}"
                for name, project in projects.items()
                if extra in project.get("optional-dependencies", {})
            ]
            for extra in extras
        } | {extra: [f"{name}{locate(name)}"] for extra, name in OPTIONAL.items()}


def read_projects(root: Path) -> dict[str, dict[str, Any]]:
    """The ``[project]`` tables of the packages, by name."""
    projects = {}
    for path in sorted(root.glob("packages/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        projects[project["name"]] = project
    if not projects:
        raise FileNotFoundError(f"no packages/*/pyproject.toml under {root}: build from a full checkout")
    return projects


def locator(root: Path, version: str) -> Callable[[str], str]:
    """A function that turns a package's name into the rest of its requirement."""
    if os.environ.get("CG_SUITE_RELEASE") == "1":
        return lambda name: f"=={version}"
    commit = pinned_commit(root)
    if commit is not None:
        url, sha = commit
        return lambda name: f" @ git+{url}@{sha}#subdirectory=packages/{name}"
    return lambda name: f" @ {(root / 'packages' / name).as_uri()}"


def pinned_commit(root: Path) -> tuple[str, str] | None:
    """URL and commit of `root` if it is the temporary checkout that pip makes of a remote repository."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if not root.resolve().is_relative_to(temporary):
        return None
    if not any(part.startswith("pip-") for part in root.resolve().relative_to(temporary).parts):
        return None
    url, commit = git(root, "config", "--get", "remote.origin.url"), git(root, "rev-parse", "HEAD")
    parts = urlsplit(url)
    if not commit or not parts.hostname:
        return None  # a folder of this machine
    if parts.scheme in ("http", "https") and "@" in parts.netloc:
        return None  # credentials do not belong into a wheel
    return url, commit


def git(root: Path, *arguments: str) -> str:
    """Output of a git command in `root`; empty when it fails or there is no git."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
