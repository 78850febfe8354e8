"""The readers that are registered: each finds its table, and all of them keep the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from label_files import (
    write_301,
    write_analog,
    write_csv,
    write_ofa,
    write_pth,
    write_published,
    write_sss,
    write_tfrecord,
    write_tss,
)

from cg_ir import get_benchmark, get_space
from cg_ir.plugins import Benchmark
from cg_ir.testing import BenchmarkSuite


@pytest.mark.realdata
def test_evaluation_tables(data_dir: Path) -> None:
    expected = {
        "nb101": 20_001, "nb201": 15_625, "nb301": 9_377, "mobilenetv3": 1_492, "natssize": 32_768, "mnasnet": 3_060,
        "transnas": 7_352, "autoformer": 200, "metaqnn": 1_000, "naap440": 440,
    }  # fmt: skip
    for name, count in expected.items():
        table = get_benchmark(name).open(str(data_dir))
        archs = list(table.archs())
        assert len(archs) == count
        space: Any = get_space(name)
        found = 0
        for arch in archs[:: count // 20]:
            try:
                assert table.query(space.canonical(arch), table.metrics[0]) == table.query(arch, table.metrics[0])
                found += 1
            except KeyError:
                assert name == "nb301", "only the surrogates' table has gaps"
        assert found > 5


# --- all of them keep the contract ------------------------------------------------------------------------------------


class TestCsv(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("csv?space=nb201")

    def write(self, folder: Path) -> Path:
        return write_csv(folder)


class TestNasBench101(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb101")

    def write(self, folder: Path) -> Path:
        return write_tfrecord(folder)


class TestNatsTopology(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb201")

    def write(self, folder: Path) -> Path:
        return write_tss(folder)


class TestNasBench201(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb201")

    def write(self, folder: Path) -> Path:
        return write_pth(folder)


class TestNatsSize(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("natssize")

    def write(self, folder: Path) -> Path:
        return write_sss(folder)


class TestNasBench301(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb301")

    def write(self, folder: Path) -> Path:
        return write_301(folder)


class TestOnceForAll(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("mobilenetv3")

    def write(self, folder: Path) -> Path:
        return write_ofa(folder)


class TestAnalog(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("analog-nasbench")

    def write(self, folder: Path) -> Path:
        return write_analog(folder)


class TestTransNas(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("transnas")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "transnas")


class TestAutoFormer(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("autoformer")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "autoformer")


class TestMetaQnn(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("metaqnn")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "metaqnn")


class TestNaap440(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("naap440")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "naap440")
