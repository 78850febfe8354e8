"""``cg bench``: the tables of the documentation, rebuilt from a data directory."""

from __future__ import annotations

from pathlib import Path

import click

from cg_bench.options import (
    data_option,
    draws_option,
    graphs_option,
    limit_option,
    output_option,
    progress,
    quick_option,
    say_results,
    target_option,
)
from cg_bench.search.commands import search
from cg_ir.terminal import json_option

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Rebuild the benchmark tables."""


bench.add_command(search)


@bench.command()
@data_option
@quick_option("Few networks, draws and methods")
@target_option
@click.option("--method", "chosen", multiple=True, help="Only these methods; scorer:NAME is a registered scorer.")
@limit_option("1500, nb201 whole,")
@draws_option(10, 3)
@graphs_option("timm.jsonl.gz and torchvision.jsonl.gz")
@output_option("results.csv, results.md and the plot")
@json_option
def transfer(
    data: Path,
    quick: bool,
    only: tuple[str, ...],
    chosen: tuple[str, ...],
    limit: int | None,
    draws: int | None,
    graphs: Path | None,
    output: Path,
    as_json: bool,
) -> None:
    """Rank every family from labels of the others and a few of its own; the target's family is left out of every source."""
    from cg_bench.ranking.report import write_report
    from cg_bench.ranking.suite import chosen_methods
    from cg_bench.ranking.targets import Task, chosen_targets
    from cg_bench.ranking.transfer import COUNTS, Rows, run_task, told

    targets, contenders = chosen_targets(only), chosen_methods(chosen, quick)
    output.mkdir(parents=True, exist_ok=True)
    rows, say = Rows(output / "results.csv"), progress()
    for target in targets:
        if quick and not only and not target.quick:
            continue
        if target.documents and graphs is None and not only:
            say(f"{target.name}: left out, for no --graphs are given")
            continue
        size = limit if limit is not None else 600 if quick else target.size
        with told(target.name):
            task = Task(target, target.read(data, size, graphs), data, graphs)
            methods, networks = [method for make in contenders if (method := make(task))], task.labelled.graphs()
        counts = (0, 20, 50, 100) if quick else COUNTS
        run_task(task, networks, methods, counts, draws or (3 if quick else 10), rows, say)
        write_report(output, rows.rows)
    say_results(output, rows.rows, as_json)


@bench.command()
@data_option
@quick_option("Two families, few networks, draws and steps")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    help="Only these: descriptors, path, paper's, predictor, or the name of a training.",
)
@click.option(
    "--encoders",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the encoders that are trained; OUTPUT/encoders unless said otherwise.",
)
@output_option("results.csv, training.csv and results.md")
@json_option
def embedding(
    data: Path, quick: bool, stages: tuple[str, ...], encoders: Path | None, output: Path, as_json: bool
) -> None:
    """What the learned embedding adds to descriptors and prior, and what its training adds to random weights."""
    from cg_bench.embedding.report import write_report
    from cg_bench.embedding.study import Study, evaluation_rows, read_settings, training_rows

    output.mkdir(parents=True, exist_ok=True)
    rows, training = evaluation_rows(output), training_rows(output)
    Study(
        read_settings(quick), data, encoders or output / "encoders", rows, training,
        progress(),
        lambda: write_report(output, rows.rows, training.rows),
    ).run(stages)  # fmt: skip
    write_report(output, rows.rows, training.rows)
    say_results(output, rows.rows, as_json)


@bench.command()
@data_option
@click.option("--cells", type=click.IntRange(10), default=120, show_default=True, help="Random cells to score.")
@output_option("results.csv and results.md")
@json_option
def proxies(data: Path, cells: int, output: Path, as_json: bool) -> None:
    """The zero-cost proxies against the values published for the same NAS-Bench-201 cells (extra torch)."""
    from cg_bench.proxies import proxy_rows, run, sample_cells, write_report

    sample = sample_cells(data, cells)
    output.mkdir(parents=True, exist_ok=True)
    rows = proxy_rows(output)
    run(sample, rows, progress())
    write_report(output, sample, rows.rows)
    say_results(output, rows.rows, as_json)


@bench.command()
@data_option
@target_option
@limit_option("1500")
@graphs_option("timm.jsonl.gz")
@output_option("results.csv, results.md and the plot")
@json_option
def sources(
    data: Path, only: tuple[str, ...], limit: int | None, graphs: Path | None, output: Path, as_json: bool
) -> None:
    """The ranking without labels against the number of families learned from, and what each family is worth to each other."""
    from cg_bench.ranking.targets import Task, chosen_targets
    from cg_bench.sources import run, source_rows, write_report
    from cg_predict.prior import load_prior

    targets = chosen_targets(only)
    output.mkdir(parents=True, exist_ok=True)
    rows, say, prior = source_rows(output), progress(), load_prior()
    for target in targets:
        if target.groups or not target.family or (target.documents and graphs is None):
            continue
        run(Task(target, target.read(data, limit or 1500, graphs), data), prior, rows, say)
        write_report(output, rows.rows)
    say_results(output, rows.rows, as_json)


@bench.command()
@data_option
@quick_option("Two families, few networks and draws")
@limit_option("1500")
@draws_option(8, 2)
@output_option("results.csv and results.md")
@json_option
def ablation(data: Path, quick: bool, limit: int | None, draws: int | None, output: Path, as_json: bool) -> None:
    """What each part and each number of the shipped predictor is worth."""
    from cg_bench.ablation import COUNTS, QUICK, methods, write_report
    from cg_bench.ranking.targets import TARGETS, Task
    from cg_bench.ranking.transfer import Rows, run_task

    output.mkdir(parents=True, exist_ok=True)
    rows, say = Rows(output / "results.csv"), progress()
    for target in TARGETS:
        if target.name != target.family or (quick and target.name not in QUICK):
            continue
        task = Task(target, target.read(data, limit or (300 if quick else 1500)), data)
        counts = (0, 50) if quick else COUNTS
        parts, networks = methods(target.family), task.labelled.graphs()
        run_task(task, networks, parts, counts, draws or (2 if quick else 8), rows, say)
        write_report(output, rows.rows)
    say_results(output, rows.rows, as_json)


@bench.command()
@data_option
@click.option(
    "--graphs",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the timm models' graphs (.jsonl.gz); made with timm and torch where it is not there.",
)
@click.option("--table", "tables", multiple=True, type=click.Choice(["timm", "nb201"]), help="Only these.")
@click.option("--draws", type=click.IntRange(min=1), default=5, show_default=True, help="Draws of measured networks.")
@output_option("results.csv and results.md")
@json_option
def latency(data: Path, graphs: Path, tables: tuple[str, ...], draws: int, output: Path, as_json: bool) -> None:
    """Predicted latency against measured: networks left out, devices left out, few measurements."""
    from cg_bench.latency import latency_rows, run, write_report
    from cg_predict.latency_tables import read_measured

    say = progress()
    measured = read_measured(data, graphs, tables or ("timm", "nb201"), say)
    output.mkdir(parents=True, exist_ok=True)
    rows = latency_rows(output)
    run(measured, rows, say, draws)
    write_report(output, measured, rows.rows)
    say_results(output, rows.rows, as_json)
