"""However an evaluation ends, it is an outcome of that evaluation: the run goes on and the row says why."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_plugin import WildEvaluator, wild_archs

from cg_evolve import SearchError, executors
from cg_evolve.executors import DaskBackend, ProcessBackend
from cg_evolve.memory import parse_size
from cg_evolve.runs import Config, Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes of Unix")


def wild_run(tmp_path: Path, deadly: bool, retries: int = 0) -> Config:
    archs = wild_archs(deadly)
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(archs.values()))
    return Config("toy", "wild", len(archs), algorithm="random", pool=str(pool), retries=retries, give_up=0)


def check(run: Run, deadly: bool) -> None:
    expected = {**WildEvaluator.ways, **(WildEvaluator.deadly if deadly else {})}
    rows = {row.arch: row for row in run.search.history}
    for way, arch in wild_archs(deadly).items():
        wanted = expected[way]
        assert rows[arch].status == ("done" if wanted is None else "failed"), (way, rows[arch].error)
        assert (wanted or "") in rows[arch].error, (way, rows[arch].error)


def test_in_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = os.getcwd()
    with Run.open(tmp_path / "run", wild_run(tmp_path, deadly=False)) as run:
        run.execute()
        check(run, deadly=False)
    assert os.getcwd() == folder
    captured = capfd.readouterr()
    assert "{this is no result}" in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=pytest.mark.attack), 2, pytest.param(4, marks=pytest.mark.attack)]
)
def test_in_workers(tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: int) -> None:
    with Run.open(tmp_path / "run", wild_run(tmp_path, deadly=True)) as run:
        backend = ProcessBackend(workers, timeout=3.0, lock=run.workers_lock, memory=parse_size("512M"))
        try:
            run.execute(backend)
        finally:
            backend.stop()
        check(run, deadly=True)
    assert not capfd.readouterr().out


@pytest.mark.attack
def test_on_dask(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with Run.open(tmp_path / "run", wild_run(tmp_path, deadly=True)) as run:
        backend = DaskBackend("local", timeout=20.0, workers=2)
        try:
            run.execute(backend)
        finally:
            backend.stop()
        rows = {row.arch: row for row in run.search.history}
    for way, arch in wild_archs().items():
        wanted = {**WildEvaluator.ways, **WildEvaluator.deadly}[way]
        if way in WildEvaluator.ways:
            assert rows[arch].status == ("done" if wanted is None else "failed"), (way, rows[arch].error)
            assert (wanted or "") in rows[arch].error, (way, rows[arch].error)
        else:  # Dask itself says how its workers end
            assert rows[arch].status == "failed" or wanted is None, way
            assert rows[arch].error or rows[arch].status == "done", way


@pytest.mark.attack
def test_workers_that_a_local_cluster_has_given_up_are_replaced(tmp_path: Path) -> None:
    """As on a busy machine, where a worker takes long to come back after an evaluation that ended it."""
    pytest.importorskip("distributed")
    import dask

    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(wild_archs()[way] for way in ("dies", "succeeds")))
    config = Config("toy", "wild", 2, algorithm="random", pool=str(pool), retries=0, give_up=0)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}), Run.open(tmp_path / "run", config) as run:
        backend = DaskBackend("local", workers=1)
        try:
            run.execute(backend)
        finally:
            backend.stop()
        assert sorted(row.status for row in run.search.history) == ["done", "failed"]


# --- what Dask consists of dies ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A scheduler and a worker with its nanny, each a process of its own."""
    pytest.importorskip("distributed")
    place = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(place)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    nanny = join(place)
    parts: dict[str, Any] = {"scheduler": scheduler, "nanny": nanny, "file": place, "further": []}
    yield parts
    for process in (nanny, scheduler, *parts["further"]):
        process.kill()
        process.wait()


def join(place: Path) -> subprocess.Popen[bytes]:
    """A worker with its nanny."""
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--scheduler-file", str(place)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("part", ["worker", "nanny", "scheduler"])
def test_a_run_outlives_what_dask_consists_of(tmp_path: Path, cluster: dict[str, Any], part: str) -> None:
    """A worker is replaced by its nanny; without both the run waits for another worker to come; without scheduler the command ends with one line."""
    import distributed

    with distributed.Client(scheduler_file=str(cluster["file"]), timeout=120) as client:
        client.wait_for_workers(1, timeout=120)
        address = client.scheduler.address
        worker = next(iter(client.run(os.getpid).values()))
    command = [
        sys.executable, "-m", "cg_ir.cli", "search", "toy", "--evaluator", "toy?pause=0.3", "--budget", "12", "--algorithm", "random", "-o",
        str(tmp_path / "run"), "--resume", "--timeout", "10", "--give-up", "3",
    ]  # fmt: skip
    with subprocess.Popen([*command, "--dask", address], stderr=subprocess.PIPE, text=True) as search:
        while len(finished(tmp_path / "run")) < 2:
            assert search.poll() is None, search.stderr and search.stderr.read()
            time.sleep(0.05)
        os.kill(worker if part == "worker" else cluster[part].pid, signal.SIGKILL)
        before = finished(tmp_path / "run")
        if part == "nanny":
            cluster["further"].append(join(cluster["file"]))
        _, said = search.communicate(timeout=300)
    assert "Traceback" not in said
    assert search.returncode == (2 if part == "scheduler" else 0), said
    assert set(before) <= set(finished(tmp_path / "run"))
    subprocess.run([*command, "--retry-failed"], check=True, capture_output=True, timeout=300)
    assert len(finished(tmp_path / "run")) == 12


@pytest.mark.attack
def test_a_scheduler_that_hangs_ends_the_run_with_one_line(
    cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_PATIENCE", 2)
    while not cluster["file"].exists():
        time.sleep(0.05)
    backend = DaskBackend(str(cluster["file"]))
    assert backend.capacity == 1
    cluster["scheduler"].send_signal(signal.SIGSTOP)
    with pytest.raises(SearchError, match="the Dask scheduler has not answered for 2 s; what is done is kept"):
        _ = backend.capacity
    cluster["scheduler"].send_signal(signal.SIGCONT)
    backend.stop()


def finished(folder: Path) -> list[int]:
    """Numbers of the evaluations that are done."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{folder / 'history.sqlite'}?mode=ro", uri=True)) as history,
            history,
        ):
            found = [row[0] for row in history.execute("SELECT id FROM evaluations WHERE status='done'")]
        history.close()
    except sqlite3.OperationalError:
        return []
    return found


def test_sizes() -> None:
    assert [parse_size(text) for text in ("2000", "1k", "1.5 M", "2GiB", "1TB")] == [
        2000, 1024, 1.5 * 2**20, 2 * 2**30, 2**40,
    ]  # fmt: skip
    for text in ("", "0", "G", "-1G", "1X"):
        with pytest.raises(SearchError, match="a size of memory looks like 4G"):
            parse_size(text)


SCRIPT = """
import sys, time
from cg_evolve.runs import Config, Run

class Sleepy:
    name = "sleepy"
    def evaluate(self, arch, graph, seed):
        try:
            print("evaluating", file=sys.stderr, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
        return {"worth": 1.0}

with Run.open(sys.argv[1], Config("toy", "toy", 3, algorithm="random")) as run:
    run.evaluator = Sleepy()
    run.execute()
"""


def test_the_users_own_interrupt_ends_the_run_also_where_the_evaluator_catches_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "run")]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "evaluating\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) != 0
    with Run.open(tmp_path / "run", resume=True) as run:
        assert [row.status for row in run.search.history] == ["pending"]
