"""Errors of a search; each message is one line."""

from __future__ import annotations

from cg_ir.errors import CgError

__all__ = ["Exhausted", "SearchError"]


class SearchError(CgError):
    """A search, its options or its run cannot work as asked."""


class Exhausted(SearchError):
    """Every architecture that the search may propose has been proposed."""
