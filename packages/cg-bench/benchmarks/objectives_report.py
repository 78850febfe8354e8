"""The page of `objectives.py`."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cg_ir.files import atomic_path

__all__ = ["TRANSFORMERS", "write_report"]

Key = tuple[str, str, str, str]  # vectors, table, use, labels
Scores = Mapping[Key, Mapping[tuple[int, int], float]]  # by seed and draw

_USES = (("alone", "20"), ("alone", "50"), ("beside descriptors", "20"), ("beside descriptors", "50"))
#: The pool of timm's networks that attend.
TRANSFORMERS = "timm's transformers"
_ATTEND = ("autoformer", TRANSFORMERS)


def write_report(folder: Path, rows: Sequence[tuple[str, str]], halves: Sequence[str], settings: str) -> None:
    """Write ``objectives.md`` from ``objectives-0.csv`` and ``objectives-1.csv``, whole or not at all.

    Args:
        rows: the trainings, and the untrained encoder that each is compared with.
        halves: the families of each half, as a text.
        settings: a sentence on data and lengths.
    """
    found = [_read(folder / f"objectives-{half}.csv") for half in range(len(halves))]
    with atomic_path(folder / "objectives.md") as temporary:
        temporary.write_text("\n".join(_page(found, rows, halves, settings)) + "\n", encoding="utf-8")


def _read(path: Path) -> Scores:
    scores: dict[Key, dict[tuple[int, int], float]] = defaultdict(dict)
    if path.exists():
        with open(path, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key = (row["vectors"], row["table"], row["use"], row["labels"])
                scores[key][int(row["seed"]), int(row["draw"])] = float(row["spearman"])
    return scores


def _page(found: Sequence[Scores], rows: Sequence[tuple[str, str]], halves: Sequence[str], settings: str) -> list[str]:
    lines = [
        "# Objectives for the encoder",
        "",
        "Written by `python packages/cg-bench/benchmarks/objectives.py`. Spearman's correlation of a Gaussian process on the vectors of networks,",
        "trained minus untrained: the same seeds of the weights, the same labels. Mean over tables and draws ± standard error over seeds;",
        "**bold** where the difference is more than two of them, which by chance alone one cell in five is with three seeds. Families are in two",
        "halves, none with a relative in the other; no relative of a table was trained on.",
        settings,
        "",
    ]
    for half, scores in enumerate(found):
        if scores:
            lines += _section(f"Trained on {halves[half]}", scores, rows)
    if all(found):
        both = {key: part[key] for part in found for key in part}
        lines += [
            *_section("Both halves together", both, rows),
            "Each training was made twice, on one half and on the other with the same seed, and each table is judged by the one that saw no relative of it.",
        ]
    return lines


def _section(title: str, scores: Scores, rows: Sequence[tuple[str, str]]) -> list[str]:
    """Levels of untrained vectors, and what trainings change, of the rows that are judged on all tables."""
    tables = sorted({key[1] for key in scores})
    attending = [t for t in tables if t in _ATTEND]
    uses = [f"{use}, {count} labels" for use, count in _USES]
    lines = [
        f"## {title}",
        "",
        f"Judged on {', '.join(tables)}.",
        "",
        f"| untrained | {' | '.join(uses)} |",
        "|---" * (1 + len(uses)) + "|",
    ]
    for name in ("descriptors", *dict.fromkeys(twin for _, twin in rows)):
        cells = [_level(scores, tables, name, use, count) for use, count in _USES]
        if any(cells):
            lines.append(f"| {name} | {' | '.join(cells)} |")
    heads = [*uses, "transformers, 20 labels", "transformers, 50 labels"] if attending else uses
    lines += ["", f"| trained minus untrained | seeds | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for name, twin in rows:
        by_seed = [_differences(scores, tables, name, twin, use, count) for use, count in _USES]
        if attending:
            by_seed += [_differences(scores, attending, name, twin, "alone", count) for count in ("20", "50")]
        if by_seed[0]:
            lines.append(f"| {name} | {len(by_seed[0])} | {' | '.join(map(_cell, by_seed))} |")
    if attending:
        lines += ["", f"*Transformers*: {' and '.join(attending)}, alone, by encoders that saw no transformer."]
    return [*lines, ""]


def _level(scores: Scores, tables: list[str], name: str, use: str, count: str) -> str:
    found = [scores.get((name, table, use, count), {}) for table in tables]
    return f"{np.mean([np.mean(list(f.values())) for f in found]):.3f}" if all(found) else ""


def _differences(scores: Scores, tables: Sequence[str], name: str, twin: str, use: str, count: str) -> list[float]:
    """Means over tables and draws, one for each seed that is complete."""
    own = [scores.get((name, table, use, count), {}) for table in tables]
    other = [scores.get((twin, table, use, count), {}) for table in tables]
    result = []
    for seed in sorted({seed for found in own for seed, _ in found}):
        per_table = [
            [found[key] - before[key] for key in found if key[0] == seed and key in before]
            for found, before in zip(own, other, strict=True)
        ]
        if all(per_table):
            result.append(float(np.mean([np.mean(values) for values in per_table])))
    return result


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:+.4f}"
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    text = f"{mean:+.4f} ± {error:.4f}"
    return f"**{text}**" if abs(mean) > 2 * error else text
