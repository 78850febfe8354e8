"""Files that appear whole or not at all, and files of others that are read up to a limit."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from cg_ir.errors import GraphError, SourceError

#: Environment variable that says how many bytes a file may have once it is decompressed.
READ_LIMIT = "CG_READ_LIMIT"
_DEFAULT_LIMIT = 256 * 2**20
#: However much that is, a file may have this many times its stored size; real tables and graphs that compress better are small.
_RATIO = 20


def read_limit(default: int = _DEFAULT_LIMIT) -> int:
    """How many bytes a file may have once it is decompressed: what the environment variable ``CG_READ_LIMIT`` says, or the default.

    Raises:
        SourceError: the variable is no positive number.
    """
    text = os.environ.get(READ_LIMIT, "")
    if not text:
        return default
    if not text.isdecimal() or not 0 < len(text) < 19 or int(text) == 0:
        raise SourceError(f"{READ_LIMIT} should be a number of bytes, such as {8 * _DEFAULT_LIMIT}, not {text!r:.40}")
    return int(text)


class Bounded(io.RawIOBase):
    """A stream that ends in an error once it has given more bytes than a limit.

    Args:
        stream: what is read.
        path: what to call it in messages.
        limit: how many bytes it may give.
    """

    def __init__(self, stream: IO[bytes], path: str | os.PathLike[str], limit: int) -> None:
        self._stream = stream
        self._path = os.fspath(path)
        self._limit = limit
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, all that are left by default.

        Raises:
            SourceError: there are more than the limit.
        """
        most = self._left + 1
        data = self._stream.read(most if size < 0 else min(size, most))
        self._count(len(data))
        return data

    def readline(self, size: int | None = -1) -> bytes:
        """The next line.

        Raises:
            SourceError: there are more bytes than the limit.
        """
        data = self._stream.readline(self._left + 1)
        self._count(len(data))
        return data

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise SourceError(
                f"{self._path}: more than {self._limit:,} bytes once decompressed, which may be meant to fill the memory; "
                f"if it is yours, set the environment variable {READ_LIMIT} to a larger number of bytes"
            )


@contextlib.contextmanager
def open_bounded(path: str | os.PathLike[str], default: int = _DEFAULT_LIMIT) -> Iterator[Bounded]:
    """A file, decompressed if it begins as gzip or bzip2 does, that gives at most as many bytes as :func:`read_limit` says.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read or decompressed.
        SourceError: it is larger.
    """
    with open(path, "rb") as raw, contextlib.ExitStack() as stack:
        magic = raw.read(3)
        raw.seek(0)
        stream: IO[bytes] = raw
        if magic[:2] == b"\x1f\x8b":
            import gzip

            stream = stack.enter_context(cast(IO[bytes], gzip.GzipFile(fileobj=raw)))
        elif magic == b"BZh":
            import bz2

            stream = stack.enter_context(bz2.BZ2File(raw))
        yield Bounded(stream, path, max(read_limit(default), _RATIO * os.fstat(raw.fileno()).st_size))


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path``, of the same ending, that becomes ``path`` when the block ends well, and vanishes when it does not.

    Raises:
        OSError: the folder cannot be written to.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8; it appears whole or not at all.

    Raises:
        GraphError: the file cannot be written.
    """
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise GraphError(f"cannot write: {error.strerror or error}", os.fspath(path)) from None
