"""A run goes on as what it was, or says why not: no run is mixed with another, and nothing runs that only its folder names."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cg_evolve import SearchError
from cg_evolve.inputs import digest_of, inputs_of, names_python
from cg_evolve.report import report_data
from cg_evolve.runs import Config, Run, read_run
from cg_ir import get_space


def config(**options: object) -> Config:
    return Config(**{"space": "toy", "evaluator": "toy", "budget": 6, "algorithm": "random", **options})  # type: ignore[arg-type]


def start(folder: Path, settings: Config) -> None:
    with Run.open(folder, settings) as run:
        run.execute()


def test_another_pool_is_refused(tmp_path: Path) -> None:
    pool = tmp_path / "pool.txt"
    pool.write_text("cccccc\nkkkkkk\nwwwwww\n")
    start(tmp_path / "run", config(budget=2, pool=str(pool)))
    pool.write_text("cccccc\nkkkkkk\nwwwwwp\n")
    with pytest.raises(SearchError, match=r"pool\.txt has another content than when the run began"):
        Run.open(tmp_path / "run", resume=True)
    pool.unlink()
    with pytest.raises(SearchError, match=r"pool\.txt is gone"):
        Run.open(tmp_path / "run", resume=True)


def test_another_network_to_search_around_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("cg_predict")
    net = tmp_path / "net.cg.json"
    get_space("toy").graph("cckkww").save(net)
    settings = config(space=f"graph?file={net}", evaluator="scorer:macs", budget=3)
    start(tmp_path / "run", settings)
    get_space("toy").graph("cckkwp").save(net)
    with pytest.raises(SearchError, match=r"net\.cg\.json has another content"):
        Run.open(tmp_path / "run", settings, resume=True)


def test_a_space_that_builds_other_networks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_plugin

    start(tmp_path / "run", config())
    own = toy_plugin.ToySpace.graph
    monkeypatch.setattr(toy_plugin.ToySpace, "graph", lambda self, arch: own(self, arch[::-1]))
    with pytest.raises(SearchError, match="was of another network than"):
        Run.open(tmp_path / "run", resume=True)


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_lost_history_is_no_new_run(tmp_path: Path, damage: str) -> None:
    start(tmp_path / "run", config())
    history = tmp_path / "run" / "history.sqlite"
    history.unlink()
    if damage == "empty":
        history.touch()
    for given in (None, config()):
        with pytest.raises(SearchError, match=rf"history\.sqlite: is {damage}, so that the run cannot go on"):
            Run.open(tmp_path / "run", given, resume=True)


def test_a_history_of_the_first_version_goes_on(tmp_path: Path) -> None:
    start(tmp_path / "run", config(budget=3))
    with contextlib.closing(sqlite3.connect(tmp_path / "run" / "history.sqlite")) as connection, connection:
        connection.execute("ALTER TABLE evaluations DROP COLUMN step")
        connection.execute("ALTER TABLE evaluations DROP COLUMN network")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    assert "before networks were kept" in report_data(tmp_path / "run")["note"]
    with Run.open(tmp_path / "run", config(), resume=True) as run:
        run.execute()
    start(tmp_path / "whole", config())
    archs = [[row.arch for row in read_run(tmp_path / name)[1].history] for name in ("run", "whole")]
    assert archs[0] == archs[1]


def test_a_received_folder_runs_no_python(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("cg_frontends")
    code = "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))\n"
    (tmp_path / "net.py").write_text(code)
    settings = config(space=f"graph?file={tmp_path / 'net.py'}:net", evaluator="scorer:macs", budget=3)
    start(tmp_path / "run", settings)
    copy = next((tmp_path / "run" / "inputs").iterdir())
    assert copy.name.endswith("-net.py")
    assert copy.read_text() == code
    mark = tmp_path / "mark"
    (tmp_path / "net.py").write_text(f"open({str(mark)!r}, 'w')\n{code}")
    with pytest.raises(SearchError, match="runs only if the command line names it as well, or with --allow-python"):
        Run.open(tmp_path / "run", resume=True)
    with pytest.raises(SearchError, match=r"net\.py has another content.*net\.py is what it was"):
        Run.open(tmp_path / "run", settings, resume=True)
    assert len(report_data(tmp_path / "run")["graphs"]) == 3
    assert read_run(tmp_path / "run")[1].best is not None
    arguments = [sys.executable, "-m", "cg_ir.cli", "search", "--resume", "-o", str(tmp_path / "run")]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--allow-python" in result.stderr
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of Unix")
def test_a_run_in_a_folder_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    start(tmp_path / "run", config())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    for path in (*before, tmp_path / "run"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert read_run(tmp_path / "run")[1].best is not None
        assert report_data(tmp_path / "run")["graphs"]
    finally:
        (tmp_path / "run").chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before


def test_inputs_are_what_a_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in ("a.csv", "b.py", "c.cg.json", "model/config.json"):
        (tmp_path / name).write_text(name)
    settings = config(
        space=f"graph?file={tmp_path}/c.cg.json&edits=3",
        evaluator=f"benchmark:nb201={tmp_path}/a.csv?metric=x",
        scorer=f"{tmp_path}/model",
    )
    assert {Path(name).name for name in inputs_of(settings)} == {"a.csv", "c.cg.json", "model"}
    assert {Path(name).name for name in inputs_of(config(evaluator=f"{tmp_path}/b.py:train?epochs=3"))} == {"b.py"}
    assert digest_of(tmp_path / "a.csv") != digest_of(tmp_path / "b.py")
    assert names_python("net.py:make")
    assert names_python("graph?file=sent/net.py:net")
    assert names_python("graph?file=sent/net.py:net#3&edits=2")
    assert not names_python("benchmark:nb201=file.csv")
