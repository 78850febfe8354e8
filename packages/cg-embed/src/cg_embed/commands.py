"""The commands of cg-embed: ``cg embed`` and ``cg pretrain``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import cg_embed
import cg_ir
from cg_ir.commands import source_options
from cg_ir.errors import CgError, MissingExtra, SourceError
from cg_ir.files import atomic_path
from cg_ir.sources import Reading
from cg_ir.terminal import json_option, say_written

from .checkpoint import checkpoint_kind, shipped_directory

_SUFFIXES = (".parquet", ".csv", ".npz")


@click.command()
@click.option("--space", metavar="NAME", help="The search space whose own notation FILE is in.")
@click.option(
    "--from", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Sources: one a line, a CSV with a column `arch`, or graphs as JSON Lines (.jsonl, .jsonl.gz).",
)  # fmt: skip
@click.option(
    "--with", "encoders", multiple=True, default=("descriptors",), show_default=True, metavar="ENCODER",
    help="descriptors, neighbourhoods, path, or the directory of a checkpoint; may be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Table to write: .parquet, .csv or .npz.",
)  # fmt: skip
@json_option
@source_options
def embed(
    space: str | None,
    file: Path,
    encoders: tuple[str, ...],
    output: Path,
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
) -> None:
    """Turn architectures into vectors: one row each, in the order of FILE."""
    if output.suffix not in _SUFFIXES:
        raise SourceError(f"{output}: the name should end in {', '.join(_SUFFIXES)}")
    write = _writer(output)
    names, graphs = _read(file, Reading(space, inputs, arguments, strict))
    columns: list[str] = []
    parts = []
    for encoder in encoders:
        model = _encoder(encoder)
        parts.append(model.encode(graphs))
        columns += [f"{encoder}/{name}" if len(encoders) > 1 else name for name in model.names]
    write(names, columns, np.concatenate(parts, axis=1))
    text = f"{len(names)} vectors of {len(columns)} numbers"
    say_written(output, text, as_json, vectors=len(names), columns=columns)


def _read(file: Path, reading: Reading) -> tuple[list[str], list[Any]]:
    """Names and graphs of a file of sources; errors name the line."""
    if file.name.endswith((".jsonl", ".jsonl.gz")):
        graphs = list(cg_ir.load_set(file))
        names = [graph.name or f"{file.name}:{i}" for i, graph in enumerate(graphs, 1)]
    else:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise SourceError(f"{file}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise SourceError(f"{file}: is not UTF-8 text") from None
        if file.suffix == ".csv":
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            try:
                header = list(reader.fieldnames or ())
                lines = [(reader.line_num, row.get("arch") or "") for row in reader]
            except csv.Error as error:
                raise SourceError(f"{file}: is no CSV text file: {error}") from None
            if header.count("arch") > 1:
                raise SourceError(f"{file}: two columns are called `arch`")
            if "arch" not in header:
                raise SourceError(f"{file}: has no column `arch`; the first line should name the columns")
        else:
            lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        names, graphs = [], []
        for number, source in lines:
            try:
                graphs.append(reading.graph(source))
            except CgError as error:
                raise SourceError(f"{file}, line {number}: {error}") from None
            names.append(source)
    if not graphs:
        raise SourceError(f"{file}: holds no architecture")
    return names, graphs


def _encoder(name: str) -> Any:
    if name in ("descriptors", "neighbourhoods"):
        return getattr(cg_embed, name.capitalize())()
    if name != "path" and not Path(name).is_dir():
        raise SourceError(
            f"'{name}' is no encoder: expected descriptors, neighbourhoods, path or a checkpoint's directory"
        )
    directory = shipped_directory(name) if name == "path" else Path(name)
    kind = checkpoint_kind(directory)
    if kind not in ("path", "contrastive"):
        raise SourceError(f"{directory} holds no encoder but a {kind} checkpoint")
    return (cg_embed.PathEncoder if kind == "path" else cg_embed.ContrastiveEncoder).load(directory)


def _writer(output: Path) -> Callable[[list[str], list[str], NDArray[np.float32]], None]:
    """What writes the table, whole or not at all; fails before the work if a package is missing."""
    if output.suffix == ".parquet":
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise MissingExtra("cg-embed", "parquet", "writing .parquet") from None

    def write(names: list[str], columns: list[str], values: NDArray[np.float32]) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(output) as temporary:
            if output.suffix == ".parquet":
                arrays = [pyarrow.array(names), *(pyarrow.array(values[:, i]) for i in range(len(columns)))]
                parquet.write_table(pyarrow.Table.from_arrays(arrays, names=["arch", *columns]), temporary)
            elif output.suffix == ".npz":
                np.savez_compressed(temporary, arch=np.array(names), names=np.array(columns), values=values)
            else:
                with open(temporary, "w", encoding="utf-8", newline="") as stream:
                    table = csv.writer(stream)
                    table.writerow(["arch", *columns])
                    table.writerows([name, *map(repr, row)] for name, row in zip(names, values.tolist(), strict=True))

    return write


@click.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path), metavar="CONFIG.yaml")
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where the checkpoint goes.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run in DIR, or start one.")
@json_option
def pretrain(config: Path, output: Path, resume: bool, as_json: bool) -> None:
    """Pre-train an encoder on unlabelled graphs sampled from search spaces."""
    try:
        from .pretrain import read_config, run
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("torch", "torch_geometric"):
            raise
        raise MissingExtra("cg-embed", "torch", "pre-training") from None
    settings = read_config(config)
    run(settings, output, resume)
    say_written(output, "checkpoint written", as_json, kind=settings.encoder)
