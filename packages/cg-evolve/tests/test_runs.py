from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from toy_plugin import worth

from cg_evolve import SearchError
from cg_evolve.executors import DaskBackend, ExecutorBackend, ProcessBackend
from cg_evolve.runs import Config, Run, read_run
from cg_evolve.store import Store
from cg_ir import get_evaluator

SAME = "SELECT id, arch, hash, status, value, metrics, seed, parents, origin, feasible FROM evaluations ORDER BY id"


def config(**options: Any) -> Config:
    return Config(**{"space": "toy", "evaluator": "toy", "budget": 40, "algorithm": "regularized", **options})


def rows(folder: Path, query: str = SAME) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "history.sqlite")) as connection, connection:
        return connection.execute(query).fetchall()


def run_inline(folder: Path, **options: Any) -> list[tuple[Any, ...]]:
    with Run.open(folder, config(**options)) as run:
        run.execute()
    return rows(folder)


def command(folder: Path, *arguments: str, **options: Any) -> list[str]:
    given = {"budget": 40, "evaluator": "toy", "algorithm": "regularized", **options}
    flags = [text for key, value in given.items() for text in (f"--{key}", str(value))]
    return [sys.executable, "-m", "cg_ir.cli", "search", "toy", *flags, "-o", str(folder), "--resume", *arguments]


def test_a_run_is_a_folder_with_a_history(tmp_path: Path) -> None:
    history = run_inline(tmp_path / "run")
    assert [row[0] for row in history] == list(range(40))
    assert len({row[2] for row in history}) == 40
    for _, arch, _, status, value, metrics, seed, *_ in history:
        assert status == "done"
        assert value == pytest.approx(worth(arch))
        assert json.loads(metrics)["seed"] == seed % 1000
        assert json.loads(metrics)["params"] > 0
    document, search = read_run(tmp_path / "run")
    assert document == config()
    assert search.best is not None
    assert search.best.value == max(row[4] for row in history)


def test_the_evaluator_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cg_evolve import evaluators, jobs

    made = []
    monkeypatch.setattr(evaluators, "get_evaluator", lambda *name: (made.append(name), get_evaluator(*name))[1])
    jobs.shared_evaluator.cache_clear()
    run_inline(tmp_path / "run", budget=4)
    assert made == [("toy",)]


@pytest.mark.parametrize("workers", [1, 3])
def test_worker_processes_give_the_same_history(tmp_path: Path, workers: int) -> None:
    expected = run_inline(tmp_path / "inline", budget=45)
    with Run.open(tmp_path / "run", config(budget=45)) as run:
        backend = ProcessBackend(workers, lock=run.workers_lock)
        try:
            run.execute(backend)
        finally:
            backend.stop()
    assert rows(tmp_path / "run") == expected


def test_any_executor_gives_the_same_history(tmp_path: Path) -> None:
    expected = run_inline(tmp_path / "inline")
    with ThreadPoolExecutor(3) as executor, Run.open(tmp_path / "run", config()) as run:
        run.execute(ExecutorBackend(executor, 3), shared_disk=False)
    assert rows(tmp_path / "run") == expected


def test_a_larger_budget_goes_on(tmp_path: Path) -> None:
    expected = run_inline(tmp_path / "whole", budget=50)
    run_inline(tmp_path / "run", budget=20)
    with Run.open(tmp_path / "run", config(budget=50), resume=True) as run:
        run.execute()
    assert rows(tmp_path / "run") == expected


