"""Files that appear whole or not at all, and files that are read up to a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import sys
from pathlib import Path

import pytest

from cg_ir.errors import GraphError, SourceError
from cg_ir.files import READ_LIMIT, Bounded, atomic_path, open_bounded, read_limit, write_text


def listing(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("old")
    with atomic_path(tmp_path / "a.svg") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".svg"
        assert temporary.parent == tmp_path
        assert (tmp_path / "a.svg").read_text() == "old"
    assert (tmp_path / "a.svg").read_text() == "new"
    assert listing(tmp_path) == ["a.svg"]


def write_half(path: Path) -> None:
    path.write_text("half")
    raise OSError("no space left")


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="no space"), atomic_path(tmp_path / "a") as temporary:
        write_half(temporary)
    assert (tmp_path / "a").read_text() == "old"
    assert listing(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_file_has_the_permissions_that_new_files_have(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
        assert os.umask(0o027) == 0o027  # it was put back
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_text_is_utf_8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "größe\n精度\n")
    assert (tmp_path / "a").read_bytes() == "größe\n精度\n".encode()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"none.a: cannot write: No such file or directory"):
        write_text(tmp_path / "none" / "a", "x")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_packed_files_are_recognised_by_their_beginning(tmp_path: Path, pack) -> None:
    content = b"first\nsecond\n" * 3
    (tmp_path / "a").write_bytes(pack(content))
    with open_bounded(tmp_path / "a") as stream:
        assert stream.read() == content
        assert stream.read() == b""
    with open_bounded(tmp_path / "a") as stream:
        assert stream.readline() == b"first\n"
        assert stream.read(3) == b"sec"
    with open_bounded(tmp_path / "a") as stream:
        assert list(io.TextIOWrapper(stream, encoding="utf-8"))[-1] == "second\n"


@pytest.mark.parametrize("size", [99, 100, 101])
def test_a_stream_gives_as_many_bytes_as_its_limit(size: int) -> None:
    def reads() -> list[Bounded]:
        return [Bounded(io.BytesIO(b"x" * size), "a", 100) for _ in range(4)]

    whole, pieces, line, buffered = reads()
    ways = [
        lambda: len(whole.read()),
        lambda: sum(len(pieces.read(7)) for _ in range(30)),
        lambda: len(line.readline()),
        lambda: len(io.BufferedReader(buffered, 16).read()),
    ]
    for way in ways:
        if size <= 100:
            assert way() == size
        else:
            with pytest.raises(SourceError, match=r"^a: more than 100 bytes once decompressed.*CG_READ_LIMIT"):
                way()


def test_the_limit_grows_with_the_stored_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(50))
    with open_bounded(tmp_path / "a", default=1) as stream:  # twenty times what is stored is always read
        assert len(stream.read()) == 50
    (tmp_path / "b").write_bytes(gzip.compress(bytes(100_000)))
    with open_bounded(tmp_path / "b", default=1) as stream, pytest.raises(SourceError, match="more than"):
        stream.read()
    with open_bounded(tmp_path / "b", default=100_000) as stream:
        assert len(stream.read()) == 100_000


def test_the_environment_sets_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(READ_LIMIT, raising=False)
    assert read_limit(7) == 7
    assert read_limit() == 256 * 2**20
    monkeypatch.setenv(READ_LIMIT, "12345")
    assert read_limit(7) == 12345
    monkeypatch.setenv(READ_LIMIT, "9" * 18)
    assert read_limit() == int("9" * 18)
    for wrong in ("0", "-1", "1.5", "1e9", "much", "9" * 19):
        monkeypatch.setenv(READ_LIMIT, wrong)
        with pytest.raises(SourceError, match="should be a number of bytes"):
            read_limit()
