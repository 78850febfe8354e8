"""A small index beside a large file, so that it is read once."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cg_frontends.benchmarks.table import LabelTable
from cg_ir.files import atomic_path, read_limit

_VERSION = 1


def index_path(path: Path) -> Path:
    """Where the index of a file or folder lies."""
    return path.with_name(path.name + ".cg-index.npz")


def stamp(path: Path) -> list[int]:
    """What changes when a file or folder does: size and time of last change, of the newest file in it."""
    if path.is_dir():
        entries = [entry.stat() for entry in os.scandir(path) if entry.is_file()]
        return [len(entries), sum(e.st_size for e in entries), max((e.st_mtime_ns for e in entries), default=0)]
    found = path.stat()
    return [1, found.st_size, found.st_mtime_ns]


def cached(
    path: Path, reader: str, build: Callable[[], LabelTable], canonical: Callable[[str], str] | None
) -> LabelTable:
    """The table of a file, from its index where that is there and up to date, otherwise built and indexed.

    The index holds the labels, not the file's other contents. Where it cannot be written, the table is built each time.

    Args:
        path: the file or folder.
        reader: name and version of what builds the table; another one builds anew.
        build: reads the file.
        canonical: see :class:`LabelTable`.
    """
    index = index_path(path)
    header = json.dumps({"version": _VERSION, "reader": reader, "stamp": stamp(path)})
    table = _load(index, header, canonical)
    if table is None:
        table = build()
        _save(index, header, table)
    return table


def _load(index: Path, header: str, canonical: Callable[[str], str] | None) -> LabelTable | None:
    try:
        with zipfile.ZipFile(index) as archive:
            if sum(member.file_size for member in archive.infolist()) > read_limit():
                return None
        with open(index, "rb") as file, np.load(file, allow_pickle=False) as data:
            if bytes(data["header"]).decode() != header:
                return None
            archs = bytes(data["archs"]).decode().split("\n")
            metrics = json.loads(bytes(data["metrics"]))
            values = data["values"].astype(np.float64)
    except Exception:  # whatever is wrong with an index, the file itself is still there
        return None
    if values.shape != (len(archs), len(metrics)):
        return None
    return LabelTable(archs, metrics, values, canonical)


def _save(index: Path, header: str, table: LabelTable) -> None:
    def data(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        return np.frombuffer(text.encode(), dtype=np.uint8)

    # where the folder cannot be written to, the next reader indexes again
    with contextlib.suppress(OSError), atomic_path(index) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            header=data(header),
            archs=data("\n".join(table.archs())),
            metrics=data(json.dumps(table.metrics)),
            values=table.values,
        )
