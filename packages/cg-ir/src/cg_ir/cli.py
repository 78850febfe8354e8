"""The ``cg`` command: a group whose commands, built in or from plugins, are imported when they run."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click

import cg_ir
from cg_ir.errors import CgError, PluginError
from cg_ir.plugins import LazyCommand
from cg_ir.terminal import add_manners, begin, one_line
from cg_ir.trust import command_line

_BUILT_IN = (
    LazyCommand("convert", "cg_ir.commands:convert", "Turn a SOURCE into a graph file."),
    LazyCommand("info", "cg_ir.commands:info", "Show what SOURCEs are made of and what they cost."),
    LazyCommand("draw", "cg_ir.draw_commands:draw", "Draw a SOURCE: a picture, an interactive page."),
    LazyCommand("diff", "cg_ir.draw_commands:diff", "Show what differs between two SOURCEs."),
    LazyCommand("validate", "cg_ir.commands:validate", "Check graph files."),
    LazyCommand("plugins", "cg_ir.commands:plugins", "List what the installed plugins hand over."),
    LazyCommand("doctor", "cg_ir.doctor:doctor", "Say what is installed, missing or broken."),
)

#: Commands that sibling packages bring, for the hint when one is not installed.
_ELSEWHERE = {
    "rank": "cg-predict", "fit": "cg-predict", "latency": "cg-predict", "explain": "cg-predict", "improve": "cg-predict", "bench": "cg-bench",
    "embed": "cg-embed", "pretrain": "cg-embed", "search": "cg-evolve", "report": "cg-evolve",
}  # fmt: skip

#: A group without a command shows its help; before click 8.2 that was no error.
_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def _load(command: LazyCommand) -> click.Command:
    module, _, attribute = command.target.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except CgError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may fail in any way
        raise PluginError(f"the command '{command.name}' cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, click.Command):
        raise PluginError(f"the command '{command.name}' ({command.target}) is no click command")
    return add_manners(found)


class _ReaderLeft(Exception):
    """Who reads standard output has closed it, as ``head`` does."""


@contextlib.contextmanager
def _closing_told() -> Iterator[None]:
    """Tell a closed output apart from other endings: click and rich exit with 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderLeft from error
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise _ReaderLeft from stop
        raise


class _LazyGroup(click.Group):
    """Looks commands up in the registry and imports the one that runs.

    A name of two words is a command in a group: ``bench search`` of one package and the group ``bench`` of another meet in ``cg bench``.
    """

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        with _closing_told():
            return super().make_context(*args, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _closing_told():
            return super().invoke(ctx)

    def _table(self) -> dict[str, LazyCommand]:
        from cg_ir.plugin_registry import registry

        table = {command.name: command for command in _BUILT_IN}
        for entry in registry().entries("command").values():
            table.setdefault(entry.name, entry.make)
        return table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({name.partition(" ")[0] for name in self._table()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        table = self._table()
        inside = {other.partition(" ")[2]: made for other, made in table.items() if other.startswith(f"{name} ")}
        if name not in table and not inside:
            return None
        found = _load(table[name]) if name in table else click.Group(name, help=_contents(inside))
        if inside and isinstance(found, click.Group):
            for word, made in inside.items():
                found.add_command(_load(made), word)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and name not in self.list_commands(ctx) and not name.startswith("-"):
            from cg_ir.plugin_registry import registry

            clash = registry().clashes("command").get(name)
            if clash is not None:
                ctx.fail(clash)
            if name in _ELSEWHERE:
                ctx.fail(f"'cg {name}' comes with a package that is not installed: pip install {_ELSEWHERE[name]}")
            import difflib

            names = self.list_commands(ctx)
            near = difflib.get_close_matches(name, names, n=1)
            ctx.fail(
                f"no command is called '{name}'; "
                + (f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        table = self._table()
        rows = []
        for name in self.list_commands(ctx):
            inside = {other: made for other, made in table.items() if other.startswith(f"{name} ")}
            rows.append((name, table[name].help if name in table else _contents(inside)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _contents(inside: dict[str, LazyCommand]) -> str:
    """Help of a group that no package describes: that of its commands."""
    return " ".join(made.help for _, made in sorted(inside.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cg_ir.__version__, prog_name="cg")
def cg() -> None:
    """Rank and search neural networks before training them.

    A SOURCE is space:arch, file.py:callable or module.path:callable (with --input 3x224x224), an .onnx or a .cg.json file.
    Results go to standard output, progress and warnings to standard error; bad input exits with status 2.
    """


add_manners(cg)


def _fail(message: str) -> NoReturn:
    click.echo(f"cg: error: {message}", err=True)
    sys.exit(2)


def main(args: list[str] | None = None) -> Any:
    """Run the command line; the process's exit status is 0, or 2 after one line about bad input.

    Where the reader of standard output has gone, it ends without a word, with the status of the signal of a closed pipe (141).
    """
    try:
        with begin().polite(), command_line(sys.argv[1:] if args is None else args):
            status = cg.main(args=args, prog_name="cg", standalone_mode=False) or 0
            sys.stdout.flush()  # a full disk shows here
            return status
    except _HELP as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        message = one_line(error.format_message())
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if isinstance(error, click.UsageError) and context else ""
        _fail(message + hint)
    except CgError as error:
        _fail(one_line(error))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except MemoryError:
        _fail("there is not enough memory")
    except (_ReaderLeft, BrokenPipeError):
        with contextlib.suppress(OSError, ValueError):  # what is still held goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.close()  # what it still holds cannot be written
        place = f"{error.filename}:" if error.filename else ""
        _fail(one_line(f"{place} {error.strerror or error}"))
    except (click.Abort, KeyboardInterrupt):
        if args is None:  # the next interrupts would only end the message in a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("cg: stopped", err=True)
        sys.exit(130)


if __name__ == "__main__":
    sys.exit(main())
