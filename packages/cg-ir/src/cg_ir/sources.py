"""SOURCE strings of the command line: ``space:arch``, a graph file, or whatever an installed frontend accepts."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cg_ir.calls import arguments_of, expand, value_of, yields
from cg_ir.errors import SourceError
from cg_ir.graph import Graph
from cg_ir.plugin_registry import Entry, get_space, registry, split_options
from cg_ir.plugins import Frontend, SearchSpace
from cg_ir.serialization import load

#: File names that are graph documents.
GRAPH_SUFFIXES = (".cg.json", ".cg.json.gz")

_PACKAGE_OF_FRONTEND = "pip install 'cg-frontends[torch]' reads PyTorch models, 'cg-frontends[onnx]' ONNX files"


@dataclass(frozen=True)
class Reading:
    """How a command reads SOURCEs: all of them alike, those that a file lists with those that the command line names.

    Args:
        space: name of the space whose own notation they are in.
        input: shapes of the inputs without the batch, for what a callable makes.
        args: arguments of the callable, as JSON text.
        strict: whether operators outside the vocabulary are an error.
    """

    space: str | None = None
    input: tuple[str, ...] = ()
    args: str | None = None
    strict: bool = False

    def graph(self, source: str) -> Graph:
        """The graph of a SOURCE; errors as in :func:`graph_of`."""
        if self.space is not None:
            return self._made.graph(source)
        return graph_of(source, input=self.input, args=self.args, strict=self.strict)

    @cached_property
    def _made(self) -> SearchSpace:
        """The space: one for all SOURCEs, which keeps what their networks share."""
        assert self.space is not None
        return get_space(self.space)

    def expand(self, sources: Iterable[str]) -> list[str]:
        """The SOURCEs that these stand for: grids of calls, functions that yield, and folders of networks, see :mod:`cg_ir.calls`."""
        if self.space is not None:
            return list(sources)
        return [one for source in sources for call in expand(source) for one in self._yielded(call)]

    def _yielded(self, source: str) -> list[str]:
        """The networks that a function yields, each a SOURCE; of any other SOURCE itself."""
        if not yields(source):
            return [source]
        base, own = arguments_of(source)
        for entry in registry().entries("frontend").values():
            frontend = _accepting(entry, base)
            if frontend is not None and hasattr(frontend, "count"):
                rest = source[len(base) :]
                count = frontend.count(base, args=_joined(self.args, base, own) if own else self.args)
                return [f"{base}#{i}{rest}" for i in range(count)]
        return [source]


def graph_of(source: str, *, space: str | None = None, **options: Any) -> Graph:
    """The graph of a SOURCE.

    Args:
        source: tried in this order: an architecture of ``space`` where one is named; a graph file; ``space:arch``; a source
            that a frontend accepts (``file.py:callable``, ``file.py:callable?depth=3&width=32``, ``file.py:callable#3``, ``module.path:callable``, ``.onnx``).
        space: name of the space whose own notation ``source`` is in.
        options: passed to the frontend (``input``, ``args``, ``strict``), ignored by the rest.

    Raises:
        SourceError: nothing accepts the source; other ``CgError`` from what accepts it.
    """
    if space is not None:
        return get_space(space).graph(source)
    if source.endswith((*GRAPH_SUFFIXES, ".json", ".json.gz")) or (os.path.isfile(source) and source.endswith(".gz")):
        return load(source)
    prefix, colon, arch = source.partition(":")
    if colon and split_options(prefix)[0] in registry().entries("space"):
        if prefix.endswith(".py"):
            network = f"{prefix.rpartition('=')[2]}:{arch if '?' in arch else arch.partition('&')[0]}"
            raise SourceError(f"'{source}' names a search space and no network of it; the network itself is {network}")
        return get_space(prefix).graph(arch)
    near = _space_like(prefix) if colon else None
    given = {key: value for key, value in options.items() if value is not None and value is not False and value != ()}
    named, arguments = source, arguments_of(source)
    if arguments[1]:
        source, given["args"] = arguments[0], _joined(given.get("args"), *arguments)
    for entry in registry().entries("frontend").values():
        frontend = _accepting(entry, source)
        if frontend is not None:
            try:
                graph = frontend.convert(source, **given)
            except SourceError as error:
                hint = _batched(given.get("input", ())) or (near and f"did you mean the search space '{near}'?")
                if not hint:
                    raise
                raise SourceError(f"{error} Or {hint}") from None
            return graph if named == source else graph.renamed(named)
    if os.path.isfile(source):
        raise SourceError(f"{source}: no installed frontend reads this file; {_PACKAGE_OF_FRONTEND}")
    if near is not None:
        raise SourceError(f"'{source}' is no SOURCE; did you mean the search space '{near}'?")
    spaces = ", ".join(sorted(registry().entries("space"))) or "none installed"
    raise SourceError(
        f"'{source}' is no SOURCE: expected space:arch (spaces: {spaces}), "
        f"a .cg.json or .onnx file, file.py:callable or module.path:callable"
    )


def _accepting(entry: Entry, source: str) -> Frontend | None:
    """A frontend that accepts the source; one that fails while it is asked is noted and passed over."""
    try:
        frontend: Frontend = entry.make()
        return frontend if frontend.accepts(source) else None
    except (Exception, SystemExit) as error:
        reason = f"frontend '{entry.name}': {type(error).__name__}: {error}"
        registry().errors[entry.distribution] = reason.splitlines()[0][:300]
        return None


def _joined(given: Any, base: str, own: dict[str, str]) -> dict[str, Any]:
    """Arguments of a callable: those in the SOURCE, and those that hold for every SOURCE."""
    try:
        shared = json.loads(given) if isinstance(given, str) else given or {}
    except ValueError as error:
        raise SourceError(f"args should be a JSON object, not {given!r:.60} ({error})") from None
    if not isinstance(shared, dict):
        raise SourceError(f"{base}: args should be a JSON object where SOURCEs have arguments of their own")
    return {**shared, **{name: value_of(text) for name, text in own.items()}}


def _batched(inputs: Any) -> str:
    """A hint for a shape of an image that begins with a batch of 1."""
    for shape in (inputs,) if isinstance(inputs, str) else inputs:
        match = re.fullmatch(r"1x(\d+x\d+x\d+)", str(shape))
        if match:
            return f"does --input {shape} name the batch? Leave it out: --input {match[1]}"
    return ""


def _space_like(prefix: str) -> str | None:
    """The search space whose name is almost what stands before the colon of a SOURCE."""
    near = difflib.get_close_matches(split_options(prefix)[0], registry().entries("space"), n=1)
    return near[0] if near else None
