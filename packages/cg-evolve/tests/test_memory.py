"""Main memory that a process holds, and sizes as people write them."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from cg_evolve import SearchError
from cg_evolve.memory import parse_size, resident


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("2000000", 2e6), ("4G", 2**32), (" 1.5 kB ", 1536), ("512MiB", 2**29), ("1t", 2**40), ("3b", 3)],
)
def test_sizes_are_powers_of_1024(text: str, expected: float) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "G", "0", "0.0M", "-1G", "4 GB RAM", "1e9", "4P", "4,5G", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SearchError, match="looks like 4G or 512M, not"):
        parse_size(text)


def test_what_this_process_holds_is_what_psutil_says() -> None:
    psutil = pytest.importorskip("psutil")
    assert resident(os.getpid()) == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


def test_memory_that_is_taken_is_seen() -> None:
    before, size = resident(os.getpid()), 2**26
    with mmap.mmap(-1, size) as taken:  # not what the allocator may have kept from others
        for page in range(0, size, mmap.PAGESIZE):
            taken[page] = 1
        assert resident(os.getpid()) - before == pytest.approx(size, rel=0.1)


def test_a_process_that_has_ended_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert resident(ended.pid) == 0
