"""What is attacked: a reader with valid inputs to start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation import Mutator

__all__ = ["Target", "file_of"]


@dataclass(frozen=True, eq=False)
class Target:
    """A reader under attack.

    Attributes:
        name: what it reads.
        seeds: valid inputs.
        mutate: makes a hostile input of them.
        read: reads an input; a folder of its own is there to write files into.
    """

    name: str
    seeds: list[bytes]
    mutate: Mutator
    read: Callable[[bytes, Path], Any]


def file_of(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    def run(data: bytes, folder: Path) -> Any:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return run
