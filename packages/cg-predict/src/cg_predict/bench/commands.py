"""``cg bench``: the tables of the documentation, rebuilt from a data directory."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cg_ir.errors import CgError
from cg_ir.terminal import json_option, say_written

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Rebuild the benchmark tables."""


@bench.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the label tables.",
)
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
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.csv, results.md and the plot; a second run continues.",
)
@json_option
def transfer(
    data: Path,
    quick: bool,
    only: tuple[str, ...],
    chosen: tuple[str, ...],
    limit: int | None,
    draws: int | None,
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
    begin = time.monotonic()
    for target in TARGETS:
        if (only and target.name not in only) or (quick and not only and not target.quick):
            continue
        size = limit if limit is not None else 600 if quick else target.size
        labelled = target.read(data, size)
        graphs = labelled.graphs()
        run_target(
            target, labelled, graphs, methods_for(target, data, quick, chosen), (0, 20, 50, 100) if quick else COUNTS,
            draws or (3 if quick else 10), rows, lambda line: click.echo(f"{time.monotonic() - begin:6.0f} s  {line}", err=True),
        )  # fmt: skip
        write_report(output, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))
