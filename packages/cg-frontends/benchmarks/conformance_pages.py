"""The sections of the conformance page beyond the node cases: exports, libraries, language models."""

# ruff: noqa: E501 - sentences of a page

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

__all__ = ["exports", "libraries", "models", "summary", "times"]

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
    listed = sum({row["library"]: row["listed"] for row in rows}.values())
    reached = (
        ""
        if len(rows) == listed
        else f" (a part of the {listed} that `third_party_networks.py` lists, of every library its first)"
    )
    lines = [
        "", "## Libraries that this project does not list", "",
        f"{len(built)} networks{reached} of {len(groups)} libraries from PyPI. *MACs*: those of torch's `FlopCounterMode` on meta, where it can run the network; it does not know every "
        "operator (Fourier transforms, say), see {doc}`results/counters`, and counts what no output needs as well (the last residual of ConvTasNet, say), which a graph leaves out. *Round trip*: `from_module(to_module(graph))` has the same hash. *Outputs*: of the network and of `to_module(graph)` with its weights "
        "lie within 1e-4, relative to the largest output where that is above 1. *Custom*: networks with an operator outside the vocabulary; round trip and outputs are not tried.",
        "", "| library | version | networks | data-dependent | converted | parameters equal | MACs equal | Custom | round trip | outputs | median seconds |",
        "|---|---|" + "--:|" * 9,
    ]  # fmt: skip
    for library, group in sorted(groups.items()):
        lines.append(f"| {library} | {group[0]['version']} | {_counts(group)} |")
    lines.append(f"| all | | {_counts(built)} |")
    failures = [line for row in built for line in _failures(row)]
    return [*lines, "", "What is not so:", "", *(failures or ["Nothing."])]


class _Outcome:
    """What became of the networks of libraries: those that convert, those without a Custom, and those whose outputs were compared."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.data = [row for row in rows if _DATA_DEPENDENT in row.get("error", "")]
        self.made = [row for row in rows if row.get("converted")]
        self.known = [row for row in self.made if not row["custom"]]
        self.compared = [row for row in self.known if "difference" in row or "difference_error" in row]
        self.same = [row for row in self.known if row.get("round_trip") is True]
        self.close = [row for row in self.compared if "difference" in row and (_relative(row) or 0.0) <= 1e-4]

    @property
    def able(self) -> int:
        """Networks that do not depend on data."""
        return len(self.rows) - len(self.data)


def _counts(rows: Rows) -> str:
    found = _Outcome(rows)
    counted = [row for row in found.made if row.get("counted")]
    cells = (
        len(rows), len(found.data), f"{len(found.made)} of {found.able}", sum(row["equal"] for row in found.made),
        f"{sum(row['counted'] == row['macs'] for row in counted)} of {len(counted)}", len(found.made) - len(found.known),
        f"{len(found.same)} of {len(found.known)}", f"{len(found.close)} of {len(found.compared)}",
        f"{median(row['seconds'] for row in found.made):.2f}" if found.made else "",
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
        "and MACs against those of the module, times four for four images. *Folded* is the script-based exporter as it is by default, which folds batch normalisations and other "
        "constants; read with `unfold=True` the file should be the module's graph.", "",
        "| route | batch | files | parameters equal | MACs equal | without Custom |", "|---|---|" + "--:|" * 4,
    ]  # fmt: skip
    for route, batch in dict.fromkeys((row["route"], row["batch"]) for row in rows if row["route"] != "folded"):
        group = [row for row in rows if (row["route"], row["batch"]) == (route, batch)]
        same = [sum(bool(row.get(key)) for row in group) for key in ("same_parameters", "same_macs")]
        lines.append(
            f"| {route} | {batch} | {len(group)} | {same[0]} | {same[1]} | {sum(row.get('custom') == [] for row in group)} |"
        )
    lines += ["", *_folded([row for row in rows if row["route"] == "folded" and "error" not in row])]
    failures = [f"- `{row['name']}`: {reason}" for row in rows if (reason := _export_failure(row))]
    return [*lines, "", "What is not so:", "", *(failures or ["Nothing."])]


def _folded(rows: Rows) -> list[str]:
    """What became of files into which batch normalisations were folded."""
    normalised = [row for row in rows if row["normalised"]]
    same = {
        "the module's hash": sum(row["same_hash"] for row in normalised),
        "its parameters and MACs": sum(row["same_parameters"] and row["same_macs"] for row in normalised),
        "its predicted score": sum(_same_score(row) for row in normalised),
    }
    furthest = max((abs(row["score_folded"] - row["score"]) for row in normalised), default=0.0)
    return [
        f"Folded: {sum(row['said'] for row in normalised)} of {len(normalised)} files say so by a warning; their scores are up to {furthest:.2f} off. Unfolded again, "
        + ", ".join(f"{count} have {what}" for what, count in same.items())
        + ". What is unfolded has the default epsilon and no bias of its own, whatever there was."
    ]


def _same_score(row: dict[str, Any]) -> bool:
    return abs(row["score_unfolded"] - row["score"]) < 1e-6


def _export_failure(row: dict[str, Any]) -> str:
    """What an export's row says against it; nothing, where all is as it should be."""
    if "error" in row:
        return str(row["error"])[:200]
    if not (row["same_parameters"] and row["same_macs"]):
        return f"{row['parameters']:,} parameters, {row['macs']:,} MACs"
    if row["custom"]:
        return f"Custom: {', '.join(row['custom'])}"
    if row["route"] == "folded" and not row["same_hash"]:
        same = (
            "with the same score"
            if _same_score(row)
            else f"whose score is {row['score_unfolded'] - row['score']:+.2f} off"
        )
        return f"another graph {same}"
    return ""


