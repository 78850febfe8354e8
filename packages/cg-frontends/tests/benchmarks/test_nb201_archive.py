"""The file of NAS-Bench-201, in both forms that torch gave it."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
from label_files import CELLS_201, archive_201, check_201, write_pth

from cg_ir import get_benchmark


def test_nasbench201_archive(tmp_path: Path) -> None:
    check_201(get_benchmark("nb201").open(str(write_pth(tmp_path))))


def test_nasbench201_archive_as_zip(tmp_path: Path) -> None:
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(archive_201(), protocol=2))
        archive.writestr("archive/version", "3\n")
    check_201(get_benchmark("nb201").open(str(path)))


def test_torch_reads_what_the_test_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    data = torch.load(write_pth(tmp_path), weights_only=False)
    assert data["meta_archs"] == CELLS_201
    path = tmp_path / "new.pth"
    plain = archive_201()
    plain["arch2infos"][0]["full"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": torch.zeros(3)}
    torch.save(plain, path)
    check_201(get_benchmark("nb201").open(str(path)))
