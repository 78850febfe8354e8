"""``cg bench latency``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cg_ir.terminal import json_option, say_written

__all__ = ["latency"]


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the tables of measurements.",
)
@click.option(
    "--graphs",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the timm models' graphs (.jsonl.gz); made with timm and torch where it is not there.",
)
@click.option("--table", "tables", multiple=True, type=click.Choice(["timm", "nb201"]), help="Only these.")
@click.option("--draws", type=click.IntRange(min=1), default=5, show_default=True, help="Draws of measured networks.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.csv and results.md; a second run continues.",
)
@json_option
def latency(data: Path, graphs: Path, tables: tuple[str, ...], draws: int, output: Path, as_json: bool) -> None:
    """Predicted latency against measured: networks left out, devices left out, few measurements."""
    from cg_predict.bench.latency import latency_rows, run, write_report
    from cg_predict.latency_tables import read_measured

    begin = time.monotonic()

    def progress(line: str) -> None:
        click.echo(f"{time.monotonic() - begin:6.0f} s  {line}", err=True)

    measured = read_measured(data, graphs, tables or ("timm", "nb201"), progress)
    output.mkdir(parents=True, exist_ok=True)
    rows = latency_rows(output)
    run(measured, rows, progress, draws)
    write_report(output, measured, rows.rows)
    say_written(output / "results.md", "", as_json, rows=len(rows.rows))
