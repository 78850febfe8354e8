"""What the first epochs of a training say of its last one, and what a search makes of them.

A table whose networks have values after several numbers of epochs is searched with trainings that are compared before they end, in several
ways. How soon each comes to the best network of the table, and the rank of what it has found on the way, is counted in whole trainings. The
digits have no table: their networks are trained. The seeds are not those of `cg bench search`.

    python packages/cg-bench/benchmarks/short_trainings.py [--data FOLDER] [--task nb101] [--seeds 101 107] -o OUTPUT

Rows are kept in `OUTPUT/short-trainings.jsonl`, with which a second run goes on; `OUTPUT/short-trainings.md` is the page.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import cross_val_predict

from cg_bench.search import training
from cg_bench.search.tables import TASKS, Table
from cg_evolve.algorithms.halving import SuccessiveHalving, Training, standard
from cg_evolve.evaluators import make_evaluator
from cg_evolve.graph_space import GraphSpace
from cg_evolve.search import Search
from cg_evolve.steps import Progress
from cg_evolve.surrogate import make_scorer
from cg_ir.files import write_text
from cg_predict.metrics import spearman

SCORER = "predictor"
#: Whole trainings of a search, by their epochs: half of what the default search of nb101 takes to its best network.
BUDGET = 36
POINTS = (8, 16, 32)
#: Labels of whole trainings to which the predictor is fitted, and as many more of shorter ones as the same epochs allow.
LABELS, DRAWS = 64, 2
#: Networks that count as the top.
TOP = 500

# --- what the first epochs say ----------------------------------------------------------------------------------------


def values(table: Table) -> NDArray[np.float64]:
    """Values of all networks after each number of epochs, (networks, rungs)."""
    return np.array([[table.labels[arch][metric] for _, metric in table.task.curve] for arch in table.pool.archs])


def place(scores: NDArray[Any], best: int) -> int:
    """Place of a network by scores, 1 the first."""
    return int((scores > scores[best]).sum()) + 1


def told(table: Table) -> Iterable[dict[str, Any]]:
    """What each rung says of the whole training: by itself, by the curve so far, and by a predictor that learned from as many epochs of it."""
    curves = values(table)
    whole = curves[:, -1]
    best, top = int(whole.argmax()), np.argsort(-whole)[:TOP]
    epochs = [number for number, _ in table.task.curve]
    for rung, number in enumerate(epochs):
        row: dict[str, Any] = {"kind": "told", "task": table.task.name, "epochs": number}
        if rung < len(epochs) - 1:
            ranks = whole.argsort().argsort()
            curve = cross_val_predict(HistGradientBoostingRegressor(random_state=0), curves[:, : rung + 1], ranks, cv=5)
            row |= {
                "all": spearman(curves[:, rung], whole),
                "top": spearman(curves[top, rung], whole[top]),
                "place": place(curves[:, rung], best),
                "curve_top": spearman(curve[top], whole[top]),
                "curve_place": place(curve, best),
            }
        count = min(LABELS * epochs[-1] // number, len(whole) // 4)
        fits = [fitted(table, curves[:, rung], count, draw) for draw in range(DRAWS)]
        row["labels"] = count
        row["fit_top"] = float(np.mean([spearman(scores[top], whole[top]) for scores in fits]))
        row["fit_place"] = float(np.mean([place(scores, best) for scores in fits]))
        yield row


def fitted(table: Table, labels: NDArray[np.float64], count: int, draw: int) -> NDArray[np.float64]:
    """Scores of all networks by a predictor that is fitted to the labels of some."""
    graphs = table.pool.graphs
    chosen = np.random.default_rng([draw, 9]).choice(len(graphs), count, replace=False)
    made = make_scorer(SCORER, (table.task.name,))
    made.fit([graphs[i] for i in chosen], labels[chosen])
    return np.asarray(made.predict(graphs))


# --- ways to search ---------------------------------------------------------------------------------------------------


class Whole(SuccessiveHalving):
    """Trainings that begin for one of some reasons are trained to their end, whatever they show."""

    def __init__(self, *arguments: Any, origins: tuple[str, ...], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.origins = origins

    def leading(self, there: Sequence[Training], rung: int, means: dict[str, float], share: float) -> list[Training]:
        always = [training for training in there if training[0].candidate.origin in self.origins]
        return [*always, *super().leading(there, rung, means, share)]


class Learned(SuccessiveHalving):
    """As many go on as pay, by how the values of a rung have gone with those of whole trainings so far."""

    def leading(self, there: Sequence[Training], rung: int, means: dict[str, float], share: float) -> list[Training]:
        cost = self.steps[rung] / self.steps[-1]
        if share < 1.0:
            whole = [training for training in there if len(training) == len(self.steps)]
            share = paying_share(self._correlation(whole, rung, cost**0.25), cost)
        return super().leading(there, rung, means, share)

    @staticmethod
    def _correlation(whole: Sequence[Training], rung: int, assumed: float) -> float:
        """Of a rung's values with the last ones beyond what was predicted, drawn to what is assumed as if that were six trainings."""
        if len(whole) < 4 or any(training[0].candidate.mean is None for training in whole):
            return assumed
        mean = standard([training[0].candidate.mean or 0.0 for training in whole])
        x, y = (standard([training[k].utilities[0] for training in whole]) for k in (rung, -1))
        x, y = x - mean * float((x * mean).mean()), y - mean * float((y * mean).mean())
        found = float((x * y).mean() / max(1e-9, x.std() * y.std()))
        return (6 * assumed + len(whole) * max(found, 0.0)) / (6 + len(whole))


