"""The NAS-Bench-201 file, ``NAS-Bench-201-v1_1-096897.pth``, read without torch.

The file was written by ``torch.save``: a few pickles one after the other (before torch 1.6) or a ZIP archive with one. The main one holds every
training curve of every architecture; the results of an architecture are condensed to its labels as soon as they are complete.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

from cg_frontends.benchmarks.condensing import CondensingReader, add_condensed
from cg_frontends.benchmarks.nats import architectures
from cg_frontends.benchmarks.nats_results import MAIN_METRICS
from cg_frontends.benchmarks.pickles import as_mapping, refuse_damage
from cg_frontends.benchmarks.progress import progress
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import SourceError, get_space

_MAGIC = 0x1950A86A20F9469CFC6C
_SPACE = "nb201"


def read_nb201_archive(path: Path) -> LabelTable:
    """The table in an official file of NAS-Bench-201.

    Raises:
        SourceError: the file cannot be read or has another layout.
    """
    with refuse_damage(str(path)), open(path, "rb") as file:
        data = as_mapping(_main_pickle(file, path), str(path), "the table")
    archs = architectures(data.get("meta_archs"), str(path), _SPACE)
    rows = Rows()
    for index, schedules in as_mapping(data.get("arch2infos"), str(path), "'arch2infos'").items():
        add_condensed(rows, archs, index, schedules, str(path))
    return rows.table(str(path), MAIN_METRICS, getattr(get_space(_SPACE), "canonical", None))


def _main_pickle(file: IO[bytes], path: Path) -> Any:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if name is None:
                raise SourceError(f"{path}: a ZIP archive that torch did not write")
            with archive.open(name) as member:
                return CondensingReader(_Counted(member, path, archive.getinfo(name).file_size), unread="torch").load()
    file.seek(0)
    reader = CondensingReader(_Counted(file, path, path.stat().st_size), unread="torch")
    if reader.load() != _MAGIC:
        raise SourceError(f"{path}: no file that torch wrote")
    for _ in ("protocol", "system"):
        reader.load()
    return reader.load()


class _Counted:
    """A file whose reading moves a progress bar."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self._file = file
        self._read = 0
        self._bar = progress(range(101), f"reading {path.name}", 101)
        self._step = max(1, size // 100)
        self._next = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._read += len(data)
        while self._read >= self._next:
            self._next += self._step
            next(self._bar, None)
        return data
