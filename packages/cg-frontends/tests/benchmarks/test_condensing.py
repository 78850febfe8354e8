"""Results that become labels while their file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from label_files import write_pth

from cg_frontends.benchmarks.condensing import CondensingReader


def test_the_archive_is_condensed_while_it_is_read(tmp_path: Path) -> None:
    """Results are gone from memory, and from the reader's memo, once their labels are known."""
    kept: list[Any] = []

    class Watched(CondensingReader):
        def completed(self, value: dict[Any, Any]) -> None:
            super().completed(value)
            if "labels" in value:
                kept.extend(part for part in self._memo if type(part) is dict and any("@" in str(k) for k in part))

    with open(write_pth(tmp_path), "rb") as file:
        reader = Watched(file, unread="torch")
        data = [reader.load() for _ in range(4)][3]
    assert list(data["arch2infos"][1]["full"]) == ["labels"]
    assert kept == []
