"""``cg bench ablation``: the shipped predictor without one of its parts, against the whole, from the same labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from cg_bench.ranking.methods import Fitted, Method
from cg_ir.files import write_text
from cg_predict.predictor import Predictor
from cg_predict.prior import Prior
from cg_predict.settings import Settings

__all__ = ["CHANGED", "COUNTS", "QUICK", "WHOLE", "markdown", "methods", "write_report"]

Row = dict[str, Any]
COUNTS = (0, 10, 50, 100)
QUICK = ("nb201", "mobilenetv3")
WHOLE = "whole"
#: Parts that take no part without labels.
_LABELS = (10, 50, 100)


#: What each number of `cg_predict.settings.Settings` is replaced by: a value that takes its part away, or one far off.
CHANGED: dict[str, float] = {
    "similarity_temperature": 10.0, "anchored_weight": 0.0, "width_power": 0.0, "relevance_temperature": 10.0, "accord_weight": 0.0,
    "nearness_temperature": 1.0, "nearness_weight": 0.0, "nearness_limit": 3.0, "zoo_weight": 18.0, "prior_labels": 10.0, "temper": 1.0,
    "draws": 16, "calibration_labels": 0.0, "selected": 1e9,
}  # fmt: skip
#: Numbers that take part without labels.
_UNLABELLED = (
    "similarity_temperature",
    "anchored_weight",
    "width_power",
    "nearness_temperature",
    "nearness_weight",
    "nearness_limit",
    "zoo_weight",
    "accord_weight",
)


class _TreesAlone(Predictor):
    """The predictor whose experts do without their smooth halves."""

    @property
    def knowledge(self) -> Prior:
        prior = super().knowledge
        trees: dict[str, Any] = {
            table: replace(e, relative=cast(Any, e.relative.trees), absolute=cast(Any, e.absolute.trees))
            for table, e in prior.experts.items()
        }
        return replace(prior, experts=trees)


def methods(family: str) -> list[Method]:
    """The predictor, and the predictor without each part; none has seen labels of the family."""
    out = (family,)
    made: list[Method] = [
        Fitted(WHOLE, Predictor(out, warn=False)),
        Fitted("without anything from other families", Predictor(out, use_prior=False, warn=False)),
        Fitted("with trees alone in the experts", _TreesAlone(out, warn=False)),
        Fitted("without the embedding", Predictor(out, embedding=False, warn=False), _LABELS),
        Fitted("without neighbourhoods", Predictor(out, neighbourhoods=False, warn=False), _LABELS),
    ]
    for name, value in CHANGED.items():
        changed: dict[str, Any] = {name: value}
        settings = replace(Settings(), **changed)
        counts = None if name in _UNLABELLED else _LABELS
        made.append(Fitted(f"with {name} {value:g}", Predictor(out, settings=settings, warn=False), counts))
    return made


def markdown(rows: Sequence[Row]) -> str:
    """The whole's means, and what each part adds to them."""
    targets = list(dict.fromkeys(r["target"] for r in rows))
    names = [n for n in dict.fromkeys(r["method"] for r in rows) if n != WHOLE]
    counts = sorted({r["labels"] for r in rows})
    values = {(r["target"], r["method"], r["labels"], r["draw"]): r["spearman"] for r in rows}
    networks = {t: max(r["networks"] + r["labels"] for r in rows if r["target"] == t) for t in targets}
    draws = max(r["draw"] for r in rows) + 1

    def own(target: str, method: str, count: int) -> dict[int, float]:
        return {d: v for (t, m, c, d), v in values.items() if (t, m, c) == (target, method, count)}

    def differences(target: str, method: str, count: int) -> list[float]:
        whole, part = own(target, WHOLE, count), own(target, method, count)
        return [whole[d] - part[d] for d in sorted(part) if d in whole]

    def cell(parts: list[list[float]]) -> str:
        """Of one target, or the mean over several, draw by draw."""
        if not parts or not all(parts):
            return ""
        found = np.mean([p[: min(map(len, parts))] for p in parts], axis=0)
        if len(found) < 2:
            return f"{found.mean():+.3f}"
        return f"{found.mean():+.3f} ± {found.std(ddof=1) / np.sqrt(len(found)):.3f}"

    head = ["| labels | " + " | ".join([*targets, "mean over families"]) + " |", "|---" * (len(targets) + 2) + "|"]
    lines = [
        "# What each part of the predictor adds",
        "",
        "Written by `cg bench ablation`. Spearman's rank correlation of the shipped predictor minus that of the predictor without the part, from the same",
        "labels: a positive number says that the part helps. Mean ± standard error of the paired differences over",
        f"{draws} draws of labels (without labels there is one ranking); the target's family is left out of every source, the pool is given.",
        "",
        "Networks: " + ", ".join(f"{t} {n:,}" for t, n in networks.items()) + ".",
        "",
        "## The whole predictor",
        "",
        *head,
    ]  # fmt: skip
    for count in counts:
        means = [float(np.mean(list(own(t, WHOLE, count).values()) or [np.nan])) for t in targets]
        lines.append(f"| {count} | " + " | ".join(f"{m:.3f}" for m in [*means, float(np.mean(means))]) + " |")
    for name in names:
        body = []
        for count in counts:
            parts = [differences(target, name, count) for target in targets]
            cells = [*[cell([p]) for p in parts], cell(parts)]
            if any(cells):
                body.append(f"| {count} | " + " | ".join(cells) + " |")
        lines += ["", f"## {name.capitalize()}", "", *head, *body]
    return "\n".join(lines) + "\n"


def write_report(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``results.md``, whole or not at all."""
    if rows:
        write_text(folder / "results.md", markdown(rows))
