"""Workers of this machine, and the accelerator that each of them sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from cg_evolve import SearchError
from cg_evolve.accelerators import VARIABLE, visible, workers_of


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv(VARIABLE, "0,3,GPU-1a")
    return monkeypatch


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0,1", ["0", "1"]), (" 2 , 0 ", ["2", "0"]), ("", []), ("-1", []), ("1,-1,2", ["1"]), ("GPU-1a,,1", ["GPU-1a"])],
)
def test_cuda_sees_what_stands_before_the_first_that_is_none(
    given: pytest.MonkeyPatch, value: str, expected: list[str]
) -> None:
    given.setenv(VARIABLE, value)
    assert visible() == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'; echo '  MIG 1g.10gb'; echo 'GPU 1: NVIDIA H200'", ["0", "1"]),
        ("echo 'No devices were found'", []),
        ("exit 9", []),
    ],
)
def test_without_the_variable_the_drivers_tool_tells(
    given: pytest.MonkeyPatch, tmp_path: Path, script: str, expected: list[str]
) -> None:
    given.delenv(VARIABLE)
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\n[ "$1" = -L ] || exit 1\n{script}\n')
    tool.chmod(0o755)
    given.setenv("PATH", str(tmp_path))
    assert visible() == expected
    tool.unlink()
    assert visible() == []


@pytest.mark.usefixtures("given")
def test_workers_share_the_accelerators_evenly() -> None:
    assert workers_of("auto") == [{VARIABLE: device} for device in ("0", "3", "GPU-1a")]
    assert [worker[VARIABLE] for worker in workers_of("5")] == ["0", "3", "GPU-1a", "0", "3"]
    assert workers_of("0") == []


@pytest.mark.parametrize(("value", "count"), [("", 1), ("7", 1)])
def test_with_one_accelerator_or_none_workers_are_told_nothing(
    given: pytest.MonkeyPatch, value: str, count: int
) -> None:
    given.setenv(VARIABLE, value)
    assert len(workers_of("auto")) == count
    assert workers_of("3") == [{}, {}, {}]


@pytest.mark.parametrize(
    ("text", "message"),
    [("-1", "workers should not be negative, not -1"), ("many", "workers should be a number or auto, not 'many'")],
)
def test_other_numbers_of_workers_are_refused(text: str, message: str) -> None:
    with pytest.raises(SearchError, match=f"^{message}$"):
        workers_of(text)
