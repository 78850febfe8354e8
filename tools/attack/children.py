"""Reads hostile inputs in child processes under limits of memory and time, and tells how each ended."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from target import Target

from cg_ir.errors import CgError
from cg_ir.terminal import one_line

__all__ = ["CORPUS", "MEMORY", "SECONDS", "TOO_LONG", "Ending", "attack_in_child"]

#: Bytes beyond what the interpreter has when a child begins.
MEMORY = 2 * 2**30
#: Seconds of the processor's time for an input; six times as many by the clock.
SECONDS = 10
TOO_LONG = f"more than {SECONDS} s"
#: Inputs that further ones are made of, at most.
CORPUS = 400
_CURRENT = "current input"


@dataclass(frozen=True)
class Ending:
    """How the reading of an input ended.

    Attributes:
        kind: ``read``, ``refused`` or ``finding``.
        text: what was said.
        seconds: of the processor.
        memory: the peak while it was read, in bytes beyond what was held before.
    """

    kind: str
    text: str
    seconds: float = 0.0
    memory: int = 0

    @property
    def shape(self) -> str:
        """What was said, without names and numbers."""
        return self.text if self.kind == "finding" else re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "#", self.text)[:120]


def attack_in_child(
    target: Target, corpus: Sequence[bytes], shapes: Iterable[str], name: str, count: int, place: Path, end: float
) -> Iterator[tuple[Ending, bytes]]:
    """Make inputs and read them, one after the other, in a child process; gives how each ended, and those that ended as none before.

    A child that dies ends with the input that it was at; what it had not told yet is lost.

    Args:
        target: the reader.
        corpus: what inputs are made of; those that end in a new way join it within the child.
        shapes: what is known of ends, see `Ending.shape`.
        name: the inputs are the same for the same name, corpus and shapes.
        count: how many.
        place: an empty folder.
        end: the moment of ``time.monotonic`` after which no further input is begun.
    """
    receive, send = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receive)
        _limit()
        os.chdir(place)
        inputs = _inputs(target, corpus, name, count)
        _serve(target, inputs, set(shapes), place, send, end)
    os.close(send)
    with os.fdopen(receive, "r") as stream:
        for line in stream:
            row = json.loads(line)
            data = base64.b64decode(row.pop("data"))
            yield Ending(**row), data
    status = os.waitpid(process, 0)[1]
    if status:
        yield Ending("finding", _cause(status)), (place / _CURRENT).read_bytes()


def _inputs(target: Target, corpus: Sequence[bytes], name: str, count: int) -> Generator[bytes, bytes, None]:
    """So many inputs; takes those that join the corpus."""
    rng, own = random.Random(name), list(corpus)
    for _ in range(count):
        new = yield target.mutate(rng, own)
        if new and len(own) < CORPUS:
            own.append(new)


def _cause(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the process ended: exit status {os.WEXITSTATUS(status)}"
    name = signal.Signals(os.WTERMSIG(status)).name
    return TOO_LONG if name in ("SIGALRM", "SIGPROF") else f"the process ended: {name}"


def _limit() -> None:
    """Limits of a child, and nothing of what its readers say on the terminal."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        size = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")


def _serve(
    target: Target, inputs: Generator[bytes, bytes, None], shapes: set[str], place: Path, send: int, end: float
) -> None:
    """The child: reads inputs and says how each ended."""
    new = None
    forget = os.open("/proc/self/clear_refs", os.O_WRONLY) if os.path.exists("/proc/self/clear_refs") else None
    with os.fdopen(send, "w", buffering=2**16) as stream, open(_CURRENT, "wb", buffering=0) as current:
        while time.monotonic() < end:
            try:
                data = inputs.send(new)  # type: ignore[arg-type]
            except StopIteration:
                break
            os.pwrite(current.fileno(), data, 0)
            os.ftruncate(current.fileno(), len(data))
            ending = _timed(target, data, place, forget)
            novel = ending.shape not in shapes
            shapes.add(ending.shape)
            new = data if novel and ending.kind != "finding" and len(data) < 100_000 else b""
            kept = base64.b64encode(data).decode() if novel else ""
            stream.write(json.dumps({**asdict(ending), "data": kept}) + "\n")
    os._exit(0)


def _timed(target: Target, data: bytes, place: Path, forget: int | None) -> Ending:
    held, begin = _begin_peak(forget), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 6 * SECONDS)
    kind, text = _ending(target, data, place)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return Ending(kind, text, time.process_time() - begin, max(0, _peak() - held))


def _begin_peak(forget: int | None) -> int:
    """Forget the largest memory so far, where Linux can; gives that from which the next counts, in bytes."""
    if forget is not None:
        os.pwrite(forget, b"5", 0)
    return _peak()


def _peak() -> int:
    """The largest resident memory since it was last forgotten, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _ending(target: Target, data: bytes, place: Path) -> tuple[str, str]:
    try:
        target.read(data, place)
    except CgError as error:
        return "refused", one_line(error).replace(str(place), "")
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        inner = [frame for frame in frames if "/cg_" in frame.filename]
        where = inner[-1] if inner else frames[-1]
        return "finding", f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:150]!r}"
    return "read", ""
