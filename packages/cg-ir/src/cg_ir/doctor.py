"""``cg doctor``: what is installed, what is missing, what is broken, and what would help."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from cg_ir.errors import CgError
from cg_ir.plugin_registry import KINDS, registry
from cg_ir.terminal import json_option, table_console
from cg_ir.text import printable

PACKAGES = ("cg-ir", "cg-frontends", "cg-embed", "cg-predict", "cg-evolve", "cg-bench")
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_SIGNS = {"ok": ("✓", "green"), "note": ("·", "dim"), "missing": ("–", "yellow"), "broken": ("✗", "red")}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: heading under which it is listed.
        name: what was looked at.
        status: ``ok``, ``note`` (for information), ``missing`` (optional, not there) or ``broken``.
        text: what was found.
        hint: what would mend it, where something would.
    """

    topic: str
    name: str
    status: str
    text: str
    hint: str = ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> list[Finding]:
    found = [Finding("packages", "Python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")]
    for package in PACKAGES:
        version = _version(package)
        if version is None:
            found.append(Finding("packages", package, "missing", "not installed", f"pip install {package}"))
            continue
        required = _requirements(package)
        absent = [name for name, there in required.pop("", {}).items() if not there]
        text, hint = f"{version}, without {', '.join(absent)}", f"pip install --upgrade {package}"
        found.append(
            Finding("packages", package, "broken", text, hint)
            if absent
            else Finding("packages", package, "ok", version)
        )
        for extra, names in sorted(required.items()):
            label, absent = f"{package}[{extra}]", [name for name, there in names.items() if not there]
            text, hint = f"without {', '.join(absent)}", f"pip install '{label}'"
            there = ", ".join(f"{name} {version}" for name, version in names.items())
            found.append(
                Finding("extras", label, "missing", text, hint) if absent else Finding("extras", label, "ok", there)
            )
    return found


def _requirements(package: str) -> dict[str, dict[str, str | None]]:
    """What a distribution requires (under '') and what each of its extras does, with the versions that are there."""
    found: dict[str, dict[str, str | None]] = {}
    for line in metadata.requires(package) or []:
        match = _REQUIREMENT.match(line)
        if match is not None:
            extra = _EXTRA.search(match[3] or "")
            if extra is not None or not match[3]:  # else for another platform or Python, perhaps
                found.setdefault(extra[1] if extra else "", {})[match[1]] = _version(match[1])
    return found


def _plugins() -> list[Finding]:
    known = registry()
    counts: dict[str, dict[str, int]] = {}
    found = []
    for kind in KINDS:
        try:
            entries = known.entries(kind)
        except CgError as error:
            found.append(Finding("plugins", KINDS[kind], "broken", str(error)))
            continue
        for entry in entries.values():
            by_kind = counts.setdefault(entry.distribution, {})
            by_kind[kind] = by_kind.get(kind, 0) + 1
    for distribution, by_kind in sorted(counts.items()):
        text = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in by_kind.items())
        found.append(Finding("plugins", distribution, "ok", text))
    for distribution, reason in sorted(known.errors.items()):
        hint = f"pip install --upgrade {distribution}, or uninstall it"
        found.append(Finding("plugins", distribution, "broken", f"skipped: {reason}", hint))
    return found


def _data() -> list[Finding]:
    folder = os.environ.get("CG_DATA")
    hint = "export CG_DATA=FOLDER with tables of labels, for 'cg bench' and benchmark evaluators by name"
    if not folder:
        return [Finding("data", "CG_DATA", "missing", "not set", hint)]
    if not Path(folder).is_dir():
        return [Finding("data", "CG_DATA", "broken", f"{folder} is no folder", hint)]
    tables = sorted(p.name for p in Path(folder).iterdir() if p.name.endswith((".csv", ".csv.gz", ".parquet")))
    status = "ok" if tables else "missing"
    return [Finding("data", "CG_DATA", status, f"{folder}: {', '.join(tables) or 'no table of labels'}")]


def _terminal() -> list[Finding]:
    colour = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else "colours" if sys.stdout.isatty() else "piped"
    output = f"{colour}, {shutil.get_terminal_size().columns} columns, {sys.stdout.encoding or 'no encoding'}"
    cores = f"{os.cpu_count()}, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}"
    return [Finding("terminal", "output", "note", output), Finding("terminal", "cores", "note", cores)]


def _device(look: bool) -> list[Finding]:
    version = _version("torch")
    if version is None:
        return [Finding("device", "torch", "missing", "not installed", "pip install 'cg-frontends[torch]'")]
    if not look:
        return [Finding("device", "torch", "note", version, "cg doctor --device looks for accelerators")]
    try:
        import torch
    except Exception as error:  # a broken installation may fail in any way
        return [Finding("device", "torch", "broken", f"{version}: {error}".splitlines()[0])]
    found = [Finding("device", "torch", "ok", f"{version}, {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        found += [
            Finding("device", f"cuda:{i}", "ok", torch.cuda.get_device_name(i))
            for i in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        found.append(Finding("device", "mps", "ok", "Apple GPU"))
    if len(found) == 1:
        found.append(Finding("device", "accelerator", "note", "none: everything runs on the CPU"))
    return found


def examine(device: bool = False) -> list[Finding]:
    """Look at packages, extras, plugins, data and terminal.

    Args:
        device: whether to import torch and look for accelerators.
    """
    return [*_packages(), *_plugins(), *_data(), *_terminal(), *_device(device)]


@click.command()
@click.option("--device", is_flag=True, help="Import torch and look for accelerators.")
@json_option
def doctor(device: bool, as_json: bool) -> None:
    """Say what is installed, missing or broken, and what would help. Exit status 1 if something is broken."""
    found = examine(device)
    broken = any(finding.status == "broken" for finding in found)
    if as_json:
        document: dict[str, Any] = {"ok": not broken, "findings": [asdict(finding) for finding in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        _print(found)
    if broken:
        raise click.exceptions.Exit(1)


def _print(found: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    topics = list(dict.fromkeys(finding.topic for finding in found))
    table = Table(box=None, show_header=False, pad_edge=False)
    for style in ("bold", "", "", ""):
        table.add_column(style=style, overflow="fold")
    topic = ""
    for finding in sorted(found, key=lambda finding: topics.index(finding.topic)):
        sign, style = _SIGNS[finding.status]
        text = Text(printable(finding.text))
        if finding.hint:
            text.append(f"\n{finding.hint}", style="dim")
        table.add_row(
            finding.topic if finding.topic != topic else "", Text(sign, style), Text(printable(finding.name)), text
        )
        topic = finding.topic
    table_console().print(table)
