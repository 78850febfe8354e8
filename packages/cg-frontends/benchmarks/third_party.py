"""Networks of libraries that this project does not list: converted, counted, round trips, outputs.

    python third_party.py run -o libraries.jsonl       # appends, and skips what the file already has

The libraries lie in a folder on PYTHONPATH (`nox -s conformance` installs them); one that cannot be imported is named on standard error. A row says
what `zoo.py` measures of a model, and how far the outputs of the network of `to_module` lie from the model's, with its weights.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from rows import TooSlow, command_line, limited, write
from third_party_networks import LIBRARIES, Build
from zoo import agreement, count, from_module_warmup, one_line, prepare, round_trip

from cg_frontends.pytorch import from_module
from cg_frontends.pytorch.structure import map_tensors

_SECONDS = 240
#: Networks of at most so many MACs run with weights.
_MOST_MACS = 2e9


def examine(name: str, build: Build) -> dict[str, Any]:
    """One row. Networks are built with elements: some compute strides or windows while they are built."""
    row: dict[str, Any] = {"name": name}
    try:
        model, args, kwargs = build()
    except Exception as error:
        return {**row, "built": False, "error": one_line(error)}
    model.eval()
    row["parameters"] = sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())
    start = time.perf_counter()
    try:
        graph = from_module(model, *args, name=name, **kwargs)
    except Exception as error:
        return {**row, "converted": False, "error": one_line(error)}
    customs = Counter(str(node.attrs["name"]) for node in graph.nodes if node.op == "Custom")
    row.update(
        converted=True, seconds=time.perf_counter() - start, nodes=len(graph), macs=graph.macs, custom=dict(customs),
        equal=graph.params + graph.extras.get("unused_parameters", 0) == row["parameters"],
    )  # fmt: skip
    with contextlib.suppress(Exception):  # what computes with its elements while it runs
        row["counted"] = count(copy.deepcopy(model).to("meta"), *map_tensors((args, kwargs), lambda t: t.to("meta")))
    if not customs:
        try:
            row["round_trip"] = round_trip(graph, args, kwargs)
        except Exception as error:
            row["round_trip_error"] = one_line(error)
        if graph.macs <= _MOST_MACS:
            row |= agreement(name, build)
    return row


def run(arguments: argparse.Namespace) -> None:
    """Examine every network of every library; append a JSON line each."""
    done = prepare(arguments.output)
    from_module_warmup()
    with arguments.output.open("a") as file:
        for library, version, listed, network, build in in_turn(arguments.only):
            name = f"{library}/{network}"
            if name in done:
                continue
            try:
                with limited(_SECONDS), contextlib.redirect_stdout(io.StringIO()):
                    row = examine(name, build)
            except TooSlow as error:
                row = {"name": name, "built": False, "error": one_line(error)}
            write(file, {"library": library, "version": version, "listed": listed, **row})
            found = row.get("difference", row.get("difference_error", row.get("custom")))
            print(f"{name}: {row.get('error') or found}", file=sys.stderr)


def in_turn(only: str) -> Iterator[tuple[str, str, int, str, Build]]:
    """Library, version, how many networks are listed of it, network and its constructor.

    The first network of each library, then the second, so that a run that is stopped has seen all.
    """
    listed: dict[str, tuple[str, list[tuple[str, Build]]]] = {}
    for library, (distribution, networks) in LIBRARIES.items():
        if only in ("", library):
            try:
                listed[library] = metadata.version(distribution), list(networks())
            except Exception as error:
                print(f"{library}: {one_line(error)}", file=sys.stderr)
    for place in range(max((len(found) for _, found in listed.values()), default=0)):
        for library, (version, found) in listed.items():
            if place < len(found):
                yield library, version, len(found), *found[place]


if __name__ == "__main__":
    command_line(__doc__, run, only="one library")
