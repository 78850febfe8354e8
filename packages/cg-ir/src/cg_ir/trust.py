"""Which Python the command line may run.

A SOURCE such as ``net.py:make`` executes a file. On the command line that is the user's word; in a table of labels, a configuration or the folder of a run
it is a stranger's. While a command runs, Python is therefore run only from files and modules that its command line names, unless ``--allow-python`` is
given. Programs that use the packages as libraries are not restricted: what they pass on is theirs to judge.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cg_ir.errors import SourceError

_FILE_ENDS = re.compile(r"\.py(?=:)")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?=:[A-Za-z_])")
#: What may stand before a file or module inside an argument: ``graph?file=net.py:make``, ``--option=net.py:make``.
_STARTS = re.compile(r"^|(?<=[=?&,:])")


@dataclass
class _Named:
    """What the command line names: real paths of Python files, modules; ``everything``: any Python may run."""

    files: frozenset[str]
    modules: frozenset[str]
    everything: bool = False


_named: _Named | None = None


@contextmanager
def command_line(arguments: Sequence[str]) -> Iterator[None]:
    """While it lasts, Python runs only from what the arguments name."""
    global _named
    before = _named
    files: set[str] = set()
    modules: set[str] = set()
    for argument in arguments:
        starts = [match.start() for match in _STARTS.finditer(argument)]
        for end in (match.end() for match in _FILE_ENDS.finditer(argument)):
            files.update(os.path.realpath(argument[start:end]) for start in starts if start < end - 3)
        modules.update(match[0] for start in starts if (match := _MODULE.match(argument, start)))
    _named = _Named(frozenset(files), frozenset(modules), "--allow-python" in arguments)
    try:
        yield
    finally:
        _named = before


def may_run(place: str) -> bool:
    """Whether the Python of a file or module may run."""
    if _named is None or _named.everything:
        return True
    return os.path.realpath(place) in _named.files if place.endswith(".py") else place in _named.modules


def require_python(source: str, place: str) -> None:
    """See to it that the Python of a file or module, which a SOURCE names, may run.

    Raises:
        SourceError: a command runs whose command line does not name the place.
    """
    if may_run(place):
        return
    raise SourceError(
        f"{source}: is Python that a file names and the command line does not; if you trust it, give --allow-python"
    )
