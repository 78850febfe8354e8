"""Build wheels and sdists of the packages and of the whole into dist/, for an index.

The folder of the package names what is imported; the table ``[tool.cg.distributions]`` of pyproject.toml says under which name an index knows it. Where
the two differ, copies are built in which metadata, requirements between siblings and the ``pip install`` of error messages have the other name.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
#: What holds names of distributions: metadata, and messages that tell what to install.
_NAMED = ("pyproject.toml", "README.md", "*.py")


def distribution_names(root: Path = ROOT) -> dict[str, str]:
    """The name of each distribution by the name of its folder; ``cg-suite`` is the whole."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cg"]["distributions"]
    folders = {path.name for path in root.glob("packages/*") if (path / "pyproject.toml").is_file()}
    if set(table) != {*folders, "cg-suite"}:
        raise SystemExit(f"[tool.cg.distributions] should name {', '.join(sorted(folders))} and cg-suite")
    return {folder: str(name) for folder, name in table.items()}


def rename(text: str, names: Mapping[str, str]) -> str:
    """A text with names of distributions replaced by those of the table; modules (``cg_ir``) keep theirs."""
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return text
    pattern = re.compile(rf"(?<![\w/-])({'|'.join(map(re.escape, changed))})(?![\w-])")
    return pattern.sub(lambda match: changed[match[1]], text)


def prepare(target: Path, names: Mapping[str, str]) -> None:
    """Copy what is built, under the names of the table."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "dist", "_build")
    for name in (
        "packages",
        "hatch_build.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "constraints.txt",
    ):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy2(source, target / name)
    for pattern in _NAMED:
        for path in target.rglob(pattern):
            path.write_text(rename(path.read_text(encoding="utf-8"), names), encoding="utf-8")


def build(target: Path, out: Path) -> None:
    """Build the packages, then the whole, whose requirements are their exact versions."""
    environment = {**os.environ, "CG_SUITE_RELEASE": "1"}
    for folder in [*sorted((target / "packages").iterdir()), target]:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
        subprocess.run(command, check=True, env=environment)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(out.iterdir()))], check=True)


def main() -> None:
    """Build everything, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag that is released; it should be v and the version")
    tag = parser.parse_args().tag
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if tag is not None and tag != f"v{version}":
        raise SystemExit(f"the tag {tag} does not fit version {version}: it should be v{version}")
    out = ROOT / "dist"
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), distribution_names())
        build(Path(folder), out)


if __name__ == "__main__":
    main()
