"""``results.md`` and ``results.svg`` from the rows of finished searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cg_bench.search import fronts, overhead, training
from cg_bench.search.methods import FRONT_METHODS, HALVING, TABLE_METHODS, TRAIN_METHODS
from cg_bench.search.rows import POINTS, Row
from cg_bench.search.tables import LABELS, PLACED, TASKS, Task
from cg_evolve.evaluators.train import TrainEvaluator
from cg_ir.files import atomic_path, write_text

__all__ = ["write_report"]


def write_report(rows: Sequence[Row], folder: Path) -> None:
    """Write both files; each appears whole or not at all."""
    write_text(folder / "results.md", "\n".join(_page(rows)) + "\n")
    _plot(rows, folder / "results.svg")


def _quartiles(values: Iterable[float], digits: int = 0) -> str:
    """Median (first to third quartile); searches that never came there count as infinite."""
    low, middle, high = (float(np.quantile(list(values), q, method="inverted_cdf")) for q in (0.25, 0.5, 0.75))

    def text(value: float) -> str:
        return "never" if np.isinf(value) else f"{value:.{digits}f}"

    return f"{text(middle)} ({text(low)} to {text(high)})"


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
        *("| " + " | ".join(cells) + " |" for cells in body),
        "",
    ]


def _page(rows: Sequence[Row]) -> list[str]:
    lines = [
        "# Search algorithms compared",
        "",
        'Written by `cg bench search`; every search is a row of `results.csv`. Median (first to third quartile) over the seeds; "never" is not within',
        "the budget. All algorithms search the same pool and propose no network twice, however it is spelled. The predictor that guides has never",
        "seen a label of the searched family. `guided` is the evolution of the paper of 2023; `gp` is the Gaussian process without anything learned from",
        "other families, after 16 random networks; `bayesian` is the default.",
        "",
    ]
    for task in TASKS:
        lines += _task(task, [row for row in rows if row["task"] == task.name])
    if _plotted(rows):
        lines += ["```{image} results.svg", ":alt: rank of the best network found against evaluations", "```", ""]
    lines += _fronts(rows)
    lines += _training(rows)
    lines += _overhead(rows)
    return lines[:-1]


def _task(task: Task, rows: Sequence[Row]) -> list[str]:
    if not any(row["networks"] for row in rows):
        return []
    points = [p for p in (16, 32, 64, 100, 500) if any(row[f"best_{p}"] for row in rows)]
    body = []
    for method in TABLE_METHODS:
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        optimum = [float(row["optimum_at"] or "inf") for row in own]
        cells = [f"`{method}`", str(len(own)), own[0]["budget"], _quartiles(optimum)]
        cells += [f"{sum(v <= n for v in optimum)}/{len(own)}" for n in (24, 64)]
        cells.append(_quartiles([float(row["top_at"] or "inf") for row in own]))
        for p in points:
            values = [float(row[f"best_{p}"]) for row in own if row[f"best_{p}"]]
            cells.append(_quartiles(values, 4) if len(values) == len(own) else "")
        cells.append(_quartiles([float(row["judged"]) for row in own], 4))
        body.append(cells)
    networks = int(next(row["networks"] for row in rows if row["networks"]))
    places = [float(row["optimum_at"]) for row in rows if row["method"] == PLACED]
    known = []
    if places:
        known = [
            f"The predictor, fitted to {LABELS} random labels of this table, places the best network, whose label it did not see, at {_quartiles(places)}",
            f"({len(places)} draws): what of its rank the networks themselves explain.",
            "",
        ]
    head = ["method", "seeds", "budget", "to the best network", "within 24", "within 64", "to the best 0.1 %"]
    return [
        f"## {task.name}",
        "",
        f"{networks:,} distinct networks, searched by `{task.metric}`, the best found judged by `{task.judged}`. Without any guidance the best",
        f"network is expected after {(networks + 1) / 2:,.0f} evaluations.",
        "",
        *known,
        *_table([*head, *(f"best after {p}" for p in points), "judged"], body),
        *_halving(task, rows),
    ]


def _halving(task: Task, rows: Sequence[Row]) -> list[str]:
    """What is found by comparing trainings before they end, beside the search that ends them all and has twice the epochs."""
    points = (4, 8, 16, 32)
    body = []
    for method, times in (*((name, 1) for name in HALVING), ("bayesian", 1), ("bayesian", 2)):
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        name = f"`{method}`" + (", twice the epochs" if times == 2 else "")
        cells = [name, str(len(own))]
        cells += [_quartiles([float(row[f"{goal}_at"] or "inf") / times for row in own]) for goal in ("optimum", "top")]
        cells += [
            _quartiles([float(row[f"rank_{times * point}"] or row["networks"]) for row in own]) for point in points
        ]
        body.append(cells)
    if not any(row["method"] in HALVING for row in rows):
        return []
    epochs = ", ".join(str(epochs) for epochs, _ in task.curve)
    head = ["method", "seeds", "to the best network", "to the best 0.1 %"]
    return [
        f"Trainings compared after {epochs} epochs, of which one in three goes on. Epochs are counted in whole trainings: ranks of the best whole training",
        "after the epochs of so many. `asha` and `hyperband` begin at random, `halving` with what the predictor proposes; `bayesian` ends every training,",
        "and the last row is where it stands after twice the epochs.",
        "",
        *_table([*head, *(f"rank after {p}" for p in points)], body),
    ]


def _fronts(rows: Sequence[Row]) -> list[str]:
    body = []
    labels = ""
    for bound in fronts.BOUNDS:
        mine = [row for row in rows if row["task"] == fronts.task_name(bound)]
        random = {row["seed"]: fronts.read_front(row) for row in mine if row["method"] == "random"}
        for method in FRONT_METHODS:
            own = [row for row in mine if row["method"] == method]
            if not own:
                continue
            labels = own[0]["networks"]
            cells = [f"{bound} M" if bound else "none", f"`{method}`", str(len(own)), own[0]["budget"]]
            cells.append(_quartiles([float(row["hypervolume"]) for row in own], 1))
            cells.append(_quartiles([float(row["judged"]) for row in own], 3))
            paired = [row for row in own if row["seed"] in random]
            if method == "random" or not paired:
                cells += ["", "", ""]
            else:
                shares = [fronts.covered(fronts.read_front(row), random[row["seed"]]) for row in paired]
                back = [fronts.covered(random[row["seed"]], fronts.read_front(row)) for row in paired]
                cells += [_quartiles(shares, 2), _quartiles(back, 2), f"{sum(s == 1 for s in shares)}/{len(shares)}"]
            body.append(cells)
    if not body:
        return []
    return [
        "## MobileNetV3: accuracy against multiply-accumulates",
        "",
        f"The evaluator is a scorer fitted to the {int(labels):,} sub-networks of the table; the predictor that guides knows none of them and learns from the",
        "evaluations alone. Hypervolume of score (normal scores, from -3) and millions of multiply-accumulates below the bound (600 without one).",
        "Covered: the share of the points on the front of random search with the same seed that a point of this front equals or dominates.",
        "",
        *_table(
            [
                "bound", "method", "seeds", "evaluations", "hypervolume", "best score", "covers of random's front",
                "covered by random's", "covers all of it",
            ],
            body,
        ),
    ]  # fmt: skip


def _training(rows: Sequence[Row]) -> list[str]:
    mine = [row for row in rows if row["task"] == training.TASK]
    if not mine:
        return []
    lines = [
        "## Real training: handwritten digits",
        "",
        f"No table: every network is trained (`{training.EVALUATOR}`), {_usual(mine)} a search, from nothing. The space is that around a small",
        "residual network (`graph?file=`). Seeds are pairs: both methods train from the same initial weights. Accuracy is that of the validation",
        "images, by which the search goes; test accuracy is that of the network it chose.",
        "",
    ]
    body = []
    for measure, title in (("accuracy", "accuracy"), ("test_accuracy", "test accuracy")):
        ours, others = training.pairs(list(mine), measure)
        if not ours:
            continue
        difference = np.array(ours) - np.array(others)
        body.append([
            title, str(len(ours)), _quartiles(others, 2), _quartiles(ours, 2), f"{difference.mean():+.2f}",
            f"{int((difference > 0).sum())}/{len(ours)}", f"{training.p_value(ours, others):.2g}",
        ])  # fmt: skip
    head = ["", "pairs", "`random`", "`bayesian`", "mean difference", "`bayesian` better", "p (Wilcoxon, two-sided)"]
    return [*lines, *_table(head, body), *_training_in_steps(mine)]


def _usual(rows: Sequence[Row]) -> str:
    """Networks that a search trains which ends every training."""
    return max((row["budget"] for row in rows), key=int)


def _training_in_steps(rows: Sequence[Row]) -> list[str]:
    """The best accuracy after so many epochs, of searches that compare trainings before they end, beside those of the same seeds that end them all."""
    methods = [name for name in (*HALVING, *TRAIN_METHODS) if any(row["method"] == name for row in rows)]
    if not set(methods) & set(HALVING):
        return []
    seeds = {row["seed"] for row in rows if row["method"] in HALVING}
    points = [p for p in POINTS if any(row[f"best_{p}"] for row in rows)]
    body = []
    for method in methods:
        own = [row for row in rows if row["method"] == method and row["seed"] in seeds]
        if not own:
            continue
        cells = [f"`{method}`", str(len(own)), own[0]["budget"]]
        for p in points:
            values = [float(row[f"best_{p}"] or "nan") for row in own]
            cells.append("" if np.isnan(values).any() else _quartiles(values, 1))
        cells += [_quartiles([float(row[name]) for row in own], 1) for name in ("accuracy", "test_accuracy")]
        body.append([*cells, _ahead(rows, method)])
    after = [f"after {p}" for p in points]
    head = ["method", "seeds", "budget", *after, "in the end", "test accuracy", "`halving` ahead"]
    steps = ", ".join(map(str, training.STEPS))
    return [
        f"Trainings compared after {steps} epochs, before the last by the training loss (`{TrainEvaluator.compare}`); one in three goes on.",
        "Epochs are counted in whole trainings: the best accuracy among whole trainings after the epochs of so many; the methods that compare have half of",
        "the budget of those that end every training. The last column counts the seeds with which `halving` ended higher, equal ones by half, and the p-value",
        "of Wilcoxon's signed-rank test.",
        "",
        *_table(head, body),
    ]


def _ahead(rows: Sequence[Row], method: str) -> str:
    """With how many seeds ``halving`` ended higher than another method."""
    found = {(row["method"], row["seed"]): float(row["accuracy"]) for row in rows}
    pairs = [(found["halving", s], value) for (m, s), value in found.items() if m == method and ("halving", s) in found]
    if method == "halving" or not pairs:
        return ""
    count = sum((ours > other) + 0.5 * (ours == other) for ours, other in pairs)
    ours, others = ([pair[i] for pair in pairs] for i in (0, 1))
    return f"{count:g}/{len(pairs)} (p {training.p_value(ours, others):.2g})"


def _overhead(rows: Sequence[Row]) -> list[str]:
    mine = [row for row in rows if row["task"] == overhead.TASK]
    if not mine:
        return []
    kinds = ("seconds_per_evaluation", "cpu_per_evaluation")
    body = [
        [f"`{row['method']}`", row["evaluations"], *(f"{1000 * float(row[kind]):.1f}" for kind in kinds)]
        for row in mine
    ]
    return [
        "## What the search itself costs",
        "",
        "`cg search` on the table of nb201, whose evaluations take no time: the whole process, from the start of the interpreter over reading the table,",
        "building and hashing 15,625 networks, and all refits to the written winner.",
        "",
        *_table(["method", "evaluations", "ms an evaluation", "ms of processor time"], body),
    ]


def _plotted(rows: Sequence[Row]) -> list[Task]:
    """The tables on which a method was run that has a curve."""
    return [t for t in TASKS if any(row["task"] == t.name and row["method"] in TABLE_METHODS for row in rows)]


def _plot(rows: Sequence[Row], path: Path) -> None:
    """Median rank of the best found against evaluations on each table, quartiles shaded."""
    if not (tasks := _plotted(rows)):
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "cg", "svg.fonttype": "none"}):
        figure = Figure(figsize=(5.2 * len(tasks), 4), layout="constrained")
        for axes, task in zip(np.atleast_1d(figure.subplots(1, len(tasks))), tasks, strict=True):
            for method in TABLE_METHODS:
                own = [row for row in rows if row["task"] == task.name and row["method"] == method]
                x = [p for p in POINTS if own and all(row[f"rank_{p}"] for row in own)]
                if not x:
                    continue
                values = np.array([[float(row[f"rank_{p}"]) for p in x] for row in own])
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
                (line,) = axes.plot(x, middle, label=method)
                axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
            axes.set(xscale="log", yscale="log", title=task.name, xlabel="evaluations", ylabel="rank of the best found")
            axes.grid(alpha=0.3)
        figure.axes[0].legend(frameon=False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
