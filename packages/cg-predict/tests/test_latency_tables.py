"""Measured latencies, and the networks that were measured."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cg_ir import ArchError, CgError, GraphBuilder, get_scorer, load_set
from cg_predict import plugin
from cg_predict.latency_tables import DEVICES, Measured, _measured_key, read_measured
from cg_predict.roofline import roofline


def net(channels: int):
    b = GraphBuilder(f"{channels} channels")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    b.output(b.add("Relu", b.add("BatchNormalization", x)))
    return b.build()


def written(path: Path, *lines: str) -> None:
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def test_merged_networks_stand_where_they_were_measured() -> None:
    networks = {("net", 8, True): net(40), ("net", 8, False): net(9000)}
    row = {"arch": "net", "img_size": "8", "param_count": f"{networks['net', 8, True].params / 1e6:.2f}"}
    machines = {d.name: d for d in DEVICES}
    assert _measured_key(row, machines["rtx4090"], networks) == ("net", 8, True)
    assert _measured_key(row, machines["rtx3090"], networks) == ("net", 8, False)
    whole = row | {"param_count": f"{networks['net', 8, False].params / 1e6:.2f}"}
    assert _measured_key(whole, machines["rtx4090"], networks) == ("net", 8, False)


def test_the_plugin_registers_a_scorer_for_every_device() -> None:
    assert tuple(plugin._DEVICES) == tuple(d.name for d in DEVICES)
    assert get_scorer("latency@fpga").name == "latency@fpga"


class Zoo:
    """In place of timm: networks by name, one of which it cannot build at a size."""

    def __init__(self, merged: int) -> None:
        self._merged = merged

    def graph(self, arch: str):
        name, _, size = arch.partition("@")
        if size == "999":
            raise ArchError("no such size")
        return net({"small": 4, "large": 600}[name] // (4 if self._merged else 1))


ROWS = (
    "arch,img_size,device,batch,step_ms,param_count,timm_module",
    "small,8,i7_12700h,1,2.0,0.0,plain",
    "large,8,i7_12700h,1,8.0,0.02,wide",
    "large,999,i7_12700h,1,9.0,0.02,wide",
    "large,8,rtx4090,64,32.0,0.00,wide",  # measured with its branches merged: its parameters are fewer
    "small,8,rtx4090,1024,1.0,0.0,plain",
)


def test_rows_of_timm_are_milliseconds_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("cg_predict.latency_tables.get_space", lambda name, merged: Zoo(merged))
    written(tmp_path / "timm_latency.csv.gz", *ROWS)
    found = read_measured(tmp_path, tmp_path / "graphs" / "timm.jsonl.gz", ("timm",), asked.append)
    assert [m.device.name for m in found] == ["i7_12700h", "rtx4090"]  # no rows, no device
    cpu, gpu = found
    assert cpu.ms.tolist() == [2.0, 8.0]
    np.testing.assert_array_equal(cpu.columns, roofline([net(4), net(600)]))
    assert cpu.macs.tolist() == [net(4).macs, net(600).macs]
    assert gpu.ms.tolist() == [32 / 64, 1 / 1024]
    np.testing.assert_array_equal(gpu.columns[0], roofline([net(150)], 64)[0] / 64)
    np.testing.assert_array_equal(gpu.columns[1], roofline([net(4)], 1024)[0] / 1024)
    assert gpu.group.tolist() == ["wide", "plain"]
    assert (cpu.network[0], cpu.network[1]) == (gpu.network[1], cpu.network[1])
    assert gpu.network[0] not in cpu.network
    assert asked[-1] == "1 of 1 timm models: large at 8, merged"
    assert "2 of 3 timm models: large at 999, not built" in asked
    names = [g.name for g in load_set(tmp_path / "graphs" / "timm.jsonl.gz")]
    assert names == ["large@8", "small@8", "large@8+merged"]
    asked.clear()
    again = read_measured(tmp_path, tmp_path / "graphs" / "timm.jsonl.gz", ("timm",), asked.append)
    assert asked == []  # from the file
    np.testing.assert_array_equal(again[1].columns, gpu.columns)


@pytest.mark.realdata
def test_cells_are_those_without_none_that_a_device_can_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cg_frontends")
    monkeypatch.setattr("cg_predict.latency_tables.CELL_SAMPLE", 30)
    found = {m.device.name: m for m in read_measured(data_dir, tmp_path / "none", ("nb201",))}
    assert set(found) == {d.name for d in DEVICES if d.table == "nb201"}
    raspi, tpu = found["raspi4"], found["edgetpu"]
    assert len(raspi) == 30
    assert len(tpu) <= 30
    assert (tpu.ms > 0).all()
    np.testing.assert_array_equal(raspi.group, raspi.network.astype(str))


def test_some_rows_are_rows() -> None:
    number = np.arange(5)
    whole = Measured(DEVICES[0], np.eye(5), number + 1.0, number, number.astype(str), number * 2.0)
    part = whole.take(np.array([3, 0]))
    assert len(part) == 2
    assert (part.ms.tolist(), part.network.tolist(), part.group.tolist(), part.macs.tolist()) == (
        [4, 1],
        [3, 0],
        ["3", "0"],
        [6, 0],
    )
    np.testing.assert_array_equal(part.columns, np.eye(5)[[3, 0]])


@pytest.mark.parametrize("tables", [("timm", "nb201"), ("timm",), ()])
def test_a_folder_without_tables_is_told(tmp_path: Path, tables: tuple[str, ...]) -> None:
    if not tables:
        written(tmp_path / "timm_latency.csv.gz", *ROWS)
    told = rf"^{tmp_path} should hold timm_latency\.csv\.gz or nb201_hardware_cifar10\.csv\.gz$"
    with pytest.raises(CgError, match=told):
        read_measured(tmp_path, tmp_path / "graphs.jsonl.gz", tables)