def kill_at_random(tmp_path: Path, kills: int, budget: int, seed: int) -> None:
    """Start, kill -9 after a random time, resume; in the end nothing is lost, nothing was done twice, all is as if undisturbed."""
    expected = run_inline(tmp_path / "whole", budget=budget)
    log = tmp_path / "log"
    rng = random.Random(seed)
    arguments = command(tmp_path / "run", "--workers", "2", budget=budget, evaluator=f"toy?pause=0.03&log={log}")
    finished_before = 0
    for _ in range(kills):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(1.0, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "run" / "history.sqlite").exists():
            finished = sum(row[0] == "done" for row in rows(tmp_path / "run", "SELECT status FROM evaluations"))
            assert finished >= finished_before
            finished_before = finished
    subprocess.run(arguments, check=True, capture_output=True, timeout=300)
    whole = [(*row[:5], *row[6:]) for row in expected]  # metrics hold what the evaluator says; compared below
    assert [(*row[:5], *row[6:]) for row in rows(tmp_path / "run")] == whole
    assert [json.loads(row[5]) for row in rows(tmp_path / "run")] == [json.loads(row[5]) for row in expected]
    times = Counter(log.read_text().split())
    assert len(times) == budget
    assert max(times.values()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_resumes(tmp_path: Path) -> None:
    kill_at_random(tmp_path, kills=3, budget=60, seed=0)


@pytest.mark.attack
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_run_killed_twenty_times_resumes(tmp_path: Path) -> None:
    kill_at_random(tmp_path, kills=20, budget=400, seed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process")
@pytest.mark.parametrize("request_", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly(tmp_path: Path, request_: signal.Signals) -> None:
    arguments = command(tmp_path / "run", "--workers", "2", budget=500, evaluator="toy?pause=0.05")
    # a test run in the background of a shell hands down that SIGINT is ignored
    listen = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listen)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if (tmp_path / "run" / "history.sqlite").exists():
            counted = rows(tmp_path / "run", "SELECT count(*) FROM sqlite_master WHERE name='evaluations'")[0][0]
            if counted and rows(tmp_path / "run", "SELECT count(*) FROM evaluations WHERE status='done'")[0][0] > 3:
                break
    process.send_signal(request_)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume goes on" in errors
    assert "Traceback" not in errors
    assert {row[3] for row in rows(tmp_path / "run")} <= {"done", "pending"}


def test_evaluators_that_raise_hang_and_die_are_recorded(tmp_path: Path) -> None:
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(["cccccc", "pccccc", "ppcccc", "pppccc", "ppppcc", "kkkkkk", "wwwwww"]) + "\n\n")
    options = config(budget=7, evaluator="moody", algorithm="random", pool=str(pool), retries=1)
    with Run.open(tmp_path / "run", options) as run:
        backend = ProcessBackend(2, timeout=2.0, lock=run.workers_lock)
        try:
            run.execute(backend)
        finally:
            backend.stop()
    assert not list((tmp_path / "run").glob("workers.lock*"))
    found = {row[0]: row[1:] for row in rows(tmp_path / "run", "SELECT arch, status, attempts, error FROM evaluations")}
    assert found["pccccc"] == ("failed", 2, "RuntimeError: no memory left")
    assert found["ppcccc"] == ("failed", 2, "timeout after 2 s")
    assert found["pppccc"] == ("failed", 2, "the worker died with exit status 7")
    assert found["ppppcc"][0] == "failed"
    assert "worth" in found["ppppcc"][2]
    assert [found[arch][0] for arch in ("cccccc", "kkkkkk", "wwwwww")] == ["done"] * 3


def test_flaky_evaluations_are_retried(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    options = config(budget=5, evaluator=f"moody?marks={marks}", pool=None, algorithm="random")
    pool = tmp_path / "pool.txt"
    pool.write_text("cccccc\nkkkkkk\nwwwwww\n")
    with Run.open(tmp_path / "run", Config(**{**options.__dict__, "pool": str(pool)})) as run:
        run.execute()
    assert rows(tmp_path / "run", "SELECT status, attempts FROM evaluations") == [("done", 2)] * 3


def test_a_dask_worker_may_die(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    expected = run_inline(tmp_path / "inline", budget=16)
    with Run.open(tmp_path / "run", config(budget=16, evaluator="toy?pause=0.2")) as run:
        backend = DaskBackend("local", workers=2)
        killed = []

        def kill_one(row: object) -> None:
            if not killed:
                pid = next(iter(backend._client.run(os.getpid).values()))
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

        try:
            run.execute(backend, shared_disk=False, on_result=kill_one)
        finally:
            backend.stop()
    assert killed
    assert rows(tmp_path / "run") == expected


def test_a_hanging_evaluation_on_dask_is_ended(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    pool = tmp_path / "pool.txt"
    pool.write_text("cccccc\nppcccc\nkkkkkk\n")
    options = config(budget=3, evaluator="moody", algorithm="random", pool=str(pool), retries=0)
    with Run.open(tmp_path / "run", options) as run:
        backend = DaskBackend("local", timeout=2.0, workers=2)
        try:
            run.execute(backend, shared_disk=False)
        finally:
            backend.stop()
    found = {row[0]: row[1:] for row in rows(tmp_path / "run", "SELECT arch, status, error FROM evaluations")}
    assert found["ppcccc"] == ("failed", "timeout after 2 s")
    assert [found[arch][0] for arch in ("cccccc", "kkkkkk")] == ["done"] * 2


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    run_inline(tmp_path / "run", budget=3)
    with pytest.raises(SearchError, match="already holds a run; --resume"):
        Run.open(tmp_path / "run", config(budget=3))
    with pytest.raises(SearchError, match="has seed 0, not 1"):
        Run.open(tmp_path / "run", config(budget=3, seed=1), resume=True)
    with pytest.raises(SearchError, match="holds no run"):
        Run.open(tmp_path / "other", resume=True)
    with pytest.raises(SearchError, match="holds no run"):
        read_run(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_in_use_is_left_alone(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", config()), pytest.raises(SearchError, match="in use by another process"):
        Run.open(tmp_path / "run", config(), resume=True)


HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_a_resumed_run_waits_for_the_workers_of_a_killed_one(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", config()) as run:
        left = Path(f"{run.workers_lock}.12345")
    command = [sys.executable, "-c", HOLD, str(left), "1.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "held\n"
        begin = time.monotonic()
        with Run.open(tmp_path / "run", config(), resume=True):
            assert time.monotonic() - begin > 0.5
            assert worker.wait(10) == 0
    assert not left.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "at least 1 evaluation"),
        ({"retries": -1}, "retries"),
        ({"evaluator": "benchmark"}, "needs a target"),
        ({"evaluator": "toi"}, "did you mean 'toy'"),
        ({"evaluator": "benchmark:none.csv"}, "no such file|pip install cg-frontends"),
        ({"pool": "none.txt"}, "cannot be read as a list"),
        ({"space": "tay"}, "did you mean 'toy'"),
    ],
)
def test_mistakes_leave_nothing_behind(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    from cg_ir import CgError

    with pytest.raises(CgError, match=message):
        Run.open(tmp_path / "run", config(**options))
    assert not (tmp_path / "run").exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    run_inline(tmp_path / "run", budget=2)
    (tmp_path / "run" / "config.json").write_text('{"budget": "many"')
    with pytest.raises(SearchError, match=r"config\.json: is no readable run configuration"):
        Run.open(tmp_path / "run", resume=True)
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(SearchError, match="is no history"):
        Store(bad)
    store = Store(tmp_path / "new.sqlite")
    store._connection.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(SearchError, match="newer cg-evolve"):
        Store(tmp_path / "new.sqlite")


def test_a_result_of_an_older_session_is_not_taken(tmp_path: Path) -> None:
    from cg_evolve.jobs import Outcome
    from cg_evolve.store import record_result

    with Run.open(tmp_path / "run", config(budget=4)) as run:
        candidate = run.search.ask()[0]
        run.store.propose(candidate, run.session)
        path = str(run.store.path)
        record_result(path, Outcome(0, {"worth": 1.0}), "another session")
        assert run.store.metrics(0) is None
        record_result(path, Outcome(0, {"worth": 1.0}), run.session)
        assert run.store.metrics(0) == {"worth": 1.0}
    with Run.open(tmp_path / "run", resume=True) as run:  # the result was written, the main process never read it
        assert run.search.history[0].value == 1.0
    assert rows(tmp_path / "run", "SELECT value FROM evaluations WHERE id=0") == [(1.0,)]


def test_a_result_that_is_no_number_stays_a_failure_after_a_kill(tmp_path: Path) -> None:
    from cg_evolve.jobs import Outcome
    from cg_evolve.store import record_result

    with Run.open(tmp_path / "run", config(budget=4)) as run:
        candidates = run.search.ask(3)
        for candidate, accuracy in zip(candidates, (float("nan"), 0.9, float("-inf")), strict=True):
            run.store.propose(candidate, run.session)
            record_result(
                str(run.store.path), Outcome(candidate.id, {"accuracy": accuracy, "loss": 5.1}), run.session
            )  # by a worker; the main process is killed before it reads the result
    with Run.open(tmp_path / "run", resume=True) as run:
        assert [row.status for row in run.search.history] == ["failed", "done", "failed"]
        assert run.search.best is not None
        assert run.search.best.value == 0.9
        assert run.search.history[0].error == "the metric 'accuracy' is nan"
        assert run.search.history[2].error == "the metric 'accuracy' is -inf"
    stored = rows(tmp_path / "run", "SELECT json_extract(metrics, '$.accuracy') FROM evaluations ORDER BY id")
    assert stored == [("nan",), (0.9,), ("-inf",)]