def times(rows: Rows) -> list[str]:
    """Conversions beside bare forward passes."""
    nets, layers = [row for row in rows if "/" in row["name"]], [row for row in rows if "/" not in row["name"]]
    ratios = [row["convert"] / row["forward"] for row in nets]
    return [
        "", "## Time", "",
        f"A conversion of the {len(nets)} networks above takes {median(ratios):.2f} times as long as a bare forward pass on meta, at the median ({min(ratios):.2f} to "
        f"{max(ratios):.2f}); {median(row['convert'] for row in nets):.3f} seconds.",
        *(
            f"An {row['name']} takes {row['convert'] / row['forward']:.2f} times as long as a forward pass of the layer on the CPU: it is one operator."
            for row in layers
        ),
    ]  # fmt: skip


def summary(wrong: int, equal: int, library: Rows, export: Rows, time: Rows) -> list[str]:
    """What is asked of the conversion, and what came of it.

    Args:
        wrong, equal: node cases that mean something else, and that are equal through ``to_module``.
        library, export, time: rows of the other parts.
    """
    found = _Outcome([row for row in library if row.get("built", True)])
    routes = [row for row in export if row["route"] != "folded"]
    right = sum(bool(row.get("same_parameters") and row.get("same_macs")) for row in routes)
    ratio = median(row["convert"] / row["forward"] for row in time if "/" in row["name"])
    steps = max(row["convert"] / row["forward"] for row in time if "/" not in row["name"])
    return [
        "| | asked | measured |", "|---|--:|--:|",
        f"| node cases of ONNX that convert without a word and mean something else | 0 | {wrong} |",
        f"| node cases equal through `to_module` | 1,100 | {equal:,} |",
        f"| exports by the documented routes: parameters and MACs equal | all | {right} of {len(routes)} |",
        f"| networks of other libraries that do not depend on data: converted | 99 % | {_share(len(found.made), found.able)} |",
        f"| of those without a Custom: same hash after a round trip | 98 % | {_share(len(found.same), len(found.known))} |",
        f"| outputs within 1e-4 | 99 % | {_share(len(found.close), len(found.compared))} |",
        f"| time of a conversion against a bare forward pass on meta, median | 1.2 | {ratio:.2f} |",
        f"| the same of an LSTM of 2,000 steps, against the layer on the CPU | 3 | {steps:.2f} |", "",
    ]  # fmt: skip


def _share(part: int, of: int) -> str:
    return f"{100 * part / of:.1f} % ({part} of {of})"


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
