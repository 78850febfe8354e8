"""What decides a run: written, read, compared; hostile files and those of other versions."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cg_evolve
from cg_evolve import SearchError
from cg_evolve.config import CHANGEABLE, Config, agree, read_inputs, read_pool

FULL = Config(
    "toy?channels=3", "train:digits", 9, "random", 5, ("nb201", "nb101"), "counts", ("accuracy", "macs:min"), ("macs<6e8",),
    "pool.txt", 2, ("3x8x8",), (1, 3), 4, "loss:min", 0, 7,
)  # fmt: skip


@pytest.mark.parametrize("config", [FULL, Config("größe", "toy", 1)])
def test_a_configuration_reads_back(tmp_path: Path, config: Config) -> None:
    config.write(tmp_path / "config.json", {"pool.txt": "d1", "b": "d2"})
    assert Config.read(tmp_path / "config.json") == config
    assert read_inputs(tmp_path / "config.json") == {"pool.txt": "d1", "b": "d2"}
    document = json.loads((tmp_path / "config.json").read_text())
    assert document["cg_evolve"] == cg_evolve.__version__
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def written(folder: Path, document: Any) -> Path:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


LEAST = {"space": "toy", "evaluator": "toy", "budget": 3}


def test_an_older_file_has_the_defaults_and_a_newer_one_more_names(tmp_path: Path) -> None:
    assert Config.read(written(tmp_path, LEAST)) == Config("toy", "toy", 3)
    assert read_inputs(written(tmp_path, LEAST)) == {}
    newer = LEAST | {"cg_evolve": "9.0", "unheard_of": [1, 2]}
    assert Config.read(written(tmp_path, newer)) == Config("toy", "toy", 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": None}, "budget should not be NoneType"),
        ({"budget": True}, "budget should not be bool"),
        ({"budget": 1.0}, "budget should not be float"),
        ({"seed": 2**63}, "seed should not be int"),
        ({"steps": [1, "2"]}, "steps should not be tuple, or not hold what it holds"),
        ({"steps": 3}, "steps should not be int"),
        ({"exclude": "nb201"}, "exclude should not be str"),
        ({"objectives": [1]}, "objectives should not be tuple, or not hold what it holds"),
        ({"space": ["toy"]}, "space should not be tuple"),
        ({"pool": 1}, "pool should not be int"),
        ({"scorer": None}, "scorer should not be NoneType"),
        ({"compare": {}}, "compare should not be dict"),
    ],
    ids=str,
)
def test_a_setting_of_another_type_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, LEAST | changes)
    with pytest.raises(SearchError, match=re.escape(f"{path}: is no readable run configuration: {message}")):
        Config.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"space": "toy"}', "[" * 100_000, '"\\ud800"'])
def test_what_is_no_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(SearchError, match=r"config\.json: is no readable run configuration: ") as told:
        Config.read(written(tmp_path, text))
    assert "\n" not in str(told.value)


def test_bytes_that_are_no_text_and_a_missing_file_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{}")
    for path in (tmp_path / "config.json", tmp_path / "none.json", tmp_path):
        with pytest.raises(SearchError, match="is no readable run configuration"):
            Config.read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.dictionaries(st.sampled_from([*asdict(FULL), "inputs"]), JSON, max_size=5))
def test_any_document_is_a_configuration_or_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = written(tmp_path, LEAST | changes)
    for read in (Config.read, read_inputs):
        with contextlib.suppress(SearchError):  # and nothing else
            read(path)  # type: ignore[operator]


@pytest.mark.parametrize("inputs", [[], "x", 3, None])
def test_digests_are_an_object(tmp_path: Path, inputs: Any) -> None:
    with pytest.raises(SearchError, match="'inputs' should be an object"):
        read_inputs(written(tmp_path, LEAST | {"inputs": inputs}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "a budget should be at least 1 evaluation, not 0"),
        ({"retries": -1}, "retries should not be negative, not -1"),
        ({"give_up": -2}, "give_up should not be negative, not -2"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(SearchError, match=f"^{message}$"):
        Config(**({"space": "toy", "evaluator": "toy", "budget": 3} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(asdict(FULL)))
def test_only_budget_and_patience_may_change(name: str) -> None:
    value = getattr(FULL, name)
    other = value + 1 if isinstance(value, int) else value + value
    changed = replace(FULL, **{name: other})
    assert agree(FULL, None, Path("run")) is FULL
    if name in CHANGEABLE:
        assert agree(FULL, changed, Path("run")) is changed
        return
    with pytest.raises(SearchError, match=re.escape(f"run: the run there has {name} {value!r}, not {other!r}")):
        agree(FULL, changed, Path("run"))


def test_a_pool_is_its_lines(tmp_path: Path) -> None:
    (tmp_path / "pool.txt").write_bytes("cckkpp\r\n\n  kkkkkk \nä\x0bb\n".encode())
    assert read_pool(str(tmp_path / "pool.txt")) == ["cckkpp", "kkkkkk", "ä\x0bb"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b" \n\n", "lists no architecture"), (b"\xff", "cannot be read as a list"), (None, "cannot be read")],
)
def test_what_is_no_pool_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "pool.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SearchError, match=rf"pool\.txt: {message}"):
        read_pool(str(path))
