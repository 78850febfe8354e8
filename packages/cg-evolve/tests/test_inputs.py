"""The files that a run begins with."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from cg_evolve import SearchError
from cg_evolve.config import Config
from cg_evolve.inputs import COPIES, copy_code, digest_of, inputs_of, names_python, refuse_others


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with some files."""
    monkeypatch.chdir(tmp_path)
    for name in ("own.py", "net.py", "pool.txt", "table.csv", "model.onnx"):
        (tmp_path / name).write_text(f"# {name}")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path


def named(space: str = "toy", evaluator: str = "toy", **options: str) -> set[str]:
    return set(inputs_of(Config(space, evaluator, 1, **options)))  # type: ignore[arg-type]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: named("net.py:make"), {"net.py"}),
        (lambda: named("net.py:make?depth=2,3"), {"net.py"}),
        (lambda: named("graph?file=model.onnx"), {"model.onnx"}),
        (lambda: named("graph?file=net.py:make#2&edits=3"), {"net.py"}),
        (lambda: named(evaluator="benchmark:table.csv"), {"table.csv"}),
        (lambda: named(evaluator="benchmark:nb201=table.csv?metric=x"), {"table.csv"}),
        (lambda: named(evaluator="scorer:model"), {"model"}),
        (lambda: named(evaluator="own.py:train?epochs=3"), {"own.py"}),
        (lambda: named(evaluator="toy?log=table.csv"), set()),  # what a plugin's evaluator writes
        (lambda: named(pool="pool.txt", scorer="predictor?model=model"), {"pool.txt", "model"}),
        (lambda: named("missing.py:make", "benchmark:nb201=missing.csv"), set()),
        (lambda: named("os.path:join"), set()),
    ],
)
def test_everything_that_a_configuration_names_counts(found, expected: set[str]) -> None:
    assert found() == expected


def test_functions_count_by_their_source_in_place_of_their_file(here: Path) -> None:
    config = Config("net.py:make", "own.py:train", 1)
    found = inputs_of(config, {"own.py:train": "def train(): ..."})
    assert set(found) == {"net.py", "own.py:train"}
    assert found["own.py:train"] == hashlib.blake2b(b"def train(): ...", digest_size=20).hexdigest()
    (here / "own.py").write_text("# other comment")
    assert inputs_of(config, {"own.py:train": "def train(): ..."}) == found
    assert inputs_of(config, {"own.py:train": "def train(): pass"}) != found


def test_a_digest_is_blake2_of_the_content(here: Path) -> None:
    content = b"x" * (3 << 20)
    (here / "large").write_bytes(content)
    assert digest_of(here / "large") == hashlib.blake2b(content, digest_size=20).hexdigest()


@pytest.mark.parametrize("change", ["content", "name", "more", "moved"])
def test_a_folder_is_the_names_and_contents_of_its_files(here: Path, change: str) -> None:
    folder = here / "model"
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_text("1")
    before = digest_of(folder)
    (folder / "empty").mkdir()
    assert digest_of(folder) == before
    if change == "content":
        (folder / "sub" / "a").write_text("2")
    elif change == "name":
        (folder / "sub" / "a").rename(folder / "sub" / "b")
    elif change == "more":
        (folder / "b").write_text("")
    else:
        (folder / "sub" / "a").rename(folder / "a")
    assert digest_of(folder) != before


def test_what_cannot_be_read_is_named(here: Path) -> None:
    with pytest.raises(SearchError, match=r"none: cannot be read: No such file or directory$"):
        digest_of(here / "none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net.py:make", True), ("net.py", True), ("graph?file=net.py:make#2", True), ("a:b=net.py", True), ("toy?x=net.py", True),
        ("toy", False), ("benchmark:table.csv", False), ("scorer:python", False), ("net.pyc", False), ("", False),
    ],
)  # fmt: skip
def test_python_is_told_by_its_ending(text: str, expected: bool) -> None:
    assert names_python(text) == expected


def test_a_run_keeps_the_code_that_it_began_with(here: Path) -> None:
    folder = here / "run"
    folder.mkdir()
    inputs = {"net.py": "a" * 40, "table.csv": "b" * 40, "<train>": "c" * 40, "model": "d" * 40}
    copy_code(folder, inputs, {"<train>": "def train(): ..."})
    copies = {path.name: path.read_text() for path in (folder / COPIES).iterdir()}
    assert copies == {f"{'a' * 12}-net.py": "# net.py", f"{'c' * 12}-_train_.py": "def train(): ..."}
    (here / "net.py").write_text("# changed")
    copy_code(folder, inputs)  # what is there is left alone
    assert {path.name: path.read_text() for path in (folder / COPIES).iterdir()} == copies


@pytest.mark.usefixtures("here")
def test_a_run_goes_on_with_its_own_files_alone() -> None:
    run = Path("run")
    run.mkdir()
    refuse_others(run, {"a": "1"}, {"a": "1", "b": "2"})
    with pytest.raises(
        SearchError, match=r"^run: a has another content than when the run began; restore it, or start a run in another"
    ):
        refuse_others(run, {"a": "1"}, {"a": "2"})
    with pytest.raises(SearchError, match=r"^run: a is gone; restore it, or"):
        refuse_others(run, {"a": "1"}, {})
    with pytest.raises(
        SearchError, match=r"own\.py:train is a function that the run was begun with from Python; call cg_evolve\.run"
    ):
        refuse_others(run, {"own.py:train": "1"}, {})
    copy_code(run, {"net.py": "1" * 40})
    kept = re.escape(str(run / COPIES / f"{'1' * 12}-net.py"))
    with pytest.raises(SearchError, match=rf"restore it \({kept} is what it was\)"):
        refuse_others(run, {"net.py": "1" * 40}, {"net.py": "2"})
