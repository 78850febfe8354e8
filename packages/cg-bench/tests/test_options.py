"""What the commands of ``cg bench`` share."""

from __future__ import annotations

import time

import pytest

from cg_bench.options import progress
from cg_ir.cli import main


def test_progress_says_the_seconds_since_it_was_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.4, 161.6])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    say = progress()
    say("begun")
    say("done")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["     0 s  begun", "    62 s  done"]


@pytest.mark.parametrize("command", ["transfer", "search", "sources", "ablation", "embedding"])
def test_every_comparison_asks_for_the_labels_and_a_folder(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", command])
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert "--data" in err
    assert err.count("\n") == 1
