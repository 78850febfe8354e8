"""Labels in CSV files, plain or compressed, in the layouts that the benchmarks' labels are passed around in."""

from __future__ import annotations

import csv
import io
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import ArchError, SourceError, get_space
from cg_ir.files import READ_LIMIT, open_bounded, read_limit


@dataclass(frozen=True)
class Layout:
    """How a CSV names its architectures.

    Attributes:
        space: name of the space that the columns belong to; '' where the file does not tell.
        columns: the columns that name an architecture.
        arch: the architecture string of a row.
        ignored: columns that are neither architecture nor label.
        main: metrics that come first, where they exist.
        respelled: whether architectures are given in the space's own notation instead of the file's.
    """

    space: str
    columns: tuple[str, ...]
    arch: Callable[[Mapping[str, str]], str]
    ignored: tuple[str, ...] = ()
    main: tuple[str, ...] = ()
    respelled: bool = False


def _joined(*columns: str) -> Callable[[Mapping[str, str]], str]:
    return lambda row: ":".join(row[column] for column in columns)


#: The layouts that are recognised, the most specific first.
LAYOUTS = (
    Layout("", ("arch",), lambda row: row["arch"]),
    Layout("nb101", ("adj_upper", "ops"), _joined("adj_upper", "ops"), ("hash", "n_vertices"), ("valid_108ep",)),
    Layout("nb201", ("arch_str",), lambda row: row["arch_str"], ("index",), ("cifar10_valid",)),
    Layout("nb301", ("genotype",), lambda row: row["genotype"]),
    Layout(
        "mobilenetv3",
        ("ks20", "e20", "d5"),
        lambda row: f"{row['ks20']}:{row['e20']}:{row['d5']}@{row.get('resolution') or 224}",
        ("space", "source", "resolution", "n_repeats"),
        ("top1",),
    ),
    Layout(
        "mnasnet",
        ("expand7", "kernel7", "layers7", "se7"),
        _joined("expand7", "kernel7", "layers7", "se7"),
        ("id",),
        ("val_top1",),
    ),
    Layout("natssize", ("channels",), lambda row: row["channels"]),
    Layout("autoformer", ("arch_json",), lambda row: row["arch_json"], ("set",), ("c100_kd_acc",), True),
    Layout("metaqnn", ("net",), lambda row: row["net"], ("n_runs", "depth", "lr"), ("best_val_acc",), True),
    Layout("naap440", ("layers",), lambda row: row["layers"], ("model_id", "is_test"), ("max_test_acc",)),
)

#: The column that names an architecture's relatives.
_GROUP = "group"

#: Tables of NAS-Bench-201 that name a cell by its official number, and the table beside them that spells the numbers out.
_INDEX = "index"
_SPELLED = ("nb201_cifar10.csv.gz", "nb201_cifar10.csv")


_PIECE = 2**16
#: As many rows are read as would take the size limit if they were so long.
_BYTES_A_ROW = 128


@contextmanager
def csv_rows(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, dict[str, str]]]]]:
    """The header of a CSV, and its rows with their line numbers."""
    with open_text(path, "a CSV table") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        yield header, _read(reader, header, path)


