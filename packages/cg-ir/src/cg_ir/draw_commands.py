"""The commands that show graphs and their differences: draw, diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cg_ir.commands import say_graph_written, source_options
from cg_ir.output_formats import endings, write
from cg_ir.sources import graph_of
from cg_ir.terminal import complete_source, json_option
from cg_ir.text import printable


@click.command()
@click.argument("source", shell_complete=complete_source)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"File to write; its ending says what: {endings('draw')}.",
)
@click.option("--depth", type=click.IntRange(min=0), help="Levels of regions shown open; deeper ones are folded.")
@click.option("--simplify", is_flag=True, help="Leave out layout operators (reshapes, transposes, ...).")
@click.option("--theme", type=click.Choice(["auto", "light", "dark"]), help="Colours; auto follows the viewer.")
@json_option
@source_options
def draw(
    source: str,
    output: Path,
    depth: int | None,
    simplify: bool,
    theme: str | None,
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
) -> None:
    """Draw SOURCE.

    A SOURCE that names Python code (file.py:callable, module.path:callable) runs that code.
    """
    graph = graph_of(source, input=inputs, args=arguments, strict=strict)
    write(graph, output, "draw", depth=depth, simplify=simplify, theme=theme)
    say_graph_written(output, graph, as_json)


@click.command()
@click.argument("a", shell_complete=complete_source)
@click.argument("b", shell_complete=complete_source)
@json_option
@source_options
def diff(a: str, b: str, as_json: bool, inputs: tuple[str, ...], arguments: str | None, strict: bool) -> None:
    """Show what differs between the SOURCEs A and B: operators removed (-), added (+) and changed (~), and costs."""
    from cg_ir.difference import diff as compare

    options: dict[str, Any] = {"input": inputs, "args": arguments, "strict": strict}
    found = compare(graph_of(a, **options), graph_of(b, **options))
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else printable(found.to_text()), nl=as_json)
