"""Python code of the user's: loading, naming, seeding."""

from __future__ import annotations

import contextlib
import functools
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from cg_evolve import SearchError
from cg_evolve.python_code import load_callable, place_of, seeded, source_of


def written(folder: Path, text: str, name: str = "own.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_function_is_loaded_from_its_file_once(tmp_path: Path) -> None:
    file = written(
        tmp_path, "import neighbour\n\nclass Net:\n    def make(self): ...\n\ndef train(): return neighbour.VALUE\n"
    )
    written(tmp_path, "VALUE = 42\n", "neighbour.py")
    train = load_callable(f"{file}:train")
    assert train() == 42
    assert load_callable(f"{file}:train") is train
    assert load_callable(f"{file}:Net.make").__name__ == "make"
    assert load_callable("os.path:join")("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none.py:train", "none.py: there is no such file"),
        ("own.py:missing", "own.py: has no 'missing'"),
        ("own.py:train.more", "own.py: has no 'train.more'"),
        ("own.py:VALUE", "own.py:VALUE: is int, not a function"),
        ("raises.py:train", "raises.py:train: ZeroDivisionError: division by zero"),
        ("exits.py:train", "exits.py:train: SystemExit: 3"),
        ("syntax.py:train", "syntax.py:train: SyntaxError: "),
        ("no_such_module_of_anybody:train", "ModuleNotFoundError: No module named 'no_such_module_of_anybody'"),
        ("os.path:nothing", "os.path: has no 'nothing'"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "VALUE = 1\ndef train(): ...\n")
    written(tmp_path, "1 / 0\n", "raises.py")
    written(tmp_path, "import sys\nsys.exit(3)\n", "exits.py")
    written(tmp_path, "def (:\n", "syntax.py")
    before = set(sys.modules)
    with pytest.raises(SearchError, match=re.escape(message)):
        load_callable(text)
    assert not [name for name in set(sys.modules) - before if name.endswith(("raises_py", "exits_py", "syntax_py"))]


def test_a_file_that_failed_is_loaded_anew_when_it_is_mended(tmp_path: Path) -> None:
    file = written(tmp_path, "1 / 0\n")
    with pytest.raises(SearchError):
        load_callable(f"{file}:train")
    written(tmp_path, "def train(): return 7  # mended\n")
    assert load_callable(f"{file}:train")() == 7


def top_level() -> None:
    """A function that a worker finds by its file."""


def test_a_function_is_named_by_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def inner() -> None: ...

    here = Path(__file__).resolve()
    monkeypatch.chdir(here.parent)
    assert place_of(top_level) == f"{here.name}:top_level"
    monkeypatch.chdir(tmp_path)
    assert place_of(top_level) == f"{here}:top_level"
    assert load_callable(place_of(top_level)).__doc__ == top_level.__doc__
    for other, name in (
        (inner, "<test_a_function_is_named_by_its_file.<locals>.inner>"),
        (lambda: None, None),
        (len, "<len>"),
        (functools.partial(top_level), "<partial>"),
        (Path.rename, "<Path.rename>"),
    ):
        assert place_of(other).startswith("<")  # type: ignore[arg-type]
        assert name is None or place_of(other) == name  # type: ignore[arg-type]


def test_the_source_of_what_has_one() -> None:
    assert source_of(top_level).startswith("def top_level() -> None:")
    assert source_of(Path).startswith("class Path")
    assert [source_of(thing) for thing in (len, 3, functools.partial(top_level), type("Made", (), {}))] == [""] * 4


def drawn() -> list[float]:
    values = [random.random(), float(np.random.rand())]  # noqa: NPY002
    if "torch" in sys.modules:
        values.append(float(sys.modules["torch"].rand(())))
    return values


def test_what_user_code_draws_is_the_seeds_and_nobody_elses() -> None:
    pytest.importorskip("torch")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    sys.modules["torch"].manual_seed(1)
    undisturbed = [drawn() for _ in range(2)]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    sys.modules["torch"].manual_seed(1)
    first = drawn()
    with seeded(5):
        a = [drawn(), drawn()]
    with contextlib.suppress(ZeroDivisionError), seeded(5):
        assert drawn() == a[0]
        raise ZeroDivisionError
    with seeded(2**32 + 5):
        other = drawn()
    assert [first, drawn()] == undisturbed
    assert len({x for pair in a for x in pair}) == 6
    assert other[1] == a[0][1]  # numpy takes 32 bits
    assert other[0] != a[0][0]