@contextmanager
def open_text(path: Path, what: str) -> Iterator[io.TextIOWrapper]:
    """A text file, decompressed where it is compressed, up to the limit of `cg_ir.files`.

    Raises:
        SourceError: it cannot be read, as what it should be.
    """
    try:
        with (
            open_bounded(path) as stream,
            io.TextIOWrapper(io.BufferedReader(stream, _PIECE), encoding="utf-8-sig", newline="") as file,
        ):
            yield file
    except (OSError, EOFError, MemoryError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or "there is not enough memory"
        raise SourceError(f"{path}: cannot be read as {what}: {reason}") from None


def _read(reader: Iterator[list[str]], header: list[str], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    most = read_limit() // _BYTES_A_ROW
    for line, cells in enumerate(reader, 2):
        if line > most:
            raise SourceError(f"{path}: more than {most:,} rows; if they are meant, raise {READ_LIMIT}")
        if not cells:
            continue
        if len(cells) != len(header):
            raise SourceError(f"{path}, line {line}: {len(header)} cells expected, not {len(cells)}")
        yield line, dict(zip(header, cells, strict=True))


def _layout(header: Sequence[str], path: Path, space: str) -> Layout:
    for layout in LAYOUTS:
        if set(layout.columns) <= set(header):
            if space and layout.space and layout.space != space:
                raise SourceError(f"{path}: a table of the space {layout.space}, not of {space}")
            return layout
    if _INDEX in header and space in ("", "nb201"):
        archs = _numbered(path)
        return Layout("nb201", (_INDEX,), lambda row: archs[row[_INDEX]])
    expected = "; ".join(", ".join(layout.columns) for layout in LAYOUTS)
    found = ", ".join(header)[:200] or "no header"
    raise SourceError(f"{path}: no columns that name an architecture ({expected}); it has {found}")


def _numbered(path: Path) -> dict[str, str]:
    """Architectures of NAS-Bench-201 by official number, from the table beside this one."""
    for name in _SPELLED:
        other = path.with_name(name)
        if other.is_file() and other != path:
            with csv_rows(other) as (header, rows):
                if {"index", "arch_str"} <= set(header):
                    return {row["index"]: row["arch_str"] for _, row in rows}
    raise SourceError(
        f"{path}: cells are given by their number, and {_SPELLED[0]}, which spells the numbers out, is not beside it"
    )


def read_csv(path: Path, space: str = "") -> tuple[str, LabelTable]:
    """The table in a CSV file and the space that its columns belong to ('' where they do not tell).

    Every column whose first entry is a number is a metric; an empty cell means no label. Several rows of one architecture are averaged. A
    column ``group`` names relatives, which are left out together.

    Args:
        path: the file; it may be compressed with gzip.
        space: the space that the table should be of.

    Raises:
        SourceError: the file cannot be read, no column names an architecture, or a cell of a metric is no number.
    """
    with csv_rows(path) as (header, lines):
        if len(set(header)) != len(header):
            raise SourceError(f"{path}: two columns have the same name")
        layout = _layout(header, path, space)
        candidates = [c for c in header if c not in layout.columns and c not in layout.ignored and c != _GROUP]
        texts: set[str] = set()
        numbers: set[str] = set()
        found = layout.space or space
        canonical = getattr(get_space(found), "canonical", None) if found else None
        rows = Rows()
        groups: dict[str, str] = {}
        grouped = _GROUP in header
        for line, row in lines:
            try:
                arch = layout.arch(row)
                if layout.respelled and canonical is not None:
                    arch = canonical(arch)
            except ArchError as error:
                raise SourceError(f"{path}, line {line}: {error}") from None
            except KeyError as error:
                raise SourceError(f"{path}, line {line}: no cell has the number {error}") from None
            labels = {}
            for column in candidates:
                if column in texts:
                    continue
                cell = row[column].strip()
                value = _number(cell) if cell else math.nan
                if value is not None:
                    labels[column] = value
                    numbers.update([column] if cell else [])
                elif column in numbers:
                    raise SourceError(f"{path}, line {line}: {column} should be a number, not {cell!r:.40}")
                else:
                    texts.add(column)
            rows.add(arch, labels)
            if grouped:
                groups.setdefault(arch, row[_GROUP])
    table = rows.table(str(path), layout.main, canonical)
    kept = [metric for metric in table.metrics if metric not in texts]
    if not kept:
        raise SourceError(f"{path}: no column of numbers beside {', '.join(layout.columns)}")
    columns = [table.metrics.index(metric) for metric in kept]
    named = list(groups.values()) if any(groups.values()) else ()
    return found, LabelTable(list(table.archs()), kept, table.values[:, columns], canonical, named)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
