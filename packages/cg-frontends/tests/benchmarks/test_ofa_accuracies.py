"""The accuracies of Once-for-All."""

from __future__ import annotations

from pathlib import Path

from label_files import write_ofa

from cg_ir import get_benchmark


def test_ofa_accuracies(tmp_path: Path) -> None:
    table = get_benchmark("mobilenetv3").open(str(write_ofa(tmp_path)))
    assert table.query(f"{'3' * 20}:{'4' * 20}:44444@224", "top1") == 77.5
    assert list(get_benchmark("mobilenetv3").open(str(tmp_path)).archs()) == list(table.archs())
