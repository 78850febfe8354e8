"""``cg bench``: the tables of the documentation, rebuilt from a data directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cg_ir.errors import CgError
from cg_ir.terminal import json_option, say_written

__all__ = ["bench"]


Command = TypeVar("Command", bound=Callable[..., Any])

_data = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the label tables.",
)


def _output(files: str) -> Callable[[Command], Command]:
    return click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help=f"Folder for {files}; a second run continues.",
    )


def _progress() -> Callable[[str], None]:
    """Lines on stderr, with the seconds since now."""
    begin = time.monotonic()
    return lambda line: click.echo(f"{time.monotonic() - begin:6.0f} s  {line}", err=True)


@click.group()
def bench() -> None:
    """Rebuild the benchmark tables."""


@bench.command()
@_data
@click.option("--quick", is_flag=True, help="Few networks, draws and methods: a check that takes minutes.")
@click.option("--target", "only", multiple=True, help="Only these targets.")
@click.option("--method", "chosen", multiple=True, help="Only these methods.")
@click.option(
    "--limit",
    type=int,
    help="At most this many networks of a target, a seeded sample; 1500 unless said otherwise, nb201 whole.",
)
@click.option("--draws", type=int, help="Draws of labels; 10, or 3 in a quick run.")
@click.option(
    "--graphs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with timm.jsonl.gz and torchvision.jsonl.gz, graph documents as 'cg collect' writes them; their targets are left out without it.",
)
@_output("results.csv, results.md and the plot")
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
    from cg_predict.bench.report import write_report
    from cg_predict.bench.suite import methods_for
    from cg_predict.bench.targets import TARGETS
    from cg_predict.bench.transfer import COUNTS, Rows, run_target

    known = [t.name for t in TARGETS]
    for name in only:
        if name not in known:
            raise CgError(f"there is no target '{name}'; there are {', '.join(known)}")
    output.mkdir(parents=True, exist_ok=True)
    rows = Rows(output / "results.csv")
    progress = _progress()
    for target in TARGETS:
        if (only and target.name not in only) or (quick and not only and not target.quick):
            continue
        if target.documents and graphs is None and not only:
            progress(f"{target.name}: left out, for no --graphs are given")
            continue
        size = limit if limit is not None else 600 if quick else target.size
        labelled = target.read(data, size, graphs)
        run_target(
            target, labelled, labelled.graphs(), methods_for(target, labelled, data, quick, chosen, graphs),
            (0, 20, 50, 100) if quick else COUNTS, draws or (3 if quick else 10), rows, progress,
        )  # fmt: skip
        write_report(output, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))


@bench.command()
@_data
@click.option("--quick", is_flag=True, help="Two families, few networks, draws and steps: a check that takes a minute.")
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
@_output("results.csv, training.csv and results.md")
@json_option
def embedding(
    data: Path, quick: bool, stages: tuple[str, ...], encoders: Path | None, output: Path, as_json: bool
) -> None:
    """What the learned embedding adds to descriptors and prior, and what its training adds to random weights."""
    from cg_predict.bench.embedding import Study, evaluation_rows, read_settings, training_rows
    from cg_predict.bench.embedding_report import write_report

    output.mkdir(parents=True, exist_ok=True)
    rows, training = evaluation_rows(output), training_rows(output)
    Study(
        read_settings(quick), data, encoders or output / "encoders", rows, training,
        _progress(),
        lambda: write_report(output, rows.rows, training.rows),
    ).run(stages)  # fmt: skip
    write_report(output, rows.rows, training.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))


@bench.command()
@_data
@click.option("--cells", type=click.IntRange(10), default=120, show_default=True, help="Random cells to score.")
@_output("results.csv and results.md")
@json_option
def proxies(data: Path, cells: int, output: Path, as_json: bool) -> None:
    """The zero-cost proxies against the values published for the same NAS-Bench-201 cells (extra torch)."""
    from cg_predict.bench.proxies import proxy_rows, run, sample_cells, write_report

    sample = sample_cells(data, cells)
    output.mkdir(parents=True, exist_ok=True)
    rows = proxy_rows(output)
    run(sample, rows, _progress())
    write_report(output, sample, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))


@bench.command()
@_data
@click.option("--target", "only", multiple=True, help="Only these targets.")
@click.option(
    "--limit", type=int, help="At most this many networks of a target, a seeded sample; 1500 unless said otherwise."
)
@click.option(
    "--graphs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with timm.jsonl.gz, as 'cg collect' writes it; its target is left out without it.",
)
@_output("results.csv, results.md and the plot")
@json_option
def sources(
    data: Path, only: tuple[str, ...], limit: int | None, graphs: Path | None, output: Path, as_json: bool
) -> None:
    """The ranking without labels against the number of families learned from, and what each family is worth to each other."""
    from cg_predict.bench.sources import run, source_rows, write_report
    from cg_predict.bench.targets import TARGETS
    from cg_predict.prior import load_prior
    from cg_predict.tables import family_named

    output.mkdir(parents=True, exist_ok=True)
    rows, progress, prior = source_rows(output), _progress(), load_prior()
    for target in TARGETS:
        if target.groups or (only and target.name not in only) or (target.documents and graphs is None):
            continue
        labelled = target.read(data, limit or 1500, graphs)
        run(target.name, family_named(target.family).name, labelled, prior, rows, progress)
        write_report(output, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))


@bench.command()
@_data
@click.option("--quick", is_flag=True, help="Two families, few networks and draws: a check that takes a minute.")
@click.option(
    "--limit", type=int, help="At most this many networks of a family, a seeded sample; 1500 unless said otherwise."
)
@click.option("--draws", type=int, help="Draws of labels; 8, or 2 in a quick run.")
@_output("results.csv and results.md")
@json_option
def ablation(data: Path, quick: bool, limit: int | None, draws: int | None, output: Path, as_json: bool) -> None:
    """What each part and each number of the shipped predictor is worth."""
    from cg_predict.bench.ablation import COUNTS, QUICK, methods, write_report
    from cg_predict.bench.targets import TARGETS
    from cg_predict.bench.transfer import Rows, run_target

    output.mkdir(parents=True, exist_ok=True)
    rows = Rows(output / "results.csv")
    progress = _progress()
    for target in TARGETS:
        if target.name != target.family or (quick and target.name not in QUICK):
            continue
        labelled = target.read(data, limit or (300 if quick else 1500))
        run_target(
            target, labelled, labelled.graphs(), methods(target.family), (0, 50) if quick else COUNTS,
            draws or (2 if quick else 8), rows, progress,
        )  # fmt: skip
        write_report(output, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))
