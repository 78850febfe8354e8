"""Trainings that are divided into steps: successive halving, with a predictor or without, in memory and in a run that is killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from toy_plugin import ToyScorer, ToySpace, worth

from cg_evolve import Search, SearchError
from cg_evolve.algorithms.halving import projected, rungs
from cg_evolve.algorithms.hyperband import Hyperband
from cg_evolve.runs import Config, Run

STEPS = (1, 3, 9)


def learned(arch: str, step: int) -> float:
    """A made-up learning curve: it ends at the worth of the network, and its beginning says something about it."""
    noise = np.random.default_rng([step, *arch.encode()]).normal()
    return worth(arch) - 2.0 / step + 0.6 * noise / step


def search(budget: float, **options: object) -> Search:
    found = Search("toy", steps=STEPS, pool=POOL, q=1, **options)  # type: ignore[arg-type]
    while found.spent < budget * STEPS[-1]:
        candidate = found.ask()[0]
        found.tell(candidate, learned(candidate.arch, candidate.step or 0))
    return found


rng = np.random.default_rng(0)
POOL = ["".join(rng.choice(list("ickwp"), 6)) for _ in range(400)]


def test_rungs() -> None:
    assert rungs(27) == (1, 3, 9, 27)
    assert rungs(200, 4) == (3, 12, 50, 200)
    assert rungs(2, 3) == (2,)


def test_a_projection_is_exact_where_curves_are_lines() -> None:
    ends = np.linspace(0, 1, 400)
    curves = [[v - 1, v - 0.5, v] if i % 2 else [v - 1] for i, v in enumerate(ends)]
    assert projected(curves, 3) == pytest.approx(ends, abs=1e-6)
    assert projected([[0.3], [0.5]], 3) == pytest.approx([0.3, 0.5])


def test_a_projection_to_other_units_waits_for_three_trainings() -> None:
    losses = np.linspace(-3, -1, 200)
    ends = 80.0 + 5.0 * losses
    two = [[v, e] if i < 2 else [v] for i, (v, e) in enumerate(zip(losses, ends, strict=True))]
    assert projected(two, 2, alike=False) == pytest.approx(losses)
    assert projected(
        [[v, e] if i % 2 else [v] for i, (v, e) in enumerate(zip(losses, ends, strict=True))], 2, alike=False
    ) == pytest.approx(ends)
    alike = [[v, 50.0] for v in losses[:5]]  # ends that do not differ say nothing about the others
    assert np.isfinite(projected([*alike, [-2.0]], 2, alike=False)).all()


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
@pytest.mark.parametrize("broken", [False, True])
def test_trainings_are_compared_by_another_metric_until_they_end(algorithm: str, broken: bool) -> None:
    """The value of an unfinished training is the same for all, its loss tells how it ends; some losses are no numbers."""
    found = Search("toy", algorithm, scorer=ToyScorer(), steps=(2, 9), pool=POOL, q=1, compare="loss:min")
    while found.spent < 10 * 9:
        candidate = found.ask()[0]
        bad = broken and candidate.id % 5 == 0
        loss = float("nan") if bad else 100.0 - 7.0 * worth(candidate.arch)
        value = worth(candidate.arch) if candidate.step == 9 else 0.0
        found.tell(candidate, {"value": value, "loss": loss})
    begun = {row.hash: worth(row.arch) for row in found.history if row.candidate.step == 2}
    ended = {row.hash for row in found.history if row.candidate.step == 9}
    rest = [value for digest, value in begun.items() if digest not in ended]
    assert np.mean([begun[digest] for digest in ended]) > np.mean(rest) + 1.0


def test_a_metric_to_compare_by_that_there_is_not_is_named() -> None:
    found = Search("toy", "random", steps=(1, 3), pool=POOL, q=1, compare="los:min")
    found.tell(found.ask()[0], {"value": 1.0, "loss": 0.5})
    with pytest.raises(SearchError, match="compared by 'los', which the evaluator does not give; it gives value, loss"):
        found.ask()


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_one_in_eta_goes_on_with_its_own_seed(algorithm: str) -> None:
    found = search(12, algorithm=algorithm, scorer=ToyScorer())
    seeds: dict[str, set[int]] = {}
    reached: dict[int, set[str]] = {step: set() for step in STEPS}
    for row in found.history:
        seeds.setdefault(row.hash, set()).add(row.candidate.seed)
        reached[row.candidate.step].add(row.hash)
        if row.candidate.origin == "promotion":
            before = found.history[row.candidate.parents[0]].candidate
            assert (before.hash, STEPS.index(before.step) + 1) == (row.hash, STEPS.index(row.candidate.step))
    assert all(len(own) == 1 for own in seeds.values())
    for lower, higher in ((1, 3), (3, 9)):
        assert reached[higher] <= reached[lower]
        assert len(reached[lower]) // 3 <= len(reached[higher]) <= 0.6 * len(reached[lower])
    assert len(found.history) == len({(row.hash, row.candidate.step) for row in found.history})
    assert found.best is not None
    assert found.best.candidate.step == 9
    assert {row.candidate.step for row in found.ranking} == {9}


def test_the_predictor_finds_better_networks_with_the_same_steps() -> None:
    plain = [search(10, algorithm="random", seed=s).best for s in range(6)]
    guided = [search(10, algorithm="bayesian", scorer=ToyScorer(), seed=s).best for s in range(6)]
    assert np.mean([row.value for row in guided if row]) > np.mean([row.value for row in plain if row]) + 0.3


def test_brackets_of_hyperband_share_the_steps() -> None:
    found = search(30, algorithm=Hyperband(STEPS))
    begun: dict[str, int] = {}
    spent = dict.fromkeys(STEPS, 0)
    for row in found.history:
        step = row.candidate.step
        before = found.history[row.candidate.parents[0]].candidate.step if row.candidate.origin == "promotion" else 0
        spent[begun.setdefault(row.hash, step)] += step - before
    assert set(begun.values()) == set(STEPS)
    assert max(spent.values()) - min(spent.values()) <= STEPS[-1]
    assert found.best is not None


def test_a_network_that_failed_does_not_go_on() -> None:
    found = Search("toy", "bayesian", scorer=ToyScorer(), steps=STEPS, pool=POOL, q=1)
    failed = set()
    for number in range(60):
        candidate = found.ask()[0]
        assert candidate.hash not in failed
        if number % 4 == 3:
            failed.add(candidate.hash)
            found.tell([candidate], [None], error="no memory")
        else:
            found.tell(candidate, learned(candidate.arch, candidate.step or 0))
    assert found.best is not None


def test_a_small_space_is_trained_to_its_end() -> None:
    found = Search("toy", "random", steps=STEPS, pool=["cccccc", "kkkkkk"], q=1)
    for _ in range(6):
        candidate = found.ask()[0]
        found.tell(candidate, learned(candidate.arch, candidate.step or 0))
    assert len(found.ranking) == 2
    with pytest.raises(SearchError, match="have been proposed"):
        found.ask()


def test_mistakes() -> None:
    pytest.importorskip("moocore")
    for options, message in (
        ({"steps": (3, 1)}, "whole numbers that grow"),
        ({"steps": (1, 3), "eta": 1}, "eta should be at least 2"),
        ({"steps": (1, 3), "algorithm": "local"}, "not 'local'"),
        ({"steps": (1, 3), "objectives": ("accuracy", "loss:min")}, "one objective"),
    ):
        with pytest.raises(SearchError, match=message):
            Search("toy", **options)  # type: ignore[arg-type]


TRAIN = """
import json, os, time
from pathlib import Path

