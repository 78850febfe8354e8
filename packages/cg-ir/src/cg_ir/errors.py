"""Errors that the packages raise on purpose; each message is one line: what is wrong, where, and what would be right."""

from __future__ import annotations


class CgError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line and exits with status 2."""


class GraphError(CgError):
    """A graph or a graph document is invalid.

    ``where`` is the place inside the document, such as ``nodes[3].inputs[0]``; the message starts with it.
    """

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class ArchError(CgError):
    """An architecture string does not name a member of its search space."""


class SourceError(CgError):
    """A SOURCE (``space:arch``, file, callable) cannot be turned into a graph."""


class PluginError(CgError):
    """A plugin is missing, broken, or its name is taken."""


class OptionError(PluginError):
    """What a plugin hands over does not take an option that was given."""


class NotFitted(CgError):
    """A scorer is asked for what it can tell only after ``fit``."""


class MissingExtra(CgError):
    """An optional dependency is not installed; the message names the ``pip install`` that brings it."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(package, extra, what)  # as they were given, so that worker processes can send it

    def __str__(self) -> str:
        package, extra, what = self.args
        return f"{what} needs an optional dependency: pip install '{package}{f'[{extra}]' if extra else ''}'"
