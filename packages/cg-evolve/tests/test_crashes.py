"""A run that is killed at a write, finds the disk full, sees the clock jump, or whose pages are damaged: its history is equal, or says why not."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cg_evolve import SearchError
from cg_evolve.report import report_data
from cg_evolve.runs import HISTORY, Config, Run, read_run
from cg_ir import CgError

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits and signals of Linux"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

BUDGET = 6
CLEAN, REFUSED, BROKEN = 0, 3, 4


def config() -> Config:
    return Config("toy", "toy", BUDGET, algorithm="random", seed=5)


def execute(folder: Path) -> None:
    with Run.open(folder, config(), resume=True) as run:
        run.execute()


def rows(
    folder: Path, columns: str = "id, arch, hash, status, value, metrics, seed, error, parents, origin, feasible"
) -> list[tuple[object, ...]]:
    """What the history says, apart from times."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / HISTORY}?mode=ro", uri=True)) as history, history:
        found = history.execute(f"SELECT {columns} FROM evaluations ORDER BY id").fetchall()
    history.close()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    execute(folder)
    return folder


def start(action: Callable[[], None], prepare: Callable[[], None] = lambda: None) -> int:
    """Run something in a child process; gives its number."""
    process = os.fork()
    if process:
        return process
    status = BROKEN
    try:
        prepare()
        action()
        status = CLEAN
    except (CgError, OSError):  # what the command line says in one line
        status = REFUSED
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def end(process: int) -> int:
    """The exit status of a child process, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def goes_on(folder: Path, whole: Path) -> None:
    """See to it that the run in a folder is finished as the undisturbed one, and that nothing that was done is done again."""
    done = dict(rows(folder, "id, finished_at")) if (folder / HISTORY).exists() and _table(folder) else {}
    execute(folder)
    assert rows(folder) == rows(whole)
    again = dict(rows(folder, "id, finished_at"))
    assert all(again[number] == moment for number, moment in done.items() if moment is not None)


def _table(folder: Path) -> bool:
    with contextlib.closing(sqlite3.connect(folder / HISTORY)) as history, history:
        found = history.execute("SELECT name FROM sqlite_master WHERE name='evaluations'").fetchone()
    history.close()
    return found is not None


# --- killed, or the disk is full, wherever a file grows ---------------------------------------------------------------


def largest_file(bytes: int, deadly: bool) -> Callable[[], None]:
    """No file may grow beyond a size: the write fails, as on a full disk, or the process is killed at it."""

    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))

    return prepare


SAMPLE = (0, 5_000, 20_000, 60_000)
EVERY = tuple(range(0, 180_000, 1500))


@pytest.mark.parametrize("deadly", [True, False], ids=["killed", "full"])
@pytest.mark.parametrize("sizes", [SAMPLE, pytest.param(EVERY, marks=pytest.mark.attack)], ids=["sample", "every"])
def test_a_write_that_fails_loses_nothing(tmp_path: Path, whole: Path, sizes: tuple[int, ...], deadly: bool) -> None:
    ends = []
    for size in sizes:
        folder = tmp_path / f"at-{size}"
        ends.append(end(start(lambda f=folder: execute(f), largest_file(size, deadly))))  # type: ignore[misc]
        assert ends[-1] in (CLEAN, -signal.SIGXFSZ if deadly else REFUSED), size
        goes_on(folder, whole)
    assert ends[0] != CLEAN


# --- killed at every system call that writes --------------------------------------------------------------------------

CALLS = "write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,openat"


def killed_at(number: int, folder: Path, inject: str) -> int:
    """Start the run in a child and have strace do something at its n-th call that writes."""
    process = start(lambda: execute(folder), lambda: os.kill(os.getpid(), signal.SIGSTOP))
    os.waitpid(process, os.WUNTRACED)
    command = [
        "strace",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={CALLS}",
        "-e",
        f"inject={CALLS}:{inject}:when={number}",
        "-p",
        str(process),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        while b"TracerPid:\t0\n" in Path(f"/proc/{process}/status").read_bytes():
            assert tracer.poll() is None, tracer.stderr and tracer.stderr.read()
            time.sleep(0.002)
        os.kill(process, signal.SIGCONT)
        ended = end(process)
    return ended


@pytest.mark.attack
@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
@pytest.mark.parametrize(("inject", "wanted"), [("signal=KILL", -9), ("error=ENOSPC", REFUSED), ("error=EIO", REFUSED)])
def test_killed_at_every_call_that_writes(tmp_path: Path, whole: Path, inject: str, wanted: int) -> None:
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        ended = killed_at(number, folder, inject)
        assert ended in (CLEAN, wanted), number
        goes_on(folder, whole)
        shutil.rmtree(folder)
        if number > 60 or (ended == CLEAN and wanted == -9):
            break
    assert number > 30


@pytest.mark.attack
@pytest.mark.skipif(not shutil.which("mount") or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_disk_of_every_size_loses_nothing(tmp_path: Path, whole: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    for pages in range(1, 48):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "none", str(disk)], check=True)
        try:
            assert end(start(lambda: execute(disk / "run"))) in (CLEAN, REFUSED), pages
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            goes_on(disk / "run", whole)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


# --- clocks, owners, pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-86_400.0, 3e9, -3e9], ids=["a day back", "a century on", "a century back"])
def test_the_clock_may_jump(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    real, jumps = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + (step if next(jumps) % 3 else 0.0))
    execute(tmp_path / "run")
    monkeypatch.undo()
    assert rows(tmp_path / "run") == rows(whole)
    assert report_data(tmp_path / "run")["graphs"]
    assert len(read_run(tmp_path / "run")[1].history) == BUDGET


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.attack)])
def test_of_several_owners_one_runs(tmp_path: Path, whole: Path, rounds: int) -> None:
    for number in range(rounds):
        folder = tmp_path / str(number)
        owners = [start(lambda f=folder: execute(f)) for _ in range(3)]  # type: ignore[misc]
        ends = sorted(map(end, owners))
        assert ends[0] == CLEAN
        assert set(ends) <= {CLEAN, REFUSED}
        assert rows(folder) == rows(whole)


def damaged(data: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """The file with each of its pages zeroed, filled at random, or put in the place of another."""
    size = 4096
    pages = [data[begin : begin + size] for begin in range(0, len(data), size)]
    for number in range(len(pages)):
        for kind, page in (
            ("zeros", bytes(size)),
            ("noise", rng.randbytes(size)),
            ("another", pages[rng.randrange(len(pages))]),
        ):
            yield f"page {number}: {kind}", b"".join([*pages[:number], page, *pages[number + 1 :]])
        yield f"page {number}: cut off", b"".join(pages[:number])


@pytest.mark.parametrize(
    "part", [slice(0, None, 9), pytest.param(slice(None), marks=pytest.mark.attack)], ids=["sample", "every"]
)
def test_damaged_pages_are_named_or_do_no_harm(tmp_path: Path, whole: Path, part: slice) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    data = (whole / HISTORY).read_bytes()
    named = 0
    for what, content in list(damaged(data, random.Random(0)))[part]:
        for log in folder.glob(f"{HISTORY}*"):
            log.unlink()
        (folder / HISTORY).write_bytes(content)
        said = ""
        try:
            execute(folder)
        except SearchError as error:
            said = str(error)
            named += 1
        assert HISTORY in said or rows(folder) == rows(whole), what
    assert named
