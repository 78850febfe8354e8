"""``cg bench sources``: the ranking without labels against how many families were learned from, and what one more family is worth to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.ranking.targets import Task
from cg_bench.rows import ResultRows
from cg_ir.files import atomic_path, write_text
from cg_predict.features import descriptors
from cg_predict.metrics import spearman
from cg_predict.pool import PoolScale
from cg_predict.prior import SIZES, Prior
from cg_predict.tables import relatives_of

__all__ = ["run", "source_rows", "write_report"]

Row = dict[str, Any]
#: Random subsets of each size.
DRAWS = 10
_KEYS: dict[str, type] = {"target": str, "kind": str, "families": int, "draw": int, "without": str}
_HARM = 0.03


def source_rows(folder: Path) -> ResultRows:
    """The results file of this comparison."""
    return ResultRows(folder / "results.csv", _KEYS, {"spearman": float})


def run(task: Task, prior: Prior, rows: ResultRows, progress: Callable[[str], None]) -> None:
    """One target: with random subsets of the other superfamilies, with all but one of them, and by size alone.

    Args:
        task: the target; its family is left out with its relatives.
        prior: of all families.
        rows: where results go.
        progress: told what has been done.
    """
    target, labels = task.target.name, task.labelled.labels
    x = descriptors().encode(task.labelled.graphs())
    scale = PoolScale(x)
    prior = prior.without(task.exclude)
    groups = list(dict.fromkeys(relatives_of((f,)) for f in prior.sources))

    def add(kind: str, kept: Sequence[tuple[str, ...]], draw: int, without: str, score: Any = None) -> None:
        row = {"target": target, "kind": kind, "families": len(kept), "draw": draw, "without": without}
        if tuple(row.values()) in rows.done:
            return
        if score is None:
            out = [name for group in groups if group not in kept for name in group]
            score = prior.without(out).among(x, scale).score(x)
        rows.add(row | {"spearman": spearman(np.asarray(score, dtype=np.float64), labels)})

    for name in SIZES[:2]:
        add(name.rpartition("log_")[2], (), 0, "", x[:, prior.names.index(name)])
    for size in _sizes(len(groups)):
        for draw in range(DRAWS if size < len(groups) else 1):
            order = np.random.default_rng([size, draw]).permutation(len(groups))[:size]
            add("subset", [groups[i] for i in order], draw, "")
    for group in groups:
        add("all but one", [g for g in groups if g is not group], 0, " ".join(group))
    progress(f"{target}: {len(groups)} superfamilies to learn from")


def _sizes(total: int) -> list[int]:
    """Sizes of subsets: powers of two, half of the families, all."""
    return sorted({1, 2, 4, total // 2, total})


def _means(rows: Sequence[Row], targets: Sequence[str], size: int) -> NDArray[np.float64]:
    """Mean over targets for each draw of so many families, or for the one draw of all."""
    found = {(r["target"], r["draw"]): r["spearman"] for r in rows if r["kind"] == "subset" and r["families"] == size}
    draws = sorted({draw for _, draw in found})
    return np.array([np.mean([found[t, d] for t in targets if (t, d) in found]) for d in draws])


def markdown(rows: Sequence[Row]) -> str:
    """The curve, the worth of each family, and where counting does better."""
    targets = list(dict.fromkeys(r["target"] for r in rows))
    full = {
        t: max((r for r in rows if r["target"] == t and r["kind"] == "subset"), key=lambda r: r["families"])
        for t in targets
    }
    totals = sorted({r["families"] for r in full.values()})
    lines = [
        "# How many families to learn from", "",
        "Written by `cg bench sources`. Spearman's rank correlation without labels; a target's superfamily (its relatives with it) is always left out, the",
        f"pool is given. Superfamilies are drawn at random, {DRAWS} draws of each number; mean ± standard deviation, and the greatest, over the draws of the",
        "mean over targets.", "", "## By number of superfamilies", "", "| superfamilies | mean over targets | greatest |", "|---|---|---|",
    ]  # fmt: skip
    for size in _sizes(min(totals)):
        means = _means(rows, targets, size)
        if size < min(totals):
            lines.append(f"| {size} | {means.mean():.3f} ± {means.std(ddof=1):.3f} | {means.max():.3f} |")
    lines.append(f"| all ({' or '.join(map(str, totals))}) | {np.mean([r['spearman'] for r in full.values()]):.3f} | |")
    lines += [
        "", "## By target", "",
        "Below counting: where the better of parameters and multiply-accumulates is ahead by more than "
        f"{_HARM}. The last columns are the family whose labels help most, and the one whose labels harm most, with what leaving it out changes.", "",
        "| target | params | MACs | half of them | all | below counting | helps most | harms most |", "|---" * 8 + "|",
    ]  # fmt: skip
    for t in targets:
        own = [r for r in rows if r["target"] == t]
        by_kind = {r["kind"]: r["spearman"] for r in own if r["kind"] in ("params", "macs")}
        half = [r["spearman"] for r in own if r["kind"] == "subset" and r["families"] == full[t]["families"] // 2]
        everything = full[t]["spearman"]
        worth = sorted((everything - r["spearman"], r["without"]) for r in own if r["kind"] == "all but one")
        behind = max(by_kind.values()) - everything
        lines.append(
            f"| {t} | {by_kind['params']:.3f} | {by_kind['macs']:.3f} | {np.mean(half):.3f} ± {np.std(half, ddof=1):.3f} | {everything:.3f} | "
            f"{f'{behind:.3f}' if behind > _HARM else ''} | {worth[-1][1]} {worth[-1][0]:+.3f} | {worth[0][1]} {worth[0][0]:+.3f} |"
        )
    return "\n".join([*lines, "", "![The same as a picture](results.svg)", ""])


def plot(rows: Sequence[Row], path: Path) -> None:
    """Correlation against the number of superfamilies, a line a target, the mean over targets in black."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cg"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 5))
    curves: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row["kind"] == "subset":
            curves.setdefault(row["target"], {}).setdefault(row["families"], []).append(row["spearman"])
    for k, (target, curve) in enumerate(curves.items()):
        sizes = sorted(curve)
        axis.plot(sizes, [np.mean(curve[s]) for s in sizes], color=f"C{k % 10}", alpha=0.7, linewidth=1, label=target,
                  linestyle="-" if k < 10 else "--")  # fmt: skip
    sizes = sorted({size for curve in curves.values() for size in curve})
    shared = [size for size in sizes if sum(size in curve for curve in curves.values()) > len(curves) / 2]
    means = [np.mean([np.mean(curve[s]) for curve in curves.values() if s in curve]) for s in shared]
    axis.plot(shared, means, color="black", linewidth=2.5, marker="o", label="mean over targets")
    axis.set(xlabel="superfamilies learned from", ylabel="Spearman without labels", ylim=(0, 1))
    axis.legend(fontsize=7, ncols=2, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write_report(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``results.md`` and ``results.svg``, each whole or not at all."""
    if rows:
        with atomic_path(folder / "results.svg") as temporary:
            plot(rows, temporary)
        write_text(folder / "results.md", markdown(rows))
