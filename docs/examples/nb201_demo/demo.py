"""Rank and search all 15,625 cells of NAS-Bench-201, beside baselines with the same labels, and write a report.

The predictor leaves NAS-Bench-201 out of everything that it learned (``exclude``): whatever it knows without labels comes from other families.
Labels come from the PyPI package ``analog-nasbench`` or from a CSV with columns ``arch`` and accuracy (``--labels``).
"""

from __future__ import annotations

import html
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from page import PAGE, figure, picture, table_html
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import kendalltau, rankdata, spearmanr

import cg_ir
from cg_evolve import Search
from cg_predict import Predictor

FAMILY = "nb201"
LABELS = (0, 10, 50, 100)
BUDGET = 100

console = Console(stderr=True, highlight=False)


# --- data -------------------------------------------------------------------------------------------------------------


def read_labels(path: str | None) -> tuple[list[str], NDArray[np.float64]]:
    """Architectures and accuracies of all cells."""
    if path is None:
        found = importlib.util.find_spec("analognasbench")
        if found is None or found.origin is None:
            sys.exit(
                "labels: pip install analog-nasbench==0.1.3, or name a CSV with columns arch and accuracy by --labels"
            )
        table = cg_ir.get_benchmark("analog-nasbench").open(str(Path(found.origin).parent))
    else:
        table = cg_ir.get_benchmark("csv").open(path)
    metric = table.metrics[0]
    archs = list(table.archs())
    missing = sorted(set(cg_ir.get_space(FAMILY).enumerate()) - set(archs))
    if missing:
        sys.exit(f"labels: should name all 15,625 cells; {len(missing):,} are missing, such as {missing[0]}")
    return archs, np.array([table.query(arch, metric) for arch in archs])


class _Work:
    """What worker processes share: all cells and their accuracies."""

    archs: list[str]
    accuracy: NDArray[np.float64]
    graphs: list[cg_ir.Graph]
    value: dict[str, float]

    def set(self, archs: list[str], accuracy: NDArray[np.float64]) -> None:
        if getattr(self, "archs", None) == archs:  # a forked worker has it already
            return
        space = cg_ir.get_space(FAMILY)
        self.archs, self.accuracy = archs, accuracy
        self.graphs = [space.graph(arch) for arch in archs]
        self.value = dict(zip(archs, accuracy.tolist(), strict=True))


_work = _Work()


# --- ranking ----------------------------------------------------------------------------------------------------------


@dataclass
class Ranked:
    """One method's rankings of all cells, a row a draw of labels."""

    method: str
    labels: int
    spearman: list[float]
    kendall: list[float]
    found: list[int]

    @classmethod
    def empty(cls, method: str, labels: int) -> Ranked:
        return cls(method, labels, [], [], [])

    def add(self, scores: NDArray[np.floating], accuracy: NDArray[np.float64], ranks: NDArray[np.float64]) -> None:
        self.spearman.append(float(spearmanr(scores, accuracy).statistic))
        self.kendall.append(float(kendalltau(scores, accuracy).statistic))
        self.found.append(int(ranks[int(np.argmax(scores))]))


def _scores(method: str, count: int, draw: int) -> NDArray[np.floating]:
    """Scores of all cells from one draw of labels."""
    graphs, accuracy = _work.graphs, _work.accuracy
    if method == "cg":
        predictor = Predictor(exclude=(FAMILY,), seed=draw, warn=False)
    else:
        predictor = Predictor(embedding=False, neighbourhoods=False, use_prior=False, seed=draw)
    if count:
        chosen = np.random.default_rng(draw).choice(len(graphs), count, replace=False)
        predictor.fit([graphs[i] for i in chosen], accuracy[chosen])
    result: NDArray[np.floating] = predictor.predict(graphs, pool=graphs)
    return result


def rank(draws: int, workers: Executor) -> list[Ranked]:
    """Every method at every number of labels; all methods are given the same labels."""
    graphs, accuracy = _work.graphs, _work.accuracy
    ranks = rankdata(-accuracy, method="min")
    results: list[Ranked] = []
    for name, values in (("parameters", [g.params for g in graphs]), ("MACs", [g.macs for g in graphs])):
        results.append(Ranked.empty(name, 0))
        results[-1].add(np.array(values, dtype=float), accuracy, ranks)
    waiting = []
    for count in LABELS:
        for name in ("descriptors + Gaussian process", "cg"):
            if count == 0 and name != "cg":
                continue
            results.append(Ranked.empty(name, count))
            waiting += [
                (results[-1], workers.submit(_scores, name, count, draw)) for draw in range(draws if count else 1)
            ]
    for result, scores in track(waiting, "ranking", console=console):
        result.add(scores.result(), accuracy, ranks)
    return results


