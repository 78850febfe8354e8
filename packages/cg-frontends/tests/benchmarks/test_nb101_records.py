"""The records of NAS-Bench-101."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_files import write_tfrecord

from cg_frontends.benchmarks.index_cache import index_path
from cg_frontends.benchmarks.nb101_records import crc32c
from cg_ir import SourceError, get_benchmark


def test_crc32c() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C


def test_nasbench101_records(tmp_path: Path) -> None:
    table = get_benchmark("nb101").open(str(write_tfrecord(tmp_path)))
    assert list(table.archs()) == ["101:0", "101:2"]
    assert table.metrics[0] == "valid_108ep"
    assert table.query("101:0", "valid_108ep") == pytest.approx(0.91)
    assert table.query("101:0", "test_108ep") == pytest.approx(0.90)
    assert table.query("101:2", "valid_4ep") == pytest.approx(0.40)
    assert table.query("101:2", "train_time_108ep") == 100.0
    assert table.query("101:2", "params") == 0x8A & 127 | (0xDE & 127) << 7 | 2 << 14 | 4 << 21


@pytest.mark.parametrize("cut", [5, 40, -3])
def test_damaged_records_are_refused(tmp_path: Path, cut: int) -> None:
    path = write_tfrecord(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SourceError, match=r"record .* is cut off"):
        get_benchmark("nb101").open(str(path))
    path.write_bytes(b"\x01" + write_tfrecord(tmp_path).read_bytes()[1:])
    with pytest.raises(SourceError, match="record 1 is damaged"):
        get_benchmark("nb101").open(str(path))
    assert not index_path(path).exists()