LOG = Path(__file__).with_name("log")
PAUSE = float(os.environ.get("PAUSE", "0"))


def train(graph, arch, seed, start, checkpoint):
    state = checkpoint / "state.json"
    done = json.loads(state.read_text()) if state.exists() else []
    assert len(done) == start
    for step in range(start + 1, 100):
        time.sleep(PAUSE)
        done.append(step)
        state.write_text(json.dumps(done))
        with open(LOG, "a") as log:
            log.write(f"{arch} {step}\\n")
        yield {"worth": graph.params / 1000 - 5 / step + seed % 97 / (100 * step), "steps": len(done)}
"""

SAME = "SELECT id, arch, hash, status, value, metrics, seed, parents, origin, step FROM evaluations ORDER BY id"


def history(folder: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "history.sqlite")
    try:
        return connection.execute(SAME).fetchall()
    finally:
        connection.close()


def finished_steps(folder: Path) -> dict[str, int]:
    """Steps of each training that are finished, by its architecture: as its states say."""
    found = {}
    for state in (folder / "states").glob("*/step-*/values.json"):
        found[state.parts[-3]] = max(map(int, json.loads(state.read_text())))
    archs = {str(row[2]).partition(":")[2][:16]: str(row[1]) for row in history(folder)} if found else {}
    return {archs[key]: step for key, step in found.items()}


def logged(folder: Path) -> list[tuple[str, int]]:
    """Every step that was made, in order: architecture and number."""
    lines = (folder / "log").read_text().splitlines() if (folder / "log").exists() else []
    return [(arch, int(step)) for arch, step in map(str.split, lines)]


def kill(process: subprocess.Popen[bytes], workers: bool) -> None:
    """Kill a run with SIGKILL: its main process alone, whose workers notice it and end, or its workers too."""
    children = psutil.Process(process.pid).children(recursive=True) if workers else []
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    time.sleep(0.1 if workers else 1.5)  # until its workers have gone


def kill_and_resume(tmp_path: Path, kills: int, budget: int, steps: tuple[int, ...], seed: int) -> None:
    """A run with a user's function, two workers and steps, killed at random moments, is the undisturbed one; no finished step is repeated."""
    (tmp_path / "own.py").write_text(TRAIN)
    space, draw, pool = ToySpace(), np.random.default_rng(seed), tmp_path / "pool.txt"
    pool.write_text("\n".join(space.sample(draw) for _ in range(600)))  # each start would list the whole space
    config = Config(
        "toy", f"{tmp_path}/own.py:train", budget, algorithm="bayesian", scorer="toy-gp", steps=steps, pool=str(pool)
    )
    with Run.open(tmp_path / "whole", config) as run:
        run.execute()
    undisturbed = logged(tmp_path)
    (tmp_path / "log").unlink()
    arguments = [
        sys.executable, "-m", "cg_ir.cli", "search", "toy", "--evaluator", f"{tmp_path}/own.py:train", "--budget", str(budget), "--algorithm",
        "bayesian", "--scorer", "toy-gp", "--steps", ",".join(map(str, steps)), "--pool", str(pool), "--workers", "2",
        "-o", str(tmp_path / "run"), "--resume",
    ]  # fmt: skip
    environment = os.environ | {"PAUSE": "0.05"}
    chance = random.Random(seed)
    kept: list[tuple[int, dict[str, int]]] = []
    for _ in range(kills):
        begun = len(logged(tmp_path))
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        while len(logged(tmp_path)) == begun and process.poll() is None:  # its start takes long on a busy machine
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.5))
        assert process.poll() is None, "the run had ended before it was killed"
        kill(process, workers=chance.random() < 0.5)
        kept.append((len(logged(tmp_path)), finished_steps(tmp_path / "run")))
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert history(tmp_path / "run") == history(tmp_path / "whole")
    log = logged(tmp_path)
    assert set(log) == set(undisturbed)
    assert len(log) <= len(undisturbed) + 2 * kills  # a worker loses at most the step that it was at
    for mark, finished in kept:
        assert finished
        for arch, step in log[mark:]:
            assert step > finished.get(arch, 0), (arch, step)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("kills", "budget", "steps"), [(2, 16, (1, 3, 9)), pytest.param(20, 130, (3, 9, 27), marks=pytest.mark.attack)]
)
def test_a_killed_run_repeats_no_finished_step(tmp_path: Path, kills: int, budget: int, steps: tuple[int, ...]) -> None:
    kill_and_resume(tmp_path, kills, budget, steps, seed=kills)


def test_an_evaluator_without_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="needs an evaluator whose training is divided into steps"):
        Run.open(tmp_path / "run", Config("toy", "toy", 3, steps=STEPS))
