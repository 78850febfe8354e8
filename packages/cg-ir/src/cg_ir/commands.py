"""The commands that need no other package: convert, info, validate, plugins."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cg_ir.errors import CgError, SourceError
from cg_ir.experts import experts_of
from cg_ir.graph import Graph
from cg_ir.layers import Layer, layers
from cg_ir.memory import in_bytes, memory_of
from cg_ir.operators import OPERATORS
from cg_ir.output_formats import endings, write
from cg_ir.plugin_registry import KINDS, registry
from cg_ir.sources import Reading, graph_of
from cg_ir.terminal import complete_source, json_option, one_line, plain_table, say_written, table_console
from cg_ir.text import printable


def source_options(function: Any) -> Any:
    """The options that say how a SOURCE is read."""
    options = (
        click.option(
            "--input", "inputs", multiple=True, metavar="SHAPE",
            help="Input shape without batch, such as 3x224x224 or 128:int64; once an input.",
        ),
        click.option("--args", "arguments", metavar="JSON", help="Arguments of the callable: a JSON list or object."),
        click.option("--strict", is_flag=True, help="Fail on operators outside the vocabulary."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def reading_options(function: Any) -> Any:
    """The same options, which the command takes as one argument, ``reading``."""

    @wraps(function)
    def command(*, inputs: tuple[str, ...], arguments: str | None, strict: bool, **options: Any) -> Any:
        return function(reading=Reading(None, inputs, arguments, strict), **options)

    return source_options(command)


@click.command()
@click.argument("source", shell_complete=complete_source)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"File to write; its ending says what: {endings('convert')}. The graph on standard output if absent.",
)
@json_option
@source_options
@click.option(
    "--verify", is_flag=True, help="Run the code or ONNX file and the graph on a random input; fail where they differ."
)
def convert(
    source: str,
    output: Path | None,
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
    verify: bool,
) -> None:
    """Turn SOURCE into a graph in canonical form, or into what the ending of the file's name says.

    A SOURCE that names Python code (file.py:callable, module.path:callable) runs that code.
    """
    graph = graph_of(source, input=inputs, args=arguments, strict=strict, verify=verify).canonicalize()
    if output is None:
        click.echo(graph.to_json(), nl=False)
        return
    write(graph, output, "convert")
    say_graph_written(output, graph, as_json)


def say_graph_written(output: Path, graph: Graph, as_json: bool) -> None:
    """Say that a file made of `graph` has been written, and what the graph is."""
    text = f"{len(graph)} nodes, {graph.params:,} parameters, {graph.macs:,} MACs"
    facts = {"hash": graph.hash, "nodes": len(graph), "parameters": graph.params, "macs": graph.macs}
    say_written(output, text, as_json, **facts)


def summary(graph: Graph) -> dict[str, Any]:
    """What ``cg info`` says of a graph."""
    operators = Counter(node.op for node in graph.nodes)
    custom = Counter(str(node.attrs["name"]) for node in graph.nodes if node.op == "Custom")
    needs, experts = memory_of(graph), experts_of(graph)
    return {
        "name": graph.name,
        "hash": graph.hash,
        "nodes": len(graph),
        "edges": len(graph.indices),
        "depth": graph.depth,
        "parameters": graph.params,
        "unused_parameters": unused if type(unused := graph.extras.get("unused_parameters")) is int else 0,
        "macs": graph.macs,
        "flops": 2 * graph.macs,
        "experts": None if experts is None else asdict(experts),
        "weight_bytes": needs.weights,
        "peak_activation_bytes": needs.activations,
        "peak_activation_bytes_in_modules": needs.in_modules,
        "inputs": [list(node.shape) for node in graph.nodes if node.op == "Input"],
        "outputs": [list(node.shape) for node in graph.nodes if node.op == "Output"],
        "operators": dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        "custom": dict(custom),
    }


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_source)
@click.option(
    "--layers", "layered", is_flag=True, help="Also list the layers: shapes, parameters, MACs and their share."
)
@click.option("--depth", type=click.IntRange(min=1), help="With --layers, levels of regions; 3 if absent.")
@json_option
@source_options
@click.option("--tokens", type=click.IntRange(1), help="Of a language model: how many tokens are given at once.")
@click.option("--past", type=click.IntRange(0), help="Of a language model: how many tokens lie in its cache.")
def info(
    sources: tuple[str, ...],
    layered: bool,
    depth: int | None,
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
    tokens: int | None,
    past: int | None,
) -> None:
    """Show what SOURCEs are made of and what they cost, at batch size 1."""
    if depth is not None and not layered:
        raise CgError("--depth says how deep --layers goes; give --layers as well")
    options: dict[str, Any] = {"input": inputs, "args": arguments, "strict": strict, "tokens": tokens, "past": past}
    graphs = [graph_of(source, **options) for source in sources]
    rows: list[dict[str, Any]] = [{"source": s, **summary(graph)} for s, graph in zip(sources, graphs, strict=True)]
    tables = [layers(graph, depth or 3) for graph in graphs] if layered else []
    for row, table in zip(rows, tables, strict=False):
        row["layers"] = [asdict(layer) for layer in table]
    _show(rows, as_json)
    for source, table in zip(sources, tables if not as_json else (), strict=False):
        _show_layers(source, table)


def _show_layers(source: str, found: list[Layer]) -> None:
    """The layers for people; a share below a thousandth is left out."""
    rows = [
        (
            "  " * layer.depth + layer.name,
            layer.operator,
            "x".join(map(str, layer.shape)),
            *(f"{count:,}" if count else "" for count in (layer.params, layer.macs)),
            f"{100 * layer.share:.1f}" if layer.share >= 0.001 else "",
        )
        for layer in found
    ]
    headings = ("layer", "operator", "output", "parameters", "MACs", "%")
    table_console().print(plain_table(headings, rows, headings[:3], ("layer",), f"Layers of {source}"))


def _experts(costs: dict[str, Any]) -> str:
    """The costs of mixtures of experts for people."""
    pairs = zip(costs["active"], costs["experts"], strict=True)
    return (
        f"{', '.join(f'{active} of {experts}' for active, experts in pairs)} active: {costs['active_params']:,} parameters a token, "
        f"{costs['macs']:,} MACs; with all experts {costs['params']:,} and {costs['all_macs']:,}"
    )


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """What is known of the SOURCEs: one in full, several in a line each."""
    if as_json:
        click.echo(json.dumps(rows if len(rows) != 1 else rows[0], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    console = table_console()
    if len(rows) == 1:
        row = rows[0]
        table = Table(title=Text(printable(str(row["name"] or row["source"]))), show_header=False, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        operators = ", ".join(
            f"{count} {op}" for op, count in row["operators"].items() if OPERATORS[op].kind not in ("source", "sink")
        )
        never = f" (and {row['unused_parameters']:,} never used)" if row["unused_parameters"] else ""
        facts = {
            "parameters": f"{row['parameters']:,}{never}",
            "MACs": f"{row['macs']:,} (FLOPs {row['flops']:,})",
            **({"experts": _experts(row["experts"])} if row["experts"] else {}),
            "memory": f"{in_bytes(row['weight_bytes'])} weights, {in_bytes(row['peak_activation_bytes'])} activations at the peak "
            f"({in_bytes(row['peak_activation_bytes_in_modules'])} in PyTorch's modules), float32",
            "nodes": f"{row['nodes']:,} ({row['edges']:,} edges, depth {row['depth']:,})",
            **{key: ", ".join("x".join(map(str, shape)) for shape in row[key]) for key in ("inputs", "outputs")},
            "operators": operators,
            "custom": ", ".join(f"{count} {name}" for name, count in row["custom"].items()) or "none",
            "hash": row["hash"],
        }
        for key, text in facts.items():
            table.add_row(key, Text(printable(text)))
        console.print(table)
        return
    table = Table()
    for heading in ("source", "parameters", "MACs", "nodes", "depth", "custom", "hash"):
        table.add_column(heading, justify="left" if heading in ("source", "hash") else "right", overflow="fold")
    for row in rows:
        numbers = (f"{row[key]:,}" for key in ("parameters", "macs", "nodes", "depth"))
        table.add_row(
            Text(printable(str(row["source"]))), *numbers, str(sum(row["custom"].values())), str(row["hash"])[:12]
        )
    console.print(table)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check graph FILEs: format, operators, shapes, and whether they are in canonical form.

    Of a set (.jsonl, .jsonl.gz) every line is checked.
    """
    from cg_ir.serialization import load, load_set

    rows: list[dict[str, Any]] = []
    for file in files:
        whole = file.name.endswith((".jsonl", ".jsonl.gz"))
        before = len(rows)
        for number, graph in enumerate(load_set(file) if whole else [load(file)], 1):
            place = {"line": number} if whole else {}
            found = {"canonical": graph.canonicalize() is graph, "hash": graph.hash, "nodes": len(graph)}
            rows.append({"file": str(file), **place, "valid": True, **found})
        if len(rows) == before:
            raise SourceError(f"{file}: holds no graph; a set has one document a line")
    if as_json:
        click.echo(json.dumps(rows if len(rows) != 1 else rows[0], indent=2))
        return
    for row in rows:
        form = "" if row["canonical"] else ", not in canonical form (cg convert rewrites it)"
        line = f", graph {row['line']}" if "line" in row else ""
        click.echo(f"{printable(str(row['file']))}{line}: valid, {row['nodes']} nodes, {row['hash']}{form}")


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List what the installed plugins hand over, and plugins that were skipped with the reason."""
    found = registry()
    rows = []
    for kind in KINDS:
        try:
            entries = found.entries(kind)
        except CgError as error:
            found.errors[kind] = str(error)
            continue
        rows += [{"kind": kind, "name": e.name, "distribution": e.distribution} for e in entries.values()]
    if as_json:
        click.echo(json.dumps({"plugins": rows, "errors": found.errors}, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("kind", "name", "from"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*(Text(printable(row[key])) for key in ("kind", "name", "distribution")))
    table_console().print(table)
    for distribution, reason in found.errors.items():
        click.echo(f"skipped {distribution}: {one_line(reason)}", err=True)
