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
- *outputs*: of the model and of `to_module(graph)` with the model's weights ({{py:func}}`cg_frontends.pytorch.copy_weights`) on the same random
  input; the largest difference, relative to the largest output where that is above 1.
- *seconds*: one conversion after a warm-up; *forward* is one bare pass on meta, *export* is `torch.export` of the same model, in the same process.

Every model is converted. What takes longer is measured on a fixed sample:
{sampled}.
"""

#: Outputs that differ by less agree.
_AGREES = 1e-4


def render(rows: Sequence[Row]) -> str:
    """The page, in Markdown."""
    families: dict[str, list[Row]] = defaultdict(list)
    compared = {(row["family"], row["name"]): row for row in rows if "difference" in row or "difference_error" in row}
    for row in rows:
        if "converted" in row or "built" in row:
            families[row["family"]].append({**row, **compared.get((row["family"], row["name"]), {})})
    parts = [_HEAD.format(transformers=len(families.get("transformers", [])), sampled=_sampled(families))]
    parts += [_summary(families)]
    for family, title in _TITLES.items():
        if family in families:
            parts.append(_family(title, sorted(families[family], key=lambda row: row["name"])))
    return "\n".join(parts)


def _sampled(families: dict[str, list[Row]]) -> str:
    parts = []
    for family, rows in families.items():
        count, time = rows[0].get("count_every", 1), rows[0].get("time_every", 1)
        agree = next((row for row in rows if "agree_every" in row), None)
        text = f"{family}, torch's counter and round trips {_every(count)}, `forward` and `torch.export` {_every(time)}"
        if agree is not None:
            text += f", outputs {_every(agree['agree_every'])} of at most {agree['most_macs'] / 1e9:.0f} billion MACs"
        parts.append(text)
    return "; ".join(parts)


def _every(number: int) -> str:
    return "all" if number == 1 else f"every {number}th" if number > 3 else f"every {('second', 'third')[number - 2]}"


def _difference(row: Row) -> float:
    """Between outputs, relative to the largest one where that is above 1."""
    return float(row["difference"]) / max(1.0, float(row["magnitude"]))


def _summary(families: dict[str, list[Row]]) -> str:
    lines = [
        "## Summary",
        "",
        "| | models | converted | parameters equal | MACs within 0.1 % | round trips | outputs agree to 1e-4 | without a Custom with parameters | "
        "time / forward | time / export | median seconds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for family in _TITLES:
        rows = families.get(family, [])
        if not rows:
            continue
        good = [r for r in rows if r.get("converted")]
        counted = [r for r in good if r.get("counted")]
        tripped = [r for r in good if "round_trip" in r or "round_trip_error" in r]
        close = sum(abs(r["macs"] - r["counted"]) <= 1e-3 * r["counted"] for r in counted)
        run = [r for r in good if "difference" in r or "difference_error" in r]
        agree = sum("difference" in r and _difference(r) <= _AGREES for r in run)
        forward = [r["seconds"] / r["forward"] for r in good if "forward" in r]
        export = [r["seconds"] / r["export"] for r in good if "export" in r]
        lines.append(
            f"| {family} | {len(rows)} | {len(good)} | {sum(r['equal'] for r in good)} | {close} of {len(counted)} | "
            f"{sum(bool(r.get('round_trip')) for r in tripped)} of {len(tripped)} | {agree} of {len(run)} | "
            f"{sum(not r['heavy'] for r in good)} | "
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
        "| model | parameters | equal | MACs | counter | round trip | outputs | nodes | seconds | export | Custom |",
        "|---|--:|:-:|--:|:-:|:-:|--:|--:|--:|--:|---|",
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
    outputs = f"{_difference(row):.0e}" if "difference" in row else "failed" if "difference_error" in row else ""
    customs = ", ".join(f"{count} {name}" for name, count in row["custom"].items())
    export = f"{row['export']:.1f}" if "export" in row else ""
    equal = "yes" if row["equal"] else "no"
    return (
        f"| `{row['name']}` | {row['parameters']:,} | {equal} | {row['macs']:,} | {counter} | {trip} | {outputs} | {row['nodes']:,} | "
        f"{row['seconds']:.2f} | {export} | {customs} |"
    )


def _text(error: str) -> str:
    """An error without the folder that packages happen to lie in."""
    folder = error.find("/site-packages/")
    if folder >= 0:
        begin = error.rfind(" ", 0, folder) + 1
        error = error[:begin] + error[folder + len("/site-packages/") :]
    return error.removeprefix("SourceError: ").replace("|", "\\|")
