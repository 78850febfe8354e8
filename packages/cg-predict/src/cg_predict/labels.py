"""Lists of networks and their labels, as files that people write: one SOURCE a line, or a CSV."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cg_ir.calls import arguments_of, is_call, parameters_of, with_arguments
from cg_ir.direction import less_is_better
from cg_ir.errors import CgError, SourceError
from cg_ir.graph import Graph
from cg_ir.sources import Reading

_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls


@dataclass(frozen=True)
class Labels:
    """Labelled networks.

    Args:
        sources: what the file calls them.
        graphs: the networks.
        values: one label each.
        metric: the column that the labels are from.
        less_is_better: of that metric.
    """

    sources: list[str]
    graphs: list[Graph]
    values: list[float]
    metric: str
    less_is_better: bool = False

    @property
    def utilities(self) -> list[float]:
        """The labels, turned so that higher is better."""
        return [-value for value in self.values] if self.less_is_better else self.values


@dataclass(frozen=True)
class _Table:
    """A CSV: its columns, and its rows with the line each begins at."""

    path: Path
    header: list[str]
    rows: list[tuple[int, dict[str, str]]]


def _table(path: Path) -> _Table:
    """A CSV with a header.

    Raises:
        SourceError: it is none; says what it seems to be.
    """
    text = _text(path)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, begins, rows = [name.strip() for name in next(reader, [])], reader.line_num + 1, []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path}: is no CSV text file: {error}") from None
    if len(header) == 1:
        for letter, word in ((";", "semicolons"), ("\t", "tabs")):
            if letter in header[0]:
                raise SourceError(f"{path}: its columns are separated by {word}; save it with commas")
    twice = next((name for name, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{path}: two columns are called '{twice[:60]}'")
    for line, cells in rows:
        if len(cells) > len(header):
            raise SourceError(f"{path}, line {line}: has {len(cells)} cells, but there are {len(header)} columns")
    return _Table(
        path, header, [(line, {n: c.strip() for n, c in zip(header, cells, strict=False)}) for line, cells in rows]
    )


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    if data.startswith(_SPREADSHEETS):
        raise SourceError(f"{path}: is a spreadsheet; save it as CSV (UTF-8)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path}: should be a CSV text file in UTF-8") from None


def callable_of(sources: Sequence[str]) -> str | None:
    """The one callable that SOURCEs call, whose arguments a CSV may have as columns; none where they name none or several."""
    found = {arguments_of(source)[0] for source in sources if is_call(source)}
    return found.pop() if len(found) == 1 else None


def read_labels(path: Path, metric: str | None, reading: Reading, base: str | None = None) -> Labels:
    """Networks and labels of a CSV; rows with an empty label are left out.

    Args:
        path: of the CSV. A column ``arch`` names the networks; without one, columns are the arguments of ``base``.
        metric: column of the labels, with ``:min`` or ``:max`` if its name does not say which is better; the first one that holds numbers if none is named.
        reading: of the networks.
        base: a callable, ``file.py:make``.

    Raises:
        SourceError: no such column, an architecture that cannot be read, a label that is no finite number. Names the line.
    """
    table = _table(path)
    arguments = _argument_columns(table, base)
    metrics = [name for name in table.header if name != "arch" and name not in arguments]
    if metric is None:
        metric = next((m for m in metrics if any(_number(row.get(m)) is not None for _, row in table.rows)), None)
        if metric is None:
            raise SourceError(
                f"{path}: no column beside {', '.join(arguments) or chr(39) + 'arch' + chr(39)} holds numbers"
            )
    name, colon, direction = metric.rpartition(":")
    if metric in metrics or direction not in ("min", "max"):
        name, colon = metric, ""
    if name not in metrics:
        raise SourceError(f"{path}: there is no column '{name}'; there are {', '.join(metrics)[:200] or 'none'}")
    metric, lower = name, direction == "min" if colon else less_is_better(name)
    sources, graphs, values = [], [], []
    known: dict[str, Graph] = {}
    for line, row in table.rows:
        text = row.get(metric, "")
        if not text:
            continue
        value = _number(text)
        if value is None or not math.isfinite(value):
            what = "number" if value is None else "finite number"
            raise SourceError(f"{path}, line {line}: the label '{text[:60]}' in column '{metric}' is no {what}")
        try:
            source = _source(row, arguments, base)
            if source not in known:
                known[source] = reading.graph(source)
        except CgError as error:
            raise SourceError(f"{path}, line {line}: {error}") from None
        sources.append(source)
        graphs.append(known[source])
        values.append(value)
    if not values:
        raise SourceError(f"{path}: column '{metric}' holds no label")
    return Labels(sources, graphs, values, metric, lower)


def _argument_columns(table: _Table, base: str | None) -> list[str]:
    """The columns that are arguments of a callable, where no column names the networks."""
    if "arch" in table.header:
        return []
    arguments = [] if base is None else [name for name in parameters_of(base) if name in table.header]
    if not arguments:
        columns = ", ".join(table.header)[:200] or "no header"
        of = f", or columns for the arguments of {base}" if base else ""
        raise SourceError(f"{table.path}: a CSV of networks needs a column 'arch'{of}; it has {columns}")
    return arguments


def _source(row: dict[str, str], arguments: Sequence[str], base: str | None) -> str:
    """The SOURCE of a row; an empty cell leaves its argument to the callable's default."""
    if base is None or not arguments:
        return row.get("arch", "")
    return with_arguments(base, {name: row[name] for name in arguments if row.get(name)})


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def sources_in(path: Path, base: str | None = None) -> list[str]:
    """The SOURCEs that a file lists: one a line, or a CSV as `read_labels` takes it.

    Raises:
        SourceError: it lists none, or is no such file.
    """
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if not lines:
        raise SourceError(
            f"{path}: the file is empty; it should name one SOURCE a line, or be a CSV with a column 'arch'"
        )
    header = [name.strip(' "') for name in lines[0].split(",")]
    is_table = "arch" in header or (path.suffix == ".csv" and (len(header) > 1 or ";" in lines[0]))
    if not is_table:
        return lines
    table = _table(path)
    arguments = _argument_columns(table, base)
    return [_source(row, arguments, base) for _, row in table.rows]
