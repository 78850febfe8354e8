"""The NAS-Bench-201 file, ``NAS-Bench-201-v1_1-096897.pth``, read without torch.

The file was written by ``torch.save``: a few pickles one after the other (before torch 1.6) or a ZIP archive with one. The main one holds every
training curve of every architecture, and loading it whole takes tens of gigabytes. Here the unpickler condenses the results of an
architecture to its labels as soon as they are complete.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from cg_frontends.benchmarks.nats import architectures
from cg_frontends.benchmarks.nats_results import MAIN_METRICS, is_results, labels_of, schedule_epochs
from cg_frontends.benchmarks.pickles import PlainUnpickler, as_mapping, find_plain, refuse_damage
from cg_frontends.benchmarks.progress import progress
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import SourceError, get_space

__all__ = ["read_nb201_archive"]

_MAGIC = 0x1950A86A20F9469CFC6C
_SPACE = "nb201"
_LABELS = "labels"

#: pickle's reference implementation, whose steps can be extended.
_Unpickler: Any = pickle._Unpickler


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
        if type(index) is not int or not 0 <= index < len(archs):
            raise SourceError(f"{path}: results of architecture {index!r:.20}, but there are {len(archs)}")
        if not isinstance(schedules, dict) or not all(isinstance(v, dict) and _LABELS in v for v in schedules.values()):
            raise SourceError(f"{path}: the results of architecture {index} have another layout")
        with refuse_damage(str(path)):
            longest = max(map(schedule_epochs, schedules))
            for name, condensed in schedules.items():
                epochs = schedule_epochs(name)
                labels = condensed[_LABELS]
                if epochs != longest:
                    labels = {f"{metric}_{epochs}ep": v for metric, v in labels.items() if metric in MAIN_METRICS}
                rows.add(archs[index], labels)
    return rows.table(str(path), MAIN_METRICS, getattr(get_space(_SPACE), "canonical", None))


def _main_pickle(file: IO[bytes], path: Path) -> Any:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if name is None:
                raise SourceError(f"{path}: a ZIP archive that torch did not write")
            with archive.open(name) as member:
                return _Condensing(_Counted(member, path, archive.getinfo(name).file_size)).load()
    file.seek(0)
    magic = PlainUnpickler(file, replace=_tensors).load()
    if magic != _MAGIC:
        raise SourceError(f"{path}: no file that torch wrote")
    for _ in ("protocol", "system"):
        PlainUnpickler(file, replace=_tensors).load()
    return _Condensing(_Counted(file, path, path.stat().st_size)).load()


def _nothing(*args: Any, **keywords: Any) -> None:
    """Stands for what rebuilds a tensor."""


def _tensors(module: str, name: str) -> Callable[..., None] | None:
    return _nothing if module.split(".")[0] == "torch" else None


class _Counted(io.RawIOBase):
    """A file whose reading moves a progress bar."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self._file = file
        self._read = 0
        self._bar = progress(range(101), f"reading {path.name}", 101)
        self._step = max(1, size // 100)
        self._next = 0

    def _count(self, data: bytes) -> bytes:
        self._read += len(data)
        while self._read >= self._next:
            self._next += self._step
            next(self._bar, None)
        return data

    def read(self, size: int = -1) -> bytes:
        return self._count(self._file.read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._count(self._file.readline(-1 if size is None else size))


class _Condensing(_Unpickler):
    """Replaces the results of an architecture by their labels once they are complete, and empties what they consisted of."""

    dispatch = dict(_Unpickler.dispatch)

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._condensed = 0

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a global name."""
        return _tensors(module, name) or find_plain(module, name)

    def persistent_load(self, key: Any) -> Any:
        """Tensors' storages are not read."""
        return None

    def load_setitem(self) -> None:
        _Unpickler.load_setitem(self)
        self._condense()

    def load_setitems(self) -> None:
        _Unpickler.load_setitems(self)
        self._condense()

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems

    def _condense(self) -> None:
        value = self.stack[-1]
        if not is_results(value):
            return
        labels = labels_of({"full": value})
        emptied = {id(part) for part in _containers(value)}
        for part in list(_containers(value)):
            part.clear()
        value[_LABELS] = labels
        emptied.discard(id(value))
        # the memo would keep the emptied containers; nothing refers to them again
        size = len(self.memo)
        for place in range(self._condensed, size):
            if id(self.memo.get(place)) in emptied:
                self.memo[place] = None
        self._condensed = size


def _containers(value: Any) -> Iterator[Any]:
    """The dictionaries and lists inside a value, innermost first."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for part in parts:
        yield from _containers(part)
    if isinstance(value, (dict, list)):
        yield value
