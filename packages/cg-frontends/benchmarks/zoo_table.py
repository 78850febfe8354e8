"""Renders the zoo's measurements as a page of the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

__all__ = ["render"]

Row = dict[str, Any]
_TITLES = {"torchvision": "torchvision", "timm": "timm", "transformers": "Hugging Face transformers"}

_HEAD = """# The zoo

Every model that torchvision and timm register, and {transformers} transformers configurations as their config classes default, built on the meta device and
converted with {{py:func}}`cg_frontends.pytorch.from_module`. `nox -s zoo` writes this page.

- *parameters*: those of the graph and `unused_parameters` add up to `sum(p.numel())`, exactly.
- *MACs*: beside torch's `FlopCounterMode` on meta (2 FLOPs a MAC), where it was run and can run the model.
- *round trip*: `from_module(to_module(graph))` has the same hash, where it was tried.
- *seconds*: one conversion after a warm-up; *forward* is one bare pass on meta, *export* is `torch.export` of the same model, in the same process.
"""


def render(rows: Sequence[Row]) -> str:
    """The page, in Markdown."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[row["family"]].append(row)
    parts = [_HEAD.format(transformers=len(families.get("transformers", [])))]
    parts += [_summary(families)]
    for family, title in _TITLES.items():
        if family in families:
            parts.append(_family(title, sorted(families[family], key=lambda row: row["name"])))
    return "\n".join(parts)


def _summary(families: dict[str, list[Row]]) -> str:
    lines = [
        "## Summary",
        "",
        "| | models | converted | parameters equal | MACs within 0.1 % | round trips | without a Custom with parameters | "
        "time / forward | time / export | median seconds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for family in _TITLES:
        rows = families.get(family, [])
        if not rows:
            continue
        good = [r for r in rows if r.get("converted")]
        counted = [r for r in good if r.get("counted")]
        tripped = [r for r in good if "round_trip" in r or "round_trip_error" in r]
        close = sum(abs(r["macs"] - r["counted"]) <= 1e-3 * r["counted"] for r in counted)
        forward = [r["seconds"] / r["forward"] for r in good if "forward" in r]
        export = [r["seconds"] / r["export"] for r in good if "export" in r]
        lines.append(
            f"| {family} | {len(rows)} | {len(good)} | {sum(r['equal'] for r in good)} | {close} of {len(counted)} | "
            f"{sum(bool(r.get('round_trip')) for r in tripped)} of {len(tripped)} | {sum(not r['heavy'] for r in good)} | "
            f"{_ratio(forward)} | {_ratio(export)} | {median(r['seconds'] for r in good):.2f} |"
        )
    return "\n".join(lines) + "\n\nRatios are medians, with the number of models timed.\n"


def _ratio(values: list[float]) -> str:
    return f"{median(values):.2f} ({len(values)})" if values else ""


def _family(title: str, rows: list[Row]) -> str:
    lines = [f"## {title}", ""]
    failed = [r for r in rows if not r.get("converted")]
    if failed:
        lines += ["Not converted:", ""]
        lines += [f"- `{r['name']}`: {_text(r['error'])}" for r in failed]
        lines.append("")
    differ = [r for r in rows if r.get("counted") and r["counted"] != r["macs"]]
    if differ:
        lines += [
            "MACs that differ from torch's counter (which also counts products of constants and parameters alone):",
            "",
        ]
        lines += [
            f"- `{r['name']}`: {r['macs']:,} here, {r['counted']:,} counted ({r['macs'] / r['counted'] - 1:+.4%})"
            for r in differ
        ]
        lines.append("")
    lines += [
        "| model | parameters | equal | MACs | counter | round trip | nodes | seconds | export | Custom |",
        "|---|--:|:-:|--:|:-:|:-:|--:|--:|--:|---|",
    ]
    for row in rows:
        if row.get("converted"):
            lines.append(_line(row))
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    counter = "" if "counted" not in row else "equal" if row["counted"] == row["macs"] else "differs"
    if "counter_error" in row:
        counter = "cannot run"
    trip = "" if "round_trip" not in row and "round_trip_error" not in row else "yes" if row.get("round_trip") else "no"
    customs = ", ".join(f"{count} {name}" for name, count in row["custom"].items())
    export = f"{row['export']:.1f}" if "export" in row else ""
    equal = "yes" if row["equal"] else "no"
    return (
        f"| `{row['name']}` | {row['parameters']:,} | {equal} | {row['macs']:,} | {counter} | {trip} | {row['nodes']:,} | "
        f"{row['seconds']:.2f} | {export} | {customs} |"
    )


def _text(error: str) -> str:
    """An error without the folder that packages happen to lie in."""
    folder = error.find("/site-packages/")
    if folder >= 0:
        begin = error.rfind(" ", 0, folder) + 1
        error = error[:begin] + error[folder + len("/site-packages/") :]
    return error.removeprefix("SourceError: ").replace("|", "\\|")
