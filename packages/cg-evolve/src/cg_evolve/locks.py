"""File locks that the operating system drops when their holder dies."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Lock"]

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Lock:
    """An advisory lock on a file, shared or exclusive; without ``fcntl`` (Windows) it locks nothing.

    Args:
        path: the file; it is made if need be.
        shared: whether others may hold it as well.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self.path = path
        self._shared = shared
        self._file: int | None = None

    def acquire(self, *, block: bool = True, patience: float = 0.0) -> bool:
        """Take the lock; whether it was free, where it should not wait.

        Args:
            block: whether to wait for it however long that takes.
            patience: seconds to try again for otherwise: who only looks whether the lock is free holds it for a moment.
        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if fcntl is not None:
            mode = fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX
            end = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(file, mode if block else mode | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        os.close(file)
                        return False
                    time.sleep(0.01)
        self._file = file
        return True

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
