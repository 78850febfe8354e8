"""The command of cg-frontends: ``cg collect``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cg_frontends.benchmarks.graph_labels import LabelledGraph, read_graphs, write_graphs
from cg_frontends.benchmarks.graph_labels import collect as labelled
from cg_frontends.benchmarks.progress import progress
from cg_ir import CgError, SourceError, get_benchmark, get_space
from cg_ir.terminal import json_option, say_written


@click.command()
@click.argument("table", metavar="BENCHMARK=PATH")
@click.option("--space", metavar="NAME", help="The space that builds the networks; the benchmark's by default.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="File to write: .jsonl or .jsonl.gz. Networks that it already holds are not built again.",
)  # fmt: skip
@json_option
def collect(table: str, space: str | None, output: Path, as_json: bool) -> None:
    """Write the networks of a label table with their labels into one file of graph documents.

    The file is a table and a space of its own: 'graphs=FILE', 'graphs?file=FILE'.
    """
    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise SourceError(f"{output}: the name should end in .jsonl or .jsonl.gz")
    # options of the benchmark hold equals signs, too: timm?recipes=all=results.csv
    name, _, path = table.rpartition("=")
    if not name:
        raise SourceError(f"'{table}' should be BENCHMARK=PATH, such as timm=timm_imagenet.csv.gz")
    benchmark = get_benchmark(name)
    labels: Any = benchmark.open(path)
    build = getattr(labels, "graph", None)
    if build is None or space is not None:
        place = space or benchmark.space
        if not place:
            raise SourceError(f"the benchmark '{name}' names no space; say which one builds its networks: --space NAME")
        build = get_space(place).graph
    known = {arch: entry.graph for arch, entry in read_graphs(output).entries.items()} if output.exists() else {}
    failures: list[tuple[str, CgError]] = []
    entries = labelled(labels, build, known, lambda arch, error: failures.append((arch, error)))
    count = 0

    def counted() -> Iterator[LabelledGraph]:
        nonlocal count
        for entry in entries:
            count += 1
            yield entry
        if not count:
            raise SourceError(f"{table}: no network of it can be built; the first: {failures[0][1]}")

    write_graphs(progress(counted(), "networks", len(list(labels.archs()))), output)
    if failures:
        click.echo(f"left out {len(failures)}, the first: {failures[0][0]}: {failures[0][1]}", err=True)
    say_written(output, f"{count} networks with labels", as_json, networks=count, left_out=len(failures))
