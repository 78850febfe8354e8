"""A page that is written again while the runs that it shows go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from cg_evolve.runs import LOCK

__all__ = ["follow", "goes_on"]


def goes_on(run: Path) -> bool:
    """Whether a process is working on the run in a folder."""
    try:
        with FileLock(run / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written: nobody works in it
        return False


def follow(runs: Sequence[Path], write: Callable[[float | None], None], every: float) -> None:
    """Write a page again and again until no run goes on, and then once more.

    Args:
        runs: folders.
        write: writes the page; it is given the seconds after which a browser reads it anew, or none for the last time.
        every: seconds between two times.
    """
    try:
        while any(map(goes_on, runs)):
            write(every)
            time.sleep(every)
    finally:  # also where the user stops it: the page no longer reloads
        write(None)
