"""Writes docs/licences.md: the licence of everything that constraints.txt pins, as its own metadata state it.

pip resolves the pins for the running Python without installing anything and reports their metadata. Run it after a change to
constraints.txt; a test fails where the page does not name every pin.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

<!-- Written by tools/licences.py from constraints.txt; run `python3 -m nox -s licences` instead of editing. -->

The packages of this repository are under Apache-2.0; pages that `cg-ir` writes embed two libraries under MIT, whose texts are in the package. Below is
what `constraints.txt` pins for tests, documentation and extras, and the licence that each package's own metadata state. Only the few that the packages
[require](installation.md) are installed with them.

| package | version | licence |
|---|---|---|
"""


def metadata() -> list[dict[str, Any]]:
    """The metadata of every pin that applies to the running Python, by name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ("--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", str(report))
        command = [sys.executable, "-m", "pip", "install", *options, "-r", str(ROOT / "constraints.txt")]
        subprocess.run(command, check=True)
        found = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return sorted(found, key=lambda item: item["name"].lower())


def licence(item: dict[str, Any]) -> str:
    """The licence expression; in older metadata the classifiers, or the licence field if it is a name and not a text."""
    if item.get("license_expression"):
        return str(item["license_expression"])
    classifiers = [
        text.rsplit(" :: ", 1)[-1]
        for text in item.get("classifier", ())
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    field = str(item.get("license") or "").strip()
    named = field if field and "\n" not in field and len(field) < 60 else ""
    return ", ".join(classifiers) or named or "not stated"


def page() -> str:
    """docs/licences.md."""
    rows = []
    for item in metadata():
        name = re.sub(r"[-_.]+", "-", item["name"]).lower()
        version = str(item["version"]).partition("+")[0]  # a local build has the licence of its release
        rows.append(f"| {name} | {version} | {licence(item)} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
