"""Tables of labels, whichever way their architectures are spelled."""

from __future__ import annotations

from pathlib import Path

from label_files import GENOTYPE

from cg_ir import get_benchmark


def test_other_spellings_are_found(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('genotype,acc\n"' + GENOTYPE.replace("[0,3],[1,4]", "[1,4],[0,3]") + '",94\n')
    table = get_benchmark("nb301").open(str(path))
    assert table.query(GENOTYPE, "acc") == 94.0
