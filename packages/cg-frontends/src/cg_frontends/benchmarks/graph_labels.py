"""Graph documents with labels in one file: JSON Lines, plain or compressed, one network a line.

``{"id": "net_1", "labels": {"accuracy": 91.5}, "group": "resnet", "graph": {"cg_ir": "1.0", ...}}``: a name, numbers by metric, perhaps the group of relatives
that are left out together, and the graph as a document of :doc:`the format </format>`. This is how a family of one's own
comes in: no search space is needed.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cg_frontends.benchmarks.csv_table import open_text
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import CgError, Graph, SourceError, from_dict
from cg_ir.files import atomic_path


@dataclass(frozen=True)
class LabelledGraph:
    """One line.

    Attributes:
        id: name of the network, printable and of its own in the file.
        labels: by metric.
        graph: the network.
        group: its relatives' name, '' for none.
    """

    id: str
    graph: Graph
    labels: Mapping[str, float] = field(default_factory=dict)
    group: str = ""


class GraphTable(LabelTable):
    """Labels of networks that the table holds itself.

    Attributes:
        entries: the lines, by id.
    """

    entries: dict[str, LabelledGraph]

    def graph(self, arch: str) -> Graph:
        """The network of an id.

        Raises:
            KeyError: the file has none of that id.
        """
        return self.entries[arch].graph


def read_graphs(path: Path) -> GraphTable:
    """The table in a file of labelled graph documents.

    Raises:
        SourceError: the file cannot be read; a line is no such object, its graph is invalid, a label is no finite number, an id comes
            twice. Names the line.
    """
    entries = {entry.id: entry for entry in _lines(path)}
    rows = Rows()
    for entry in entries.values():
        rows.add(entry.id, entry.labels)
    plain = rows.table(str(path))
    groups = [entry.group for entry in entries.values()]
    table = GraphTable(list(entries), plain.metrics, plain.values, groups=groups if any(groups) else ())
    table.entries = entries
    return table


def _lines(path: Path) -> Iterator[LabelledGraph]:
    seen: set[str] = set()
    with open_text(path, "labelled graphs") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = _entry(line)
                if entry.id in seen:
                    raise SourceError(f"the id {entry.id!r:.60} comes twice")
            except CgError as error:
                raise SourceError(f"{path}, line {number}: {error}") from None
            seen.add(entry.id)
            yield entry


def _entry(line: str) -> LabelledGraph:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"no valid JSON: {error}"[:200]) from None
    if not isinstance(fields, dict) or "graph" not in fields:
        raise SourceError('should be an object {"id": ..., "labels": {...}, "graph": {...}}')
    name, labels, group = fields.get("id"), fields.get("labels", {}), fields.get("group") or ""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise SourceError(f"'id' should be a printable text, not {name!r:.60}")
    if not isinstance(group, str) or not isinstance(labels, dict):
        raise SourceError("'labels' should be an object and 'group' a text")
    for metric, value in labels.items():
        number = type(value) in (int, float) and math.isfinite(value)
        if not number and value is not None:
            raise SourceError(f"the label {metric!r:.40} should be a finite number, not {value!r:.40}")
    known = {metric: float(value) for metric, value in labels.items() if value is not None}
    return LabelledGraph(name, from_dict(fields["graph"]), known, group)


def write_graphs(entries: Iterable[LabelledGraph], path: Path) -> None:
    """Write labelled graphs, one a line; ``.gz`` compresses. The file appears whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as raw, ExitStack() as stack:
        # no time and no name in the gzip header: equal graphs give equal files
        stream: Any = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)) if path.suffix == ".gz" else raw
        for entry in entries:
            fields: dict[str, Any] = {"id": entry.id, "labels": dict(entry.labels)}
            if entry.group:
                fields["group"] = entry.group
            fields["graph"] = entry.graph.to_dict()
            stream.write(
                json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
            )


def collect(
    table: Any,
    build: Callable[[str], Graph],
    known: Mapping[str, Graph] | None = None,
    failed: Callable[[str, CgError], None] | None = None,
) -> Iterator[LabelledGraph]:
    """The networks of a table with all their labels, so that slow conversions are done once.

    Args:
        table: a :class:`cg_ir.plugins.BenchmarkTable`; its ``group(arch)`` is used where it has one.
        build: gives the network of an architecture.
        known: networks that are already there, by architecture.
        failed: told of architectures that cannot be built, which are left out; an error otherwise.
    """
    group = getattr(table, "group", lambda arch: "")
    for arch in table.archs():
        labels = {}
        for metric in table.metrics:
            try:
                value = float(table.query(arch, metric))
            except KeyError:
                continue
            if math.isfinite(value):
                labels[metric] = value
        try:
            graph = known[arch] if known is not None and arch in known else build(arch)
        except CgError as error:
            if failed is None:
                raise
            failed(arch, error)
            continue
        yield LabelledGraph(arch, graph, labels, group(arch))
