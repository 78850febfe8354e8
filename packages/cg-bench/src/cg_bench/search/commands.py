"""The command ``cg bench search``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cg_bench.options import data_option, output_option, quick_option, say_results
from cg_ir import registry
from cg_ir.terminal import json_option

if TYPE_CHECKING:
    from cg_bench.search.rows import Rows

__all__ = ["search"]

_TABLES = ("nb201", "nb101", "nb301")
_PARTS = (*_TABLES, "mobilenetv3", "digits", "overhead")
_METHODS = ("random", "local", "regularized", "nsga2", "asha", "hyperband", "guided", "gp", "bayesian", "halving")


@click.command()
@data_option
@output_option("results.csv, results.md and results.svg")
@quick_option("3 seeds and small budgets")
@click.option("--task", "tasks", multiple=True, type=click.Choice(_PARTS), help="Only these.")
@click.option("--method", "methods", multiple=True, type=click.Choice(_METHODS), help="Only these algorithms.")
@click.option(
    "--seeds", type=click.IntRange(min=1), help="Seeds a method: 30 on tables, 20 on real training and on MobileNetV3."
)
@click.option(
    "--scorer",
    default="predictor",
    show_default=True,
    help="The predictor that guides; the searched family is left out of it.",
)
@json_option
def search(
    data: Path,
    output: Path,
    quick: bool,
    tasks: tuple[str, ...],
    methods: tuple[str, ...],
    seeds: int | None,
    scorer: str,
    as_json: bool,
) -> None:
    """Compare the search algorithms on tables of labels, on a model of MobileNetV3 and on real training; measure what the search itself costs."""
    from cg_bench.search.report import write_report
    from cg_bench.search.rows import Rows

    output.mkdir(parents=True, exist_ok=True)
    rows = Rows(output / "results.csv")
    for part in tasks or _PARTS:
        if part in (*_TABLES, "mobilenetv3", "overhead") and not _readable(part):
            click.echo(f"{part}: no installed plugin reads its table; left out", err=True)
            continue
        for line in _run(part, data, rows, methods or _METHODS, seeds, scorer, quick):
            click.echo(line, err=True)
    if rows.rows:
        write_report(rows.rows, output)
    say_results(output, rows.rows, as_json)


def _readable(part: str) -> bool:
    return {"overhead": "nb201"}.get(part, part) in registry().entries("benchmark")


def _run(
    part: str, data: Path, rows: Rows, methods: tuple[str, ...], seeds: int | None, scorer: str, quick: bool
) -> Iterator[str]:
    from cg_bench.search.fronts import run_fronts
    from cg_bench.search.overhead import run_overhead
    from cg_bench.search.tables import run_tables
    from cg_bench.search.training import run_training

    def count(usual: int) -> int:
        return seeds if seeds is not None else min(3, usual) if quick else usual

    if part == "mobilenetv3":
        return run_fronts(data, rows, methods, count(20), scorer, quick)
    if part == "digits":
        return run_training(rows, methods, count(20), scorer, quick)
    if part == "overhead":
        return run_overhead(data, rows, methods, scorer, quick)
    return run_tables(data, rows, (part,), methods, count(30), scorer, quick)