# --- search -----------------------------------------------------------------------------------------------------------


def _curve(algorithm: str, seed: int) -> list[float]:
    """Accuracies in the order of evaluation of one search."""
    run = Search(FAMILY, algorithm=algorithm, seed=seed, exclude=(FAMILY,))
    measured: list[float] = []
    while len(measured) < BUDGET:
        candidates = run.ask(1)
        values = [_work.value[c.arch] for c in candidates]
        run.tell(candidates, values)
        measured += values
    return measured


def search(seeds: int, workers: Executor) -> dict[str, NDArray[np.float64]]:
    """Accuracies in the order of evaluation, (seeds, budget), of each method."""
    methods = {"random": "random", "regularised evolution": "regularized", "cg": "auto"}
    waiting = {
        title: [workers.submit(_curve, algorithm, seed) for seed in range(seeds)]
        for title, algorithm in methods.items()
    }
    return {
        title: np.array([row.result() for row in track(rows, f"search: {title}", console=console)])
        for title, rows in waiting.items()
    }


def search_rows(curves: dict[str, NDArray[np.float64]], accuracy: NDArray[np.float64]) -> list[list[str]]:
    """Best found, its true rank, evaluations until the top 0.1 %: median over seeds with the range."""
    ranks = rankdata(-accuracy, method="min")
    order = np.sort(accuracy)[::-1]
    bar = order[max(0, len(order) // 1000 - 1)]
    rows = []
    for title, curve in curves.items():
        best = curve.max(axis=1)
        place = [int(ranks[np.flatnonzero(accuracy == b)[0]]) for b in best]
        first = [int(np.argmax(row >= bar)) + 1 if (row >= bar).any() else BUDGET + 1 for row in curve]
        reached = sum(f <= BUDGET for f in first)
        until = f"{statistics.median(first):g}" if reached > len(first) / 2 else f"more than {BUDGET}"
        rows.append(
            [
                title,
                f"{np.median(best):.2f} ({best.min():.2f} to {best.max():.2f})",
                f"{statistics.median(place):g} ({min(place)} to {max(place)})",
                f"{until} ({reached} of {len(first)} runs)",
            ]
        )
    return rows


# --- report -----------------------------------------------------------------------------------------------------------


def ranking_rows(results: Sequence[Ranked]) -> list[list[str]]:
    def spread(values: Sequence[float]) -> str:
        return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")

    def found(ranks: Sequence[int]) -> str:
        return f"{statistics.median(ranks):g}" + (f" ({min(ranks)} to {max(ranks)})" if len(ranks) > 1 else "")

    return [[r.method, str(r.labels), spread(r.spearman), spread(r.kendall), found(r.found)] for r in results]


def draw_ranking(results: Sequence[Ranked]) -> Callable[[plt.Axes], None]:
    def draw(axes: plt.Axes) -> None:
        for method, colour in (("cg", "#2f6fde"), ("descriptors + Gaussian process", "#d9822b")):
            rows = [r for r in results if r.method == method]
            means = [np.mean(r.spearman) for r in rows]
            errors = [np.std(r.spearman, ddof=1) if len(r.spearman) > 1 else 0.0 for r in rows]
            axes.errorbar([r.labels for r in rows], means, errors, marker="o", capsize=3, color=colour, label=method)
        parameters = next(r for r in results if r.method == "parameters")
        axes.axhline(parameters.spearman[0], color="#888888", linestyle=":", label="parameters")
        axes.set(xlabel="labels of this family", ylabel="Spearman, all cells")
        axes.legend(frameon=False)

    return draw


def draw_search(curves: dict[str, NDArray[np.float64]], accuracy: NDArray[np.float64]) -> Callable[[plt.Axes], None]:
    def draw(axes: plt.Axes) -> None:
        steps = np.arange(1, BUDGET + 1)
        for (title, curve), colour in zip(curves.items(), ("#888888", "#d9822b", "#2f6fde"), strict=True):
            regret = accuracy.max() - np.maximum.accumulate(curve, axis=1)
            low, middle, high = np.quantile(regret, (0.25, 0.5, 0.75), axis=0)
            axes.plot(steps, middle, color=colour, label=title)
            axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.set(xlabel="evaluations", ylabel="regret of the best found, points", yscale="symlog", ylim=(0, 12))
        axes.set_yscale("symlog", linthresh=0.05)
        axes.legend(frameon=False)

    return draw


def cell_graph(network: cg_ir.Graph, cell: str = "stage_1.cell_1") -> cg_ir.Graph:
    """One cell of a network as a graph of its own."""
    builder = cg_ir.GraphBuilder(cell, canonical=False)
    place: dict[int, int] = {}
    last = None
    for node in network.nodes:
        if node.region != cell and not node.region.startswith(cell + "."):
            continue
        for source in node.inputs:
            if source not in place:
                place[source] = builder.input(network.nodes[source].shape)
        place[node.index] = last = builder.add(
            node.op, *(place[i] for i in node.inputs), shape=node.shape, region="cell", **node.attrs
        )
    if last is None:  # the cell only passes its input on
        last = builder.input(network.nodes[0].shape)
    builder.output(last)
    return builder.build()


RANKING = ("method", "labels", "Spearman", "Kendall", "true rank of the predicted best")
SEARCH = ("method", "best accuracy found", "its true rank", "evaluations until the top 0.1 %")


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row, style="bold" if row[0] == "cg" else "")
    Console(highlight=False).print(table)


@click.command()
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False),
    help="CSV with columns arch and accuracy instead of the demo's package.",
)
@click.option("--draws", default=10, show_default=True, type=click.IntRange(1), help="Random draws of labels.")
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(1), help="Searches with each method.")
@click.option(
    "-o", "--output", default="nb201-report.html", show_default=True, type=click.Path(dir_okay=False, path_type=Path)
)
def main(labels: str | None, draws: int, seeds: int, output: Path) -> None:
    """Rank and search all cells of NAS-Bench-201 and write a report."""
    begin = time.perf_counter()
    archs, accuracy = read_labels(labels)
    start = time.perf_counter()
    _work.set(archs, accuracy)
    graphs = _work.graphs
    build = time.perf_counter() - start
    start = time.perf_counter()
    prior = Predictor(exclude=(FAMILY,), warn=False)  # of course no known family is like the one left out
    prior.predict(graphs, pool=graphs)
    score = time.perf_counter() - start
    console.print(f"{len(graphs):,} cells: built in {build:.1f} s, embedded and scored in {score:.1f} s")
    with ProcessPoolExecutor(os.cpu_count(), initializer=_work.set, initargs=(archs, accuracy)) as workers:
        ranked = rank(draws, workers)
        show(f"Ranking all {len(graphs):,} cells (means of {draws} draws)", RANKING, ranking_rows(ranked))
        curves = search(seeds, workers)
    show(f"Search, {BUDGET} evaluations (medians of {seeds} seeds)", SEARCH, search_rows(curves, accuracy))

    best = float(curves["cg"].max())
    winner = int(np.flatnonzero(accuracy == best)[0])
    text = PAGE.format(
        cells=len(graphs),
        sources=", ".join(prior.sources),
        draws=draws,
        budget=BUDGET,
        seeds=seeds,
        top=max(1, len(graphs) // 1000),
        ranking_table=table_html(RANKING, ranking_rows(ranked)),
        ranking_figure=figure(draw_ranking(ranked), "Spearman correlation against the number of labels"),
        search_table=table_html(SEARCH, search_rows(curves, accuracy)),
        search_figure=figure(draw_search(curves, accuracy), "Regret against the number of evaluations"),
        arch=html.escape(archs[winner]),
        best=best,
        best_rank=int(rankdata(-accuracy, method="min")[winner]),
        params=graphs[winner].params,
        macs=graphs[winner].macs,
        cell=picture(cell_graph(graphs[winner]).to_svg(title="stage_1.cell_1"), "The operators of one cell"),
        network=picture(graphs[winner].to_svg(depth=1), "The whole network, its cells folded"),
        seconds=time.perf_counter() - begin,
        build=build,
        score=score,
        python=sys.version.split()[0],
    )
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(output)
    console.print(f"{time.perf_counter() - begin:.0f} s in all")
    print(f"report: {output.resolve()}")


if __name__ == "__main__":
    main()
