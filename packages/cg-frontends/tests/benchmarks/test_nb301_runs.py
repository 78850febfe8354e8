"""The training results of NAS-Bench-301."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_files import GENOTYPE, OTHER, write_301

from cg_ir import get_benchmark


def test_nasbench301_runs(tmp_path: Path) -> None:
    table = get_benchmark("nb301").open(str(write_301(tmp_path)))
    assert set(table.archs()) == {GENOTYPE, OTHER}
    assert table.query(GENOTYPE, "valid") == pytest.approx(92.5)
    assert table.query(GENOTYPE, "test") == pytest.approx(92.0)
    assert table.query(OTHER, "valid") == 80.0
    assert table.query(OTHER, "runtime_s") == 3600.0
