"""The files of NATS-Bench."""

from __future__ import annotations

import bz2
import pickle
from pathlib import Path

import pytest
from label_files import CELLS_201, check_201, results, write_sss

from cg_ir import SourceError, get_benchmark


def test_nats_single_file(tmp_path: Path) -> None:
    path = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    infos = {
        i: {"12": results(i, a, 12, 10.0 * i + 12), "200": results(i, a, 20, 10.0 * i + 20)}
        for i, a in enumerate(CELLS_201)
    }
    with bz2.open(path, "wb") as stream:
        pickle.dump({"meta_archs": CELLS_201, "arch2infos": infos, "evaluated_indexes": {0, 1, 2}}, stream, protocol=4)
    check_201(get_benchmark("nb201").open(str(path)))


def test_nats_size_folder(tmp_path: Path) -> None:
    table = get_benchmark("natssize").open(str(write_sss(tmp_path)))
    assert table.query("64:8:16:24:32", "cifar10_valid_1ep") == pytest.approx(10 + 1 + 0.5)
    # the schedule called 12 is the longest that was written here
    assert {"cifar10_valid", "cifar10_valid_1ep"} <= set(table.metrics)
    with pytest.raises(SourceError, match="not of the space nb201"):
        get_benchmark("nb201").open(str(tmp_path / "NATS-sss-v1_0-50262-simple"))
