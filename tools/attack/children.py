"""Reads hostile inputs in child processes under limits of memory and time, and tells how each ended."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from target import Target

from cg_ir.errors import CgError
from cg_ir.terminal import one_line

__all__ = ["MEMORY", "SECONDS", "TOO_LONG", "Ending", "inputs_of", "read_in_child"]

#: Bytes beyond what the interpreter has when a child begins.
MEMORY = 2 * 2**30
#: Seconds of the processor's time for an input; six times as many by the clock.
SECONDS = 10
TOO_LONG = f"more than {SECONDS} s"


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


def inputs_of(target: Target, corpus: Sequence[bytes], name: str, count: int) -> list[bytes]:
    """So many inputs; the same for the same corpus and name."""
    rng = random.Random(name)
    return [target.mutate(rng, corpus) for _ in range(count)]


def read_in_child(target: Target, inputs: Sequence[bytes], place: Path, end: float) -> Iterator[tuple[int, Ending]]:
    """Read inputs one after the other in a child process; gives number and ending of each.

    A child that dies ends with the input that it was at: what comes behind it is not read.

    Args:
        target: the reader.
        inputs: what it reads.
        place: an empty folder.
        end: the moment of ``time.monotonic`` after which no further input is begun.
    """
    receive, send = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receive)
        _serve(target, inputs, place, send, end)
    os.close(send)
    begun = 0
    with os.fdopen(receive, "r") as stream:
        for line in stream:
            row = json.loads(line)
            begun = row.pop("index")
            if row:
                yield begun, Ending(**row)
    status = os.waitpid(process, 0)[1]
    if status:
        yield begun, Ending("finding", _cause(status))


def _cause(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the process ended: exit status {os.WEXITSTATUS(status)}"
    name = signal.Signals(os.WTERMSIG(status)).name
    return TOO_LONG if name in ("SIGALRM", "SIGPROF") else f"the process ended: {name}"


def _serve(target: Target, inputs: Sequence[bytes], place: Path, send: int, end: float) -> None:
    """The child: reads inputs under limits and says how each ended."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        size = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    with os.fdopen(send, "w") as stream:
        for index, data in enumerate(inputs):
            if time.monotonic() > end:
                break
            print(json.dumps({"index": index}), file=stream, flush=True)
            held, begin = _begin_peak(), time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, 6 * SECONDS)
            kind, text = _ending(target, data, place)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            seconds, memory = time.process_time() - begin, max(0, _peak() - held)
            row = {"index": index, "kind": kind, "text": text, "seconds": seconds, "memory": memory}
            print(json.dumps(row), file=stream, flush=True)
    os._exit(0)


def _begin_peak() -> int:
    """Forget the largest memory so far, where Linux can; gives that from which the next counts, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The largest resident memory since it was last forgotten, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


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