def paying_share(correlation: float, cost: float) -> float:
    """The share of trainings to keep so that most of the best come through for the epochs; 1 where stopping any does not pay.

    Values at the rung and at the end are taken to be normal with this correlation, the best to be 2.4 deviations above the mean.

    Args:
        correlation: from 0 to below 1.
        cost: of the epochs up to the rung, of a whole training's 1.
    """
    correlation = min(correlation, 0.99)
    gain, kept = 1.05, 1.0
    for share in (0.1, 0.15, 0.2, 0.25, 1 / 3, 0.4, 0.5, 0.6, 0.7, 0.8):
        passes = norm.cdf((2.42 * correlation - norm.ppf(1 - share)) / math.sqrt(1 - correlation**2))
        if passes / (cost + share * (1 - cost)) > gain:
            gain, kept = passes / (cost + share * (1 - cost)), share
    return kept


@dataclass(frozen=True)
class Way:
    """A way to search: rungs (from the first, or the last but so many of the table's), and what is made of them."""

    name: str
    skipped: int
    make: Callable[..., SuccessiveHalving]


_GUESSED = ("prior", "sample", "acquisition", "nearby", "neighbour")
WAYS = (
    Way("one in three goes on (`halving`)", 0, partial(SuccessiveHalving, eta=3)),
    Way("one in two", 0, partial(SuccessiveHalving, eta=2)),
    Way("without the first rung, one in two", 1, partial(SuccessiveHalving, eta=2)),
    Way("the last two rungs, one in three", 2, partial(SuccessiveHalving, eta=3)),
    Way("the last two rungs, one in two", 2, partial(SuccessiveHalving, eta=2)),
    Way("as many as pay, by learned correlations", 0, Learned),
    Way("nearest neighbours whole", 0, partial(Whole, origins=("neighbour",))),
    Way("nearest neighbours whole, without the first rung", 1, partial(Whole, origins=("neighbour",))),
    Way("nearest neighbours whole, the last two rungs", 2, partial(Whole, origins=("neighbour",))),
    Way("short trainings only to cover the space, the last two rungs", 2, partial(Whole, origins=_GUESSED)),
)  # fmt: skip


def searched(table: Table, way: Way, seed: int) -> dict[str, Any]:
    """One search: whole trainings until the best network, and ranks on the way."""
    curve = table.task.curve[way.skipped :]
    steps, metric = [epochs for epochs, _ in curve], dict(curve)
    algorithm = way.make(steps, SCORER, (table.task.name,))
    search = Search(table.space, algorithm, seed=seed, exclude=(table.task.name,), pool=table.pool, q=1, steps=steps)
    row: dict[str, Any] = {"kind": "search", "task": table.task.name, "way": way.name, "seed": seed, "found": None}
    row["ranks"] = {str(p): len(table.pool) for p in POINTS}
    while search.spent < BUDGET * steps[-1] and row["found"] is None:
        candidate = search.ask()[0]
        search.tell([candidate], [table.labels[candidate.arch][metric[candidate.step or 0]]])
        if candidate.step == steps[-1] and search.best is not None:
            trainings, rank = math.ceil(search.spent / steps[-1]), table.rank(float(search.best.value or 0.0))
            row["ranks"] |= {str(p): rank for p in POINTS if trainings <= p}
            row["found"] = trainings if rank == 1 else None
    return row


