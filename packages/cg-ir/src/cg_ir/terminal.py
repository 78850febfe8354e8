"""Manners of the command line: where output goes, how much is said, and how wide tables are.

Results go to standard output, everything else to standard error. ``--quiet``, ``--verbose`` and ``--allow-python`` belong to every command, plugins' own
included: the ``cg`` group adds them, so that a command need not know about them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from click.shell_completion import CompletionItem

from cg_ir.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: What options name: files and folders to read, and those to write.
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
#: Columns of a table that goes to a file or another program, unless COLUMNS says otherwise.
_PIPED_WIDTH = 240
#: Columns of names are folded to this width before others are left out.
_LEAST_FOLDED = 24


def one_line(text: object) -> str:
    """A message in one printable line, the middle of a very long one left out."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 200]} ... {line[-190:]}"


_LONGEST = 1500


@dataclass
class Manners:
    """How much one run of the command says."""

    quiet: bool = False
    verbose: bool = False
    stderr: TextIO | None = None

    def hush(self) -> None:
        """Drop progress, notes and warnings; the error that ends a command is still printed."""
        if not self.quiet:
            self.quiet = True
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed by `polite`

    def explain(self) -> None:
        """Say more: where warnings come from, what libraries log, and the traceback of an error."""
        if not self.verbose:
            self.verbose = True
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")

    def warn(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *where: Any, **named: Any
    ) -> None:
        """Print a warning in one line; with ``--verbose`` its kind and place as well."""
        place = f" [{category.__name__}, {filename}:{lineno}]" if self.verbose else ""
        click.echo(f"cg: warning: {one_line(message)}{place}", err=True)

    @contextmanager
    def polite(self) -> Iterator[None]:
        """Within it warnings are printed as `warn` does; at its end standard error is what it was."""
        before = sys.stderr
        with warnings.catch_warnings():
            warnings.showwarning = self.warn
            try:
                yield
            finally:
                if self.verbose and sys.exc_info()[0] not in (None, SystemExit, click.exceptions.Exit):
                    traceback.print_exc()
                if sys.stderr is not before:
                    sys.stderr.close()
                    sys.stderr = before


_current = Manners()


def begin() -> Manners:
    """New manners, for one run of the command line."""
    global _current
    _current = Manners()
    return _current


def _option(name: str, act: str, text: str) -> click.Option:
    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            getattr(_current, act)()

    return click.Option([name], is_flag=True, expose_value=False, is_eager=True, callback=callback, help=text)


def add_manners(command: click.Command) -> click.Command:
    """Give a command the options ``--quiet``, ``--verbose`` and ``--allow-python``, unless it has its own."""
    taken = {name for parameter in command.params for name in parameter.opts}
    for name, act, text in (
        ("--quiet", "hush", "Only results and errors: no progress, notes or warnings."),
        ("--verbose", "explain", "Say more on standard error; an error comes with its traceback."),
    ):
        if name not in taken:
            command.params.append(_option(name, act, text))
    if "--allow-python" not in taken:  # what it does is done before commands are looked up, in `cg_ir.trust`
        text = "Also run Python that data files and run folders name, not the command line alone."
        command.params.append(click.Option(["--allow-python"], is_flag=True, expose_value=False, help=text))
    return command


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--json`` of a command, which takes it as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(function)


def say_written(output: Path, text: str, as_json: bool, **facts: Any) -> None:
    """Say that a command has written a file or folder.

    Args:
        output: what was written.
        text: what it holds, for people, on standard error.
        as_json: print one JSON document on standard output instead: ``output`` and `facts`.
        facts: JSON values.
    """
    if as_json:
        click.echo(json.dumps({"output": str(output), **facts}, indent=2))
    else:
        click.echo(one_line(f"{output}: {text}" if text else output), err=True)


def table_console(wide: bool = False) -> Console:
    """A console for results: coloured and as wide as the terminal, or plain and wide where output is piped or all is asked for."""
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=_PIPED_WIDTH if piped or wide else None)


def plain_table(
    headings: Sequence[str],
    rows: Iterable[Iterable[str]],
    left: Container[str] = (),
    folded: Container[str] | None = None,
    title: str = "",
) -> Table:
    """A table without lines, of text that is shown as it is.

    Args:
        headings: of the columns.
        rows: their cells.
        left: headings of columns that stand left; the others stand right.
        folded: headings of columns whose cells may take several lines; all, if absent.
        title: above.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title)) if title else None, title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        whole = folded is not None and heading not in folded
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def fitting(columns: Sequence[tuple[str, Sequence[str]]], width: int, folded: Sequence[str], always: int) -> int:
    """How many columns of a table fit, counted from the left; of each place in the table a line is all that it should take.

    Args:
        columns: headings and cells.
        width: of the terminal; columns stand two apart.
        folded: headings of columns whose cells may be folded, to no less than `_LEAST_FOLDED`.
        always: columns that are shown however narrow it is.
    """
    used = 0
    for count, (heading, cells) in enumerate(columns):
        own = max(len(heading), *(len(cell) for cell in cells)) if cells else len(heading)
        used += min(own, _LEAST_FOLDED) if heading in folded else own
        if count >= always and used + 2 * count > width:
            return count
    return len(columns)


def complete_source(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion of a SOURCE: names of search spaces, and files."""
    from cg_ir.plugin_registry import registry

    spaces = [f"{name}:" for name in sorted(registry().entries("space"))]
    found = [CompletionItem(name) for name in spaces if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]
