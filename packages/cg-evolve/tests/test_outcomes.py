"""However an evaluation ends, it is an outcome of that evaluation: the run goes on and the row says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_plugin import WildEvaluator, wild_archs

from cg_evolve import SearchError
from cg_evolve.executors import ProcessBackend
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


def test_in_workers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Run.open(tmp_path / "run", wild_run(tmp_path, deadly=True)) as run:
        backend = ProcessBackend(2, timeout=3.0, lock=run.workers_lock, memory=parse_size("512M"))
        try:
            run.execute(backend)
        finally:
            backend.stop()
        check(run, deadly=True)
    assert not capfd.readouterr().out


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
