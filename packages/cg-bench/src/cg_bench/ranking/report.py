"""Tables and a plot from the rows of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.ranking.metrics import registered_metrics
from cg_ir.files import atomic_path, write_text

__all__ = ["markdown", "write_report"]

Row = dict[str, Any]
_PLAIN = "descriptors + GP"
_TICKS = (0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def _groups(rows: Sequence[Row]) -> dict[tuple[str, str, int], list[Row]]:
    result: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        result.setdefault((row["target"], row["method"], row["labels"]), []).append(row)
    return result


def _unique(rows: Sequence[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def markdown(rows: Sequence[Row]) -> str:
    """The tables: mean and standard deviation over draws, one table a metric and target."""
    groups = _groups(rows)
    targets, methods, counts = _unique(rows, "target"), _unique(rows, "method"), sorted(_unique(rows, "labels"))
    draws = max(len(group) for group in groups.values())
    sizes = {t: max(r["networks"] for r in rows if r["target"] == t) for t in targets}
    lines = [
        "# Transfer between families",
        "",
        "Written by `cg bench transfer`. The target's family is left out of every source; the pool is given; mean and standard deviation over",
        f"{draws} draws of labels at most (one where there is no label, three for `fine-tuned`, the paper's recipe, and `k-GNN`), over the networks that were",
        "not labelled. Methods without labels stand in the first column only. Proxies, `fine-tuned` and `k-GNN` score a sample of networks.",
        "",
        "Networks: " + ", ".join(f"{t} {sizes[t]:,}" for t in targets) + ".",
        "",
    ]
    for metric in registered_metrics():
        digits = metric.digits
        lines += [f"## {metric.title}", ""]
        for target in targets:
            body = []
            for method in methods:
                cells = []
                for count in counts:
                    found = [r[metric.name] for r in groups.get((target, method, count), ())]
                    values = [value for value in found if np.isfinite(value)]
                    if not values:
                        cells.append("")
                    elif len(values) == 1:
                        cells.append(f"{values[0]:.{digits}f}")
                    else:
                        cells.append(f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}")
                if any(cells):
                    body.append(f"| {method} | " + " | ".join(cells) + " |")
            if body:
                head = f"| {target} | " + " | ".join(f"{c} labels" for c in counts) + " |"
                lines += [head, "|---" * (len(counts) + 1) + "|", *body, ""]
    lines += _paired(groups, targets, methods, counts)
    return "\n".join(lines).rstrip() + "\n"


def _paired(
    groups: dict[tuple[str, str, int], list[Row]], targets: Sequence[str], methods: Sequence[str], counts: Sequence[int]
) -> list[str]:
    """Differences to plain descriptors with the same labels, draw by draw."""
    lines = [f"## Spearman's correlation above that of {_PLAIN}, paired over draws", ""]
    body = []
    for target in targets:
        for method in methods:
            cells = []
            for count in counts:
                plain = {r["draw"]: r["spearman"] for r in groups.get((target, _PLAIN, count), ())}
                own = {r["draw"]: r["spearman"] for r in groups.get((target, method, count), ())}
                both = [own[d] - plain[d] for d in own if d in plain]
                if count == 0 or len(both) < 2:
                    cells.append("")
                else:
                    cells.append(f"{np.mean(both):+.3f} ± {np.std(both, ddof=1) / np.sqrt(len(both)):.3f}")
            if method != _PLAIN and any(cells):
                body.append(f"| {target} | {method} | " + " | ".join(cells) + " |")
    if not body:
        return []
    head = ["| target | method | " + " | ".join(f"{c} labels" for c in counts) + " |", "|---" * (len(counts) + 2) + "|"]
    return [*lines, "Mean and standard error.", "", *head, *body, ""]


def _nearness_to_1(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decades between what is missing to 1 and 1."""
    return np.asarray(-np.log10(np.clip(1 - correlation, 1e-4, None)))


def plot(rows: Sequence[Row], path: Path) -> None:
    """Spearman against labels, one panel a target, on a logarithmic scale of what is missing to 1; what is below 0 lies beyond the edge."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cg"
    from matplotlib import pyplot

    groups = _groups(rows)
    targets, methods, counts = _unique(rows, "target"), _unique(rows, "method"), sorted(_unique(rows, "labels"))
    figure, axes = pyplot.subplots(
        2, (len(targets) + 1) // 2, figsize=(4 * ((len(targets) + 1) // 2), 7), squeeze=False
    )
    curves = [m for m in methods if sum(any((t, m, c) in groups for t in targets) for c in counts) > 1]
    colours = {
        method: f"C{k}" for k, method in enumerate(curves)
    }  # the same in every panel, also where a method is missing
    for axis, target in zip(axes.flat, targets, strict=False):
        for method in methods:
            points = [(c, [r["spearman"] for r in groups.get((target, method, c), ())]) for c in counts]
            points = [(c, v) for c, v in points if v]
            if len(points) > 1:
                x = [np.log10(c + 5) for c, _ in points]
                mean = np.array([np.mean(v) for _, v in points])
                spread = np.array([np.std(v) for _, v in points])
                axis.plot(x, mean, marker="o", markersize=3, label=method, color=colours[method])
                axis.fill_between(x, mean - spread, mean + spread, color=colours[method], alpha=0.12, linewidth=0)
        flat = {m: groups[target, m, 0][0]["spearman"] for m in ("params", "synflow") if (target, m, 0) in groups}
        for method, value in flat.items():
            axis.axhline(value, linestyle=":", color="grey")
            side = "bottom" if value == max(flat.values()) else "top"
            axis.text(np.log10(counts[-1] + 5), value, method, ha="right", va=side, fontsize=7, color="grey")
        axis.set_title(target, fontsize=10)
        axis.set_xticks([np.log10(c + 5) for c in counts], [str(c) for c in counts])
        axis.set_xlabel("labels")
        axis.set_ylabel("Spearman")
        axis.set_yscale("function", functions=(_nearness_to_1, lambda nearness: 1 - 10**-nearness))
        axis.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        axis.set_ylim(0, 0.998)
    for axis in list(axes.flat)[len(targets) :]:
        axis.axis("off")
    handles = {
        h.get_label(): h for axis in axes.flat for h in axis.get_lines() if not str(h.get_label()).startswith("_")
    }
    figure.legend(list(handles.values()), list(handles), loc="lower center", ncols=4, fontsize=8)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write_report(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``results.md`` and ``results.svg``; each appears whole or not at all."""
    if not rows:
        return
    with atomic_path(folder / "results.svg") as temporary:
        plot(rows, temporary)
    text = markdown(rows)
    text += "\nThe scale is logarithmic in what is missing to 1; what is below 0 lies beyond the edge.\n"
    text += "\n![Spearman's rank correlation against labels, one panel a target](results.svg)\n"
    write_text(folder / "results.md", text)
