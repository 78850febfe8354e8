"""Mistyped names on the command line get the name that was meant, in one line and with status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from cg_ir.cli import main

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SEARCH = ["search", "nb201", "--budget", "3", "-o", "run", "--evaluator"]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["rnk"], "'rank'"),
        (["bench", "trasfer"], "'transfer'"),
        (["info", f"nb20:{CELL}"], "search space 'nb201'"),
        (["embed", "--space", "nb21", "--from", "archs.txt", "-o", "v.csv"], "'nb201'"),
        (["rank", f"nb201:{CELL}", "--scorer", "parms"], "'params'"),
        ([*SEARCH, "scorr:macs"], "'scorer'"),
        ([*SEARCH, "scorer:mac"], "'macs'"),
        ([*SEARCH, "scorer:macs", "--algorithm", "gided"], "'guided'"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_the_name_that_was_meant_is_suggested(
    arguments: list[str],
    meant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "archs.txt").write_text(CELL + "\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    output, errors = capsys.readouterr()
    assert (stop.value.code, output) == (2, "")
    assert errors.count("\n") == 1
    assert f"did you mean the {meant}" in errors.lower() or f"did you mean {meant}" in errors.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["archs.txt"]