# --- digits, whose networks are trained --------------------------------------------------------------------------------

#: Networks that are trained whole to see what each epoch says.
DRAWN = 60
#: Epochs at which trainings are compared, and what by, as the page names it.
DIGITS = {
    "1, 4, 12 epochs, by accuracy": ((1, 4, 12), ""),
    "1, 4, 12 epochs, by loss": ((1, 4, 12), "train_loss:min"),
    "4, 12 epochs, by accuracy": ((4, 12), ""),
    "4, 12 epochs, by loss": ((4, 12), "train_loss:min"),
}


def digits_space(folder: str) -> GraphSpace:
    """The space of `cg bench search`."""
    file = Path(folder) / "digits.cg.json"
    training.start_network().save(file)
    return GraphSpace(str(file))


def digits_told(seed: int) -> Iterable[dict[str, Any]]:
    """How accuracy and loss after each epoch go with the accuracy at the end, over networks drawn at random."""
    evaluator = make_evaluator(training.EVALUATOR)
    curves = []
    with tempfile.TemporaryDirectory() as folder:
        space, rng = digits_space(folder), np.random.default_rng(seed)
        for number, arch in enumerate(dict.fromkeys(space.sample(rng) for _ in range(DRAWN))):
            state, curve = Path(folder) / str(number), []
            for epoch in range(1, training.STEPS[-1] + 1):
                metrics = evaluator.evaluate(arch, space.graph(arch), seed, Progress(epoch, state))
                curve.append((metrics["accuracy"], -metrics["train_loss"]))
            curves.append(curve)
    values = np.array(curves)
    end = values[:, -1, 0]
    for epoch in range(values.shape[1]):
        by = {name: spearman(values[:, epoch, i], end) for i, name in enumerate(("accuracy", "loss"))}
        yield {"kind": "told", "task": training.TASK, "epochs": epoch + 1, "networks": len(values), **by}


