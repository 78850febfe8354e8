"""Main memory that a process holds, and sizes as people write them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cg_evolve.errors import SearchError
from cg_ir.errors import MissingExtra

__all__ = ["parse_size", "resident"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(?:i?B)?", re.IGNORECASE)


def parse_size(text: str) -> float:
    """Bytes of ``4G``, ``512MiB`` or ``2000000``; k, M, G and T are powers of 1024.

    Raises:
        SearchError: it is no size, or none at all.
    """
    match = _SIZE.fullmatch(text.strip())
    size = 0.0 if match is None else float(match[1]) * 1024 ** " kMGT".upper().index(match[2].upper() or " ")
    if size <= 0:
        raise SearchError(f"a size of memory looks like 4G or 512M, not '{text}'")
    return size


def resident(process: int) -> int:
    """Bytes of main memory that a process holds; 0 where it has ended.

    Raises:
        MissingExtra: neither the system nor psutil tells.
    """
    if Path("/proc/self/statm").exists():
        try:
            return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
                "SC_PAGE_SIZE"
            )
        except (OSError, IndexError):
            return 0
    try:
        import psutil
    except ImportError:
        raise MissingExtra("psutil", "", "a limit of memory on this system") from None
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0
