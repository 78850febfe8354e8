"""Tables measured row by row: a JSON line each, by a program that may be stopped and started again."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

__all__ = ["TooSlow", "command_line", "limited", "write"]


class TooSlow(Exception):
    """A row took longer than allowed."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Stop what takes more processor time.

    Raises:
        TooSlow: it did.
    """

    def stop(*_: Any) -> None:
        raise TooSlow(f"longer than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def write(file: TextIO, row: dict[str, Any]) -> None:
    """Append a row, so that it is there whatever comes next."""
    file.write(json.dumps(row) + "\n")
    file.flush()


def command_line(description: str | None, run: Callable[[argparse.Namespace], None], **options: str) -> None:
    """The command ``run -o FILE``, which appends to the file what it does not have yet.

    Args:
        description: a module's docstring, whose first line is shown.
        options: further ones that take text, by name, and what they say.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("command", choices=("run",))
    for name, text in options.items():
        parser.add_argument(f"--{name}", default="", help=text)
    parser.add_argument("-o", "--output", type=Path, required=True)
    run(parser.parse_args())
