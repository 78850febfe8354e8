"""The sections of the conformance page beyond the node cases: exports, libraries, language models."""

# ruff: noqa: E501 - sentences of a page

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

__all__ = ["exports", "libraries", "models"]

Rows = Sequence[dict[str, Any]]
#: What the error says of networks that do something else for every input.
_DATA_DEPENDENT = "depends on the elements"


def _relative(row: dict[str, Any]) -> float | None:
    """The largest difference of the outputs, relative to the largest output where that is above 1."""
    return row["difference"] / max(1.0, row["magnitude"]) if "difference" in row else None


def libraries(rows: Rows) -> list[str]:
    """One line a library, and what failed."""
    built = [row for row in rows if row.get("built", True)]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in built:
        groups[row["library"]].append(row)
    lines = [
        "", "## Libraries that this project does not list", "",
        f"{len(built)} networks of {len(groups)} libraries from PyPI. *MACs*: those of torch's `FlopCounterMode` on meta, where it can run the network; it does not know every "
        "operator, see {doc}`results/counters`, and counts what no output needs as well (the last residual of ConvTasNet, say), which a graph leaves out. *Round trip*: `from_module(to_module(graph))` has the same hash. *Outputs*: of the network and of `to_module(graph)` with its weights "
        "lie within 1e-4, relative to the largest output where that is above 1. *Custom*: networks with an operator outside the vocabulary; round trip and outputs are not tried.",
        "", "| library | version | networks | data-dependent | converted | parameters equal | MACs equal | Custom | round trip | outputs | median seconds |",
        "|---|---|" + "--:|" * 9,
    ]  # fmt: skip
    for library, group in sorted(groups.items()):
        lines.append(f"| {library} | {group[0]['version']} | {_counts(group)} |")
    lines.append(f"| all | | {_counts(built)} |")
    failures = [line for row in built for line in _failures(row)]
    return [*lines, "", "What is not so:", "", *(failures or ["Nothing."])]


def _counts(rows: Rows) -> str:
    data = [row for row in rows if _DATA_DEPENDENT in row.get("error", "")]
    made = [row for row in rows if row.get("converted")]
    counted = [row for row in made if row.get("counted")]
    known = [row for row in made if not row["custom"]]
    compared = [row for row in known if "difference" in row or "difference_error" in row]
    close = sum((_relative(row) or 0.0) <= 1e-4 for row in compared if "difference" in row)
    cells = (
        len(rows), len(data), f"{len(made)} of {len(rows) - len(data)}", sum(row["equal"] for row in made),
        f"{sum(row['counted'] == row['macs'] for row in counted)} of {len(counted)}", len(made) - len(known),
        f"{sum(row.get('round_trip') is True for row in known)} of {len(known)}", f"{close} of {len(compared)}",
        f"{median(row['seconds'] for row in made):.2f}" if made else "",
    )  # fmt: skip
    return " | ".join(map(str, cells))


def _failures(row: dict[str, Any]) -> list[str]:
    """What a network's row says against it."""
    found = []
    if not row.get("converted"):
        found.append("data-dependent" if _DATA_DEPENDENT in row.get("error", "") else row.get("error", "")[:200])
    else:
        if not row["equal"]:
            found.append("parameters differ")
        if row.get("counted") and row["counted"] != row["macs"]:
            found.append(f"{row['macs']:,} MACs, torch's counter says {row['counted']:,}")
        if row["custom"]:
            found.append("Custom: " + ", ".join(f"{name} ({count}x)" for name, count in sorted(row["custom"].items())))
        elif row.get("round_trip") is not True:
            found.append(row.get("round_trip_error", "another hash after a round trip")[:200])
        if (_relative(row) or 0.0) > 1e-4:
            found.append(f"outputs differ by {_relative(row):.1g}")
        if "difference_error" in row:
            found.append(row["difference_error"][:200])
    return [f"- `{row['name']}`: {'; '.join(found)}"] if found else []


def exports(rows: Rows) -> list[str]:
    """One line a route and batch, and what failed."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    names = ", ".join(f"`{n.partition('/')[2]}`" for n in networks)
    lines = [
        "", "## Exports", "",
        f"{len(networks)} networks of torchvision and timm ({names}), exported by the two routes that {{doc}}`guide/models` names, and read again: parameters "
        "and MACs against those of the module, times four for four images. *Folded* is the script-based exporter as it is by default, which folds batch normalisations; read with "
        "`unfold=True` it should have the module's hash.", "",
        "| route | batch | files | parameters equal | MACs equal | without Custom |", "|---|---|" + "--:|" * 4,
    ]  # fmt: skip
    for route, batch in dict.fromkeys((row["route"], row["batch"]) for row in rows if row["route"] != "folded"):
        group = [row for row in rows if (row["route"], row["batch"]) == (route, batch)]
        same = [sum(bool(row.get(key)) for row in group) for key in ("same_parameters", "same_macs")]
        lines.append(
            f"| {route} | {batch} | {len(group)} | {same[0]} | {same[1]} | {sum(row.get('custom') == [] for row in group)} |"
        )
    folded = [row for row in rows if row["route"] == "folded" and row.get("normalised")]
    lines += [
        "",
        f"Folded and unfolded again: {sum(row['same_hash'] for row in folded)} of {len(folded)} have the module's hash.",
    ]
    failures = []
    for row in rows:
        if "error" in row:
            failures.append(f"- `{row['name']}`: {row['error'][:200]}")
        elif row["route"] == "folded":
            if row["normalised"] and not row["same_hash"]:
                failures.append(f"- `{row['name']}`: unfolded, it is another graph")
        elif not (row["same_parameters"] and row["same_macs"]):
            failures.append(f"- `{row['name']}`: {row['parameters']:,} parameters, {row['macs']:,} MACs")
        elif row["custom"]:
            failures.append(f"- `{row['name']}`: Custom: {', '.join(row['custom'])}")
    return [*lines, "", "What is not so:", "", *(failures or ["Nothing."])]


def models(rows: Rows) -> list[str]:
    """One line a language model."""
    most = max(row["memory"] for row in rows)
    lines = [
        "", "## Language models", "",
        f"{len(rows)} configurations of transformers on the meta device, without weights; the process that converted all of them held at most {most / 1e6:.0f} MB. "
        "*Active* are the parameters that one token meets. MACs of a prompt of 2,048 tokens, and of one token after it with its keys and values in the cache "
        "(`cg info model --tokens 1 --past 2048`). *Seconds* are those of both conversions.", "",
        "| model | parameters | equal | experts | active | MACs of the prompt | MACs of one token | Custom | seconds |", "|---|--:|---|---|--:|--:|--:|---|--:|",
    ]  # fmt: skip
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['name']} | {row['error'][:150]} |" + " |" * 7)
            continue
        experts = "{} of {}".format(*row["experts"]) if row["experts"] else ""
        lines.append(
            f"| {row['name']} | {row['parameters']:,} | {'yes' if row['equal'] else 'no'} | {experts} | {row['active']:,} | {row['prompt']:,} | {row['token']:,} "
            f"| {', '.join(row['custom'])} | {row['seconds']:.1f} |"
        )
    return lines
