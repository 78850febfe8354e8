"""NATS-Bench (Dong et al., 2021): folders ``NATS-tss-v1_0-*-simple`` and ``NATS-sss-v1_0-*-simple``, or the single files that they were cut from.

A folder holds ``meta.pickle.pbz2`` with the architectures and, for each, ``000123.pickle.pbz2`` with its results by schedule.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cg_frontends.benchmarks.condensing import CondensingReader, add_condensed
from cg_frontends.benchmarks.nats_results import MAIN_METRICS, is_results, labels_of
from cg_frontends.benchmarks.pickles import as_mapping, load_plain, refuse_damage
from cg_frontends.benchmarks.progress import progress
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import ArchError, SourceError, get_space
from cg_ir.files import open_bounded

SUFFIX = ".pickle.pbz2"
#: Bytes that the results of one architecture may have once decompressed, and a file of all without regard to its size.
_LIMIT = 64 * 2**20
_AHEAD = 2


def read_nats(path: Path, space: str) -> LabelTable:
    """The table in a folder or in a single file.

    Args:
        path: folder or file.
        space: ``nb201`` for the topology space (tss), ``natssize`` for the size space (sss).

    Raises:
        SourceError: something cannot be read or has another layout.
    """
    if path.is_dir():
        meta = path / f"meta{SUFFIX}"
        table = as_mapping(next(_contents([meta]))[1], str(meta), "the table")
        archs = architectures(table.get("meta_archs"), str(meta), space)
        found = progress(sorted(path.glob(f"[0-9]*{SUFFIX}")), f"reading {path.name}")
        entries: Iterator[tuple[Any, Any]] = ((_number(p), value) for p, value in _contents(found))
    else:
        with refuse_damage(str(path)), open_bounded(path, _LIMIT) as file:
            data = as_mapping(CondensingReader(file, unread="torch").load(), str(path), "the table")
        archs = architectures(data.get("meta_archs"), str(path), space)
        entries = iter(as_mapping(data.get("arch2infos"), str(path), "'arch2infos'").items())
    add = add_results if path.is_dir() else add_condensed
    rows = Rows()
    for index, schedules in entries:
        add(rows, archs, index, schedules, str(path))
    return rows.table(str(path), MAIN_METRICS, getattr(get_space(space), "canonical", None))


def add_results(rows: Rows, archs: list[str], index: Any, schedules: Any, source: str) -> None:
    """Add the labels of one architecture.

    Raises:
        SourceError: the results have another layout.
    """
    if type(index) is not int or not 0 <= index < len(archs):
        raise SourceError(f"{source}: results of architecture {index!r:.20}, but there are {len(archs)} architectures")
    try:
        if not all(is_results(results) for results in schedules.values()):
            raise ValueError("no results by schedule")
        rows.add(archs[index], labels_of(schedules))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SourceError(f"{source}: the results of architecture {index} have another layout: {error}") from None


def architectures(values: Any, source: str, space: str) -> list[str]:
    """The architectures of ``meta_archs``, if they are of the space.

    Raises:
        SourceError: they are not.
    """
    if not isinstance(values, (list, tuple)) or not values or not all(isinstance(value, str) for value in values):
        raise SourceError(f"{source}: 'meta_archs' should be a list of architectures")
    canonical = getattr(get_space(space), "canonical", str)
    try:
        canonical(values[0])
    except ArchError:
        raise SourceError(f"{source}: the architectures are not of the space {space}: {values[0]!r:.80}") from None
    return list(values)


def _number(path: Path) -> int:
    digits = path.name.removesuffix(SUFFIX)
    if not digits.isdecimal() or len(digits) > 9:
        raise SourceError(f"{path}: the name should be the number of an architecture, such as 000123{SUFFIX}")
    return int(digits)


def _contents(paths: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
    """The values of files, which are decompressed beside their being read."""
    ahead: deque[tuple[Path, Future[bytes]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            for path in paths:
                ahead.append((path, pool.submit(_decompressed, path)))
                if len(ahead) > _AHEAD:
                    yield _value(*ahead.popleft())
            while ahead:
                yield _value(*ahead.popleft())
        finally:
            for _, waiting in ahead:
                waiting.cancel()


def _decompressed(path: Path) -> bytes:
    with refuse_damage(str(path)), open_bounded(path, _LIMIT) as file:
        return file.read()


def _value(path: Path, content: Future[bytes]) -> tuple[Path, Any]:
    return path, load_plain(io.BytesIO(content.result()), str(path))
