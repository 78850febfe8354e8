"""The command ``cg corpus``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

import cg_ir
from cg_ir import Graph
from cg_ir.errors import SourceError
from cg_ir.terminal import json_option, say_written

#: Seconds between two lines of progress where standard error is no terminal.
_PAUSE = 30.0


@click.command()
@click.option(
    "--graphs", "count", type=click.IntRange(1), default=200_000, show_default=True, help="Distinct networks to write."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every choice.")
@click.option(
    "--source", "sources", multiple=True, metavar="NAME",
    help="Only these: a search space with its options, 'graphs?file=FILE', 'torchvision', 'random' or 'mutations'; may be repeated.",
)  # fmt: skip
@click.option(
    "--leave-out", multiple=True, metavar="NAME",
    help="A source not to use, such as a family to be judged on; may be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Graphs as JSON Lines, .jsonl or .jsonl.gz.",
)  # fmt: skip
@json_option
def corpus(
    count: int, seed: int, sources: tuple[str, ...], leave_out: tuple[str, ...], output: Path, as_json: bool
) -> None:
    """Write many distinct networks for pre-training: spaces, named models, random ones, mutations of all of them."""
    from .corpus import Corpus, known_sources

    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise SourceError(f"{output}: the name should end in .jsonl or .jsonl.gz")
    names = list(sources) or known_sources()
    unknown = [name for name in leave_out if name not in names]
    if unknown:
        raise SourceError(f"there is no source '{unknown[0]}' to leave out; there are {', '.join(names)}")
    made = Corpus([n for n in names if n not in leave_out], seed, lambda line: click.echo(line, err=True))
    begin = time.monotonic()
    cg_ir.save_set(_counted(made.graphs(count), count), output)
    seconds = time.monotonic() - begin
    total, drawn = sum(made.counts.values()), sum(made.draws.values())
    shares = ", ".join(f"{name.rpartition('/')[2]} {n:,} of {made.draws[name]:,}" for name, n in made.counts.items())
    text = f"{total:,} distinct networks of {drawn:,} drawn, {total / seconds:.0f} a second: {shares}"
    say_written(
        output, text, as_json, networks=total, drawn=drawn, seconds=seconds, sources=made.counts, draws=made.draws
    )


def _counted(graphs: Iterable[Graph], count: int) -> Iterator[Graph]:
    """The graphs, counted by a bar on a terminal, by a line now and then elsewhere; both on standard error."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(graphs, "networks", count, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for number, graph in enumerate(graphs, 1):
        yield graph
        if time.monotonic() - last > _PAUSE:
            last = time.monotonic()
            click.echo(f"{number:,} of {count:,} networks", err=True)
