"""The index beside a large file: used while the file is as it was, and never needed."""

from __future__ import annotations

from pathlib import Path

from label_files import CELLS_201, check_201, write_tss

from cg_frontends.benchmarks.index_cache import index_path
from cg_ir import get_benchmark


def test_nats_topology_folder_and_its_index(tmp_path: Path) -> None:
    path = write_tss(tmp_path)
    check_201(get_benchmark("nb201").open(str(path)))
    index = index_path(path)
    assert index.is_file()
    before = index.stat().st_mtime_ns
    check_201(get_benchmark("nb201").open(str(path)))
    assert index.stat().st_mtime_ns == before, "the index was not used"
    # the folder that holds the benchmark's folder will do
    check_201(get_benchmark("nb201").open(str(tmp_path)))
    # a changed folder is read again
    (path / "000002.pickle.pbz2").unlink()
    assert list(get_benchmark("nb201").open(str(path)).archs()) == CELLS_201[:2]
    # a damaged index is no harm
    index.write_bytes(b"PK\x03\x04 nothing")
    assert list(get_benchmark("nb201").open(str(path)).archs()) == CELLS_201[:2]