def digits_searched(way: str, seed: int) -> dict[str, Any]:
    """One search: the best accuracy after some numbers of whole trainings."""
    steps, compare = DIGITS[way]
    with tempfile.TemporaryDirectory() as folder:
        trainings = training.Trainings(make_evaluator(training.EVALUATOR), seed, Path(folder))
        algorithm = SuccessiveHalving(steps, SCORER, compare=compare)
        row = training.search_with(digits_space(folder), algorithm, steps, trainings, training.BUDGET // 2)
    best = {p: row.get(f"best_{p}") for p in (8, 16)} | {"end": row["accuracy"]}
    return {"kind": "search", "task": training.TASK, "way": way, "seed": seed, "best": best}


def _digits_page(rows: Sequence[dict[str, Any]]) -> list[str]:
    told = [row for row in rows if row["kind"] == "told"]
    searches = [row for row in rows if row["kind"] == "search"]
    lines: list[str] = []
    if told:
        lines += [
            f"Rank correlation of accuracy, and of training loss, after so many epochs with the accuracy after {training.STEPS[-1]}, over",
            f"{told[0]['networks']} networks drawn from the space of `cg bench search --task digits` and trained.",
            "",
            "| epochs | " + " | ".join(str(row["epochs"]) for row in told) + " |",
            "|---|" + "---|" * len(told),
            *(f"| {name} | " + " | ".join(f"{row[name]:.2f}" for row in told) + " |" for name in ("accuracy", "loss")),
            "",
        ]
    if searches:
        lines += [
            f"Searches of `halving` with the epochs of {training.BUDGET // 2} whole trainings: the mean of the best accuracy after those of 8",
            "and of 16, and at the end.",
            "",
            "| compared after | seeds | 8 | 16 | end |",
            "|---|---|---|---|---|",
        ]
    for way in DIGITS:
        own = [row["best"] for row in searches if row["way"] == way]
        if own:
            means = [f"{np.mean([float(best[p]) for best in own]):.1f}" for p in ("8", "16", "end")]
            lines.append("| " + " | ".join([way, str(len(own)), *means]) + " |")
    return [*lines, ""]


# --- rows and page ----------------------------------------------------------------------------------------------------


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The page of all rows."""
    lines = [
        "# What short trainings say",
        "",
        "Written by `python packages/cg-bench/benchmarks/short_trainings.py`.",
        "",
    ]
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        if task == training.TASK:
            lines += [f"## {task}", "", *_digits_page(mine)]
            continue
        lines += [f"## {task}", "", *_told([row for row in mine if row["kind"] == "told"])]
        lines += _searches([row for row in mine if row["kind"] == "search"])
    return "\n".join(lines).rstrip() + "\n"


def _told(rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [
        f"Rank correlation of the value after so many epochs with that of the whole training, over all networks and over the best {TOP}, and the place",
        "of the table's best network by it; then of what gradient boosting, fitted to all whole trainings of the table, makes of the curve so far (left",
        f"out of the fit); then of the predictor, fitted to values after so many epochs that together cost as much as {LABELS} whole trainings (at most a",
        f"quarter of the table; mean of {DRAWS} draws).",
        "",
        f"| epochs | all | best {TOP} | place of the best | curve: best {TOP} | place | labels | predictor: best {TOP} | place |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = [""] * 5
        if "all" in row:
            own = [f"{row['all']:.3f}", f"{row['top']:.3f}", f"{row['place']:,}"]
            own += [f"{row['curve_top']:.3f}", f"{row['curve_place']:,}"]
        fit = [f"{row['labels']:,}", f"{row['fit_top']:.3f}", f"{row['fit_place']:,.0f}"]
        lines.append("| " + " | ".join([str(row["epochs"]), *own, *fit]) + " |")
    return [*lines, ""]


def _searches(rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [
        f"Searches that compare trainings, with the epochs of {BUDGET} whole ones: how many came to the best network, after how many whole trainings,",
        "and the median rank of what was found (the last of all where no training has ended).",
        "",
        "| what goes on | seeds | found the best | " + " | ".join(f"rank after {p}" for p in POINTS) + " |",
        "|---|---|---|" + "---|" * len(POINTS),
    ]
    for way in WAYS:
        own = [row for row in rows if row["way"] == way.name]
        if not own:
            continue
        found = sorted(row["found"] for row in own if row["found"] is not None)
        says = f"{len(found)} of {len(own)}" + (f" (after {', '.join(map(str, found))})" if found else "")
        ranks = [f"{np.median([row['ranks'][str(p)] for row in own]):.0f}" for p in POINTS]
        lines.append("| " + " | ".join([way.name, str(len(own)), says, *ranks]) + " |")
    return [*lines, ""]


def main() -> None:
    """Make the rows that are missing, and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument(
        "--task", action="append", choices=[*(task.name for task in TASKS if task.curve), training.TASK]
    )
    parser.add_argument("--seeds", type=int, nargs=2, default=(101, 107), metavar=("FIRST", "END"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    kept = options.output / "short-trainings.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []

    def add(row: dict[str, Any]) -> None:
        row = json.loads(json.dumps(row))
        rows.append(row)
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")

    for task in TASKS:
        if not task.curve or (options.task and task.name not in options.task):
            continue
        if options.data is None:
            parser.error(f"{task.name} needs --data")
        table = Table.read(task, options.data)
        if not any(row["kind"] == "told" and row["task"] == task.name for row in rows):
            for row in list(told(table)):
                add(row)
        for seed in range(*options.seeds):
            for way in (way for way in WAYS if way.skipped <= len(task.curve) - 2):
                if not any(
                    (row["task"], row.get("way"), row.get("seed")) == (task.name, way.name, seed) for row in rows
                ):
                    add(searched(table, way, seed))
    if not options.task or training.TASK in options.task:
        if not any(row["kind"] == "told" and row["task"] == training.TASK for row in rows):
            for row in list(digits_told(options.seeds[0])):
                add(row)
        for seed, way in itertools.product(range(*options.seeds), DIGITS):
            if not any((row["task"], row.get("way"), row.get("seed")) == (training.TASK, way, seed) for row in rows):
                add(digits_searched(way, seed))
    write_text(options.output / "short-trainings.md", page(rows))


if __name__ == "__main__":
    main()
