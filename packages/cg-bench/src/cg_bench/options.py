"""Options that the commands share, and how they say what they are at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cg_ir.errors import CgError
from cg_ir.terminal import say_written

__all__ = [
    "data_option", "draws_option", "graphs_option", "limit_option", "output_option", "progress", "quick_option", "say_results",
    "target_option",
]  # fmt: skip

Command = TypeVar("Command", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the label tables.",
)
target_option = click.option("--target", "only", multiple=True, help="Only these targets.")


def quick_option(little: str) -> Callable[[Command], Command]:
    """``--quick``; `little` says what there is less of."""
    return click.option("--quick", is_flag=True, help=f"{little}: a check that takes minutes.")


def limit_option(usual: str) -> Callable[[Command], Command]:
    """``--limit``, networks of a target; `usual` says how many without it."""
    text = f"At most this many networks of a target, a seeded sample; {usual} unless said otherwise."
    return click.option("--limit", type=click.IntRange(min=1), help=text)


def draws_option(usual: int, quick: int) -> Callable[[Command], Command]:
    """``--draws`` of labels."""
    return click.option(
        "--draws", type=click.IntRange(min=1), help=f"Draws of labels; {usual}, or {quick} in a quick run."
    )


def graphs_option(files: str) -> Callable[[Command], Command]:
    """``--graphs``, a folder of graph documents, named `files`."""
    text = f"Folder with {files}, graph documents as 'cg collect' writes them; their targets are left out without it."
    return click.option("--graphs", type=click.Path(exists=True, file_okay=False, path_type=Path), help=text)


def output_option(files: str) -> Callable[[Command], Command]:
    """``-o``, the folder for `files`."""
    return click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help=f"Folder for {files}; a second run continues.",
    )


def say_results(folder: Path, rows: Sequence[Any], as_json: bool) -> None:
    """Say where the page of a comparison is.

    Raises:
        CgError: there is none, for nothing was compared.
    """
    if not rows:
        raise CgError(f"{folder}: no result; what was asked for is left out, or no installed plugin reads its table")
    say_written(folder / "results.md", "", as_json, rows=len(rows))


def progress() -> Callable[[str], None]:
    """A function that writes lines on stderr, with the seconds since now."""
    begin = time.monotonic()
    return lambda line: click.echo(f"{time.monotonic() - begin:6.0f} s  {line}", err=True)
