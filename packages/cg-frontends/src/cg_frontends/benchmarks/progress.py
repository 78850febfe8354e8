"""A progress bar on standard error for tables that take a while to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track

T = TypeVar("T")


def progress(items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
    """The items, counted by a bar where standard error is a terminal."""
    console = Console(stderr=True)
    return iter(
        track(
            items,
            description=escape(description),
            total=total,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
