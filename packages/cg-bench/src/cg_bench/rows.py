"""Result files: rows are appended as they are finished, so that a stopped run goes on where it was."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cg_ir.errors import CgError
from cg_ir.files import write_text

__all__ = ["ResultRows"]


class ResultRows:
    """The rows of a comparison, in memory and in a CSV file.

    Args:
        path: of the CSV; read if it is there.
        keys: columns that tell rows apart, with the type of each (``str``, ``int`` or ``float``).
        measures: the other columns, likewise.

    Attributes:
        rows: all rows, those of the file first.
        done: the keys of these rows.

    Raises:
        CgError: the file has other columns, or a row that is none.
    """

    def __init__(self, path: Path, keys: Mapping[str, type], measures: Mapping[str, type]) -> None:
        self.path = path
        self.keys = tuple(keys)
        self.types = {**keys, **measures}
        self.rows: list[dict[str, Any]] = []
        if path.is_file():
            self.rows = self._read()
        self.done = {self._key(row) for row in self.rows}

    def add(self, row: dict[str, Any]) -> None:
        """Append one row to the file and to ``rows``."""
        fresh = not self.path.is_file()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, tuple(self.types), lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
        self.rows.append(row)
        self.done.add(self._key(row))

    def _read(self) -> list[dict[str, Any]]:
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(whole))
        if tuple(reader.fieldnames or ()) != tuple(self.types):
            raise CgError(f"{self.path} holds other results; name another folder")
        if whole != text:  # half a row, of a run that was killed
            write_text(self.path, whole)
        try:
            return [self._parsed(row) for row in reader]
        except (TypeError, ValueError) as error:
            raise CgError(f"{self.path}, line {reader.line_num}: is no row of results: {error}") from None

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[k] for k in self.keys)

    def _parsed(self, row: Mapping[str, str]) -> dict[str, Any]:
        return {k: float(row[k] or "nan") if kind is float else kind(row[k]) for k, kind in self.types.items()}
